package graphmap

import "errors"

// ErrRecord is returned for a record that is not one JSON object. The text of the error holds a byte offset at most and
// nothing of the record.
var ErrRecord = errors.New("record is not a JSON object")

// ErrDepth is returned for a record whose objects and lists are nested deeper than MaxDepth.
var ErrDepth = errors.New("record is nested too deeply")

// ErrRoot is returned for a root that the table does not know.
var ErrRoot = errors.New("unknown root type")

// MaxDepth is how deep the objects and lists of a record may be nested. Graph's own records stay below 15.
const MaxDepth = 100
