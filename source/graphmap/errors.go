package graphmap

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrRecord is returned for a record that is not one JSON object. The text of the error holds a byte offset at most and
// nothing of the record.
var ErrRecord = errors.New("record is not a JSON object")

// ErrDepth is returned for a record whose objects and lists are nested deeper than MaxDepth.
var ErrDepth = errors.New("record is nested too deeply")

// ErrRoot is returned for a root that the table does not know.
var ErrRoot = errors.New("unknown root type")

// MaxDepth is how deep the objects and lists of a record may be nested. Graph's own records stay below 15.
const MaxDepth = 100

// syntaxError hides the decoder's own text, which quotes from the record.
func syntaxError(err error, offset int64) error {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = syntactic.ByteOffset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends at byte %d", ErrRecord, offset)
	}
	return fmt.Errorf("%w: invalid JSON at byte %d", ErrRecord, offset)
}
