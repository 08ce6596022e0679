package graphmap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/source/graphmap"
)

func FuzzChatMessage(f *testing.F)   { fuzzEvent(f, graphmap.RootChatMessage) }
func FuzzAIInteraction(f *testing.F) { fuzzEvent(f, graphmap.RootAIInteraction) }
func FuzzCallRecord(f *testing.F)    { fuzzEvent(f, graphmap.RootCallRecord) }

// fuzzEvent checks that any input is either refused, and then encoding/json refuses it as an object too or it is nested
// too deeply, or becomes an event that can be encoded, whose texts all come from the record.
func fuzzEvent(f *testing.F, root string) {
	f.Helper()
	for _, g := range goldens(f) {
		if g.Root == root {
			f.Add([]byte(g.Record))
		}
	}
	f.Add([]byte(chatRecord))
	f.Add([]byte("{\"id\":1e5,\"from\":{\"user\":{\"displayName\":\"\\ud800\xff\"}},\"x\":[[{}]],\"id\":null}"))
	table := newTable(f)
	f.Fuzz(func(t *testing.T, record []byte) {
		before := bytes.Clone(record)
		event, err := table.Event(root, record)
		if !bytes.Equal(before, record) {
			t.Fatal("the record was changed")
		}
		var object map[string]json.RawMessage
		wantErr := json.Unmarshal(record, &object)
		isObject := wantErr == nil && object != nil
		switch {
		case errors.Is(err, graphmap.ErrDepth):
			return
		case (err == nil) != isObject:
			t.Fatalf("%v, but encoding/json says %v", err, wantErr)
		case err != nil:
			if !errors.Is(err, graphmap.ErrRecord) || !utf8.ValidString(err.Error()) {
				t.Fatal(err)
			}
			return
		}
		sameEvent(t, table, root, record)
		if event.GetDetail() == nil || event.GetSource() == nil {
			t.Fatal("an event without detail or source")
		}
		if _, err := proto.Marshal(event); err != nil {
			t.Fatal(err)
		}
		if _, err := protojson.Marshal(event); err != nil {
			t.Fatal(err)
		}
		if _, err := table.NestedLinks(root, record); err != nil {
			t.Fatal(err)
		}
	})
}
