package query

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
)

// compiled is the compiled filter of a request. The service compiles it before the call is authorized, and the copies of the request
// that its readers get have it.
type compiled struct {
	text   string // text of the filter; empty = nothing was compiled
	shown  parleyv1.EventView
	filter *filter.Filter
}

// compile returns the filter of a text, compiled on a schema for the readers of a view. Without a text it makes no schema.
func (c *compiled) compile(text string, schema func() *filter.Schema, shown parleyv1.EventView) (*filter.Filter, error) {
	switch {
	case text == "":
		return nil, nil //nolint:nilnil // nil is the filter that everything matches
	case text == c.text && shown == c.shown:
		return c.filter, nil
	}
	f, err := filter.Compile(text, schema(), shown)
	if err != nil {
		return nil, failure.BadFilter(err)
	}
	*c = compiled{text, shown, f}
	return f, nil
}
