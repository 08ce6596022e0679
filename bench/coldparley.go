package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/graphmap"
)

// bareEvents encodes the records of a page and returns n plus their number.
func bareEvents(table *graphmap.Table, page *graphclient.Page, n int) (int, error) {
	for _, record := range page.Records {
		event, err := table.Event(graphmap.RootChatMessage, record)
		if err != nil {
			return n, fmt.Errorf("map: %w", err)
		}
		if _, err := proto.Marshal(event); err != nil {
			return n, fmt.Errorf("encode: %w", err)
		}
		n++
	}
	return n, nil
}

// wholeEvent encodes one event of the whole model.
func wholeEvent(item *source.Item) error {
	if _, err := proto.Marshal(item.Event); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return nil
}
