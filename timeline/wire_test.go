package timeline_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// countEvents is the number of events in a list of encoded events.
func countEvents(list []byte) int {
	count := 0
	for _, err := range eventwire.Events(list) {
		if err != nil {
			break
		}
		count++
	}
	return count
}

// batches are the bytes of all batches of a stream, from messages or from encoded events.
func batches(t *testing.T, s query.Sources, req query.Events, encoded bool) (all [][]byte, events int) {
	t.Helper()
	emit := func(frame *parleyv1.StreamEventsResponse) error {
		if frame.GetBatch() == nil {
			return nil
		}
		events += len(frame.GetBatch().GetEvents())
		raw, err := proto.Marshal(frame)
		all = append(all, raw)
		return err
	}
	take := func(b *timeline.Batch) error {
		batch := &parleyv1.EventBatch{}
		batch.ProtoReflect().SetUnknown(slices.Concat(b.Runs...))
		if n := countEvents(batch.ProtoReflect().GetUnknown()); n != b.Count {
			t.Errorf("a batch of %d events says %d", n, b.Count)
		}
		events += b.Count
		return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
	}
	e := newEngine(t, timeline.Config{})
	var err error
	if encoded {
		err = e.StreamBatches(t.Context(), s, req, "", take, emit)
	} else {
		err = e.StreamEvents(t.Context(), s, req, "", emit)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all, events
}

// TestEncodedBatchIsTheMarshalledMessage: a batch of bytes is the marshalled message with the same events, byte for byte, in every view; and so is
// a List answer.
func TestEncodedBatchIsTheMarshalledMessage(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, start, end)}
	for i := range g.rows {
		g.rows[i].body = "text"
		if i == 7 {
			g.rows[i].noTime = true
		}
	}
	for _, v := range []parleyv1.EventView{
		parleyv1.EventView_EVENT_VIEW_BASIC, parleyv1.EventView_EVENT_VIEW_FULL, parleyv1.EventView_EVENT_VIEW_METADATA,
	} {
		req := chatRequest()
		req.View = v
		messages, events := batches(t, sources(g), req, false)
		raw, count := batches(t, sources(g), req, true)
		if events != 30 || count != 30 || len(raw) != len(messages) {
			t.Fatalf("%v: %d events in %d batches, %d in %d", v, events, len(messages), count, len(raw))
		}
		for i := range raw {
			if !sameWire(t, raw[i], messages[i], &parleyv1.StreamEventsResponse{}) {
				t.Errorf("%v: batch %d differs", v, i)
			}
		}
		list, err := newEngine(t, timeline.Config{}).ListEvents(t.Context(), sources(g), req, "", 20)
		if err != nil {
			t.Fatal(err)
		}
		page, err := newEngine(t, timeline.Config{}).PageEvents(t.Context(), sources(g), req, "", 20)
		if err != nil || page.Count != 20 || countEvents(page.Events) != 20 || len(list.GetEvents()) != 20 {
			t.Fatalf("%v: %d events, %v", v, len(list.GetEvents()), err)
		}
		listed, err := proto.Marshal(&parleyv1.EventBatch{Events: list.GetEvents()})
		if err != nil {
			t.Fatal(err)
		}
		if !sameWire(t, page.Events, listed, &parleyv1.EventBatch{}) {
			t.Errorf("%v: the page differs", v)
		}
	}
}

// sameWire reports whether bytes are those of a message: as they are, or once the fields that a mark added behind the others
// are put in their place.
func sameWire(t *testing.T, raw, want []byte, m proto.Message) bool {
	t.Helper()
	if bytes.Equal(raw, want) {
		return true
	}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	again, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(again, want)
}

// TestItemGivesItsEventBack: an item gives back the event that it was made of, with unmapped apart.
func TestItemGivesItsEventBack(t *testing.T) {
	t.Parallel()
	e := &parleyv1.Event{Uid: "1", Version: 3}
	item, err := source.NewItem(e)
	if err != nil || item.IsZero() || item.Version != 3 || len(item.Unmapped) > 0 {
		t.Fatalf("%+v, %v", item, err)
	}
	if again := decode(item); !proto.Equal(again, e) {
		t.Errorf("%v", again)
	}
}

// TestPiecesOfABatchAreTheBatch: pieces put one behind the other are the batches that StreamEvents emits, and an error ends the stream.
func TestPiecesOfABatchAreTheBatch(t *testing.T) {
	t.Parallel()
	chats, interactions := busy()
	have := cachedSources(t, cache.Config{}, chats, interactions)
	start, end := march()
	req := query.Events{Owner: "u", User: "u", Start: start, End: end}
	e := newEngine(t, timeline.Config{})
	for range 2 {
		want, got := &parleyv1.EventBatch{}, []byte(nil)
		err := e.StreamEvents(t.Context(), have, req, "", func(f *parleyv1.StreamEventsResponse) error {
			want.Events = append(want.Events, f.GetBatch().GetEvents()...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		take := func(b *timeline.Batch) error {
			got = append(got, slices.Concat(b.Runs...)...)
			return nil
		}
		err = e.StreamBatches(t.Context(), have, req, "", take, func(f *parleyv1.StreamEventsResponse) error {
			if f.GetBatch() != nil {
				t.Error("emit got a batch")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := proto.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if len(wanted) == 0 || !sameWire(t, got, wanted, &parleyv1.EventBatch{}) {
			t.Fatalf("%d bytes, want %d", len(got), len(wanted))
		}
		failure := errors.New("gone")
		refuse := func(*timeline.Batch) error { return failure }
		if err := e.StreamBatches(t.Context(), have, req, "", refuse, func(*parleyv1.StreamEventsResponse) error { return nil }); !errors.Is(err, failure) {
			t.Errorf("the reader's error is %v", err)
		}
	}
}
