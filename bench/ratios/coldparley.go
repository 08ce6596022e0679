package main

import (
	"errors"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/graphmap"
)

var errUnusual = errors.New("a record is not of the usual shape")

// bareEvents encodes the records of a page and returns n plus their number.
func bareEvents(table *graphmap.Table, page *graphclient.Page, n int) (int, error) {
	for _, record := range page.Records {
		draft, ok := table.Draft(graphmap.RootChatMessage, record)
		if !ok {
			return n, errUnusual
		}
		draft.Encode()
		table.Release(draft)
		n++
	}
	return n, nil
}

// wholeEvent checks that the source has encoded the event, names, plain text and unmapped included.
func wholeEvent(item *source.Item) error {
	if item.IsZero() || len(item.Unmapped) == 0 {
		return errUnusual
	}
	return nil
}
