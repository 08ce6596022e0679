package main

import (
	"errors"
	"fmt"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/graphmap"
)

var errNotWhole = errors.New("an event has nothing in unmapped")

// bareEvents encodes the records of a page and returns n plus their number.
func bareEvents(table *graphmap.Table, page *graphclient.Page, n int) (int, error) {
	for _, record := range page.Records {
		draft, err := table.Draft(graphmap.RootChatMessage, record)
		if err != nil {
			return n, fmt.Errorf("record: %w", err)
		}
		draft.Encode()
		draft.Release()
		n++
	}
	return n, nil
}

// wholeEvent checks that the source has encoded the event, names, plain text and unmapped included.
func wholeEvent(item *source.Item) error {
	if item.IsZero() || len(item.Unmapped) == 0 {
		return errNotWhole
	}
	return nil
}
