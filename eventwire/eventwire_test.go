package eventwire_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestListIsTheMessage: the bytes of a list are an EventBatch and a ListEventsResponse of the same events.
func TestListIsTheMessage(t *testing.T) {
	t.Parallel()
	want := []*parleyv1.Event{{Uid: "1", Kind: parleyv1.EventKind_EVENT_KIND_CALL}, {}, {Uid: "3", OutOfWindow: true}}
	var list []byte
	size := 0
	for i, event := range want {
		basic, err := proto.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		cut := i % (len(basic) + 1)
		list = eventwire.AppendEvent(list, basic[:cut], basic[cut:])
		if size += eventwire.FramedSize(len(basic)); len(list) != size {
			t.Errorf("%d bytes, want %d", len(list), size)
		}
	}
	batch, answer := &parleyv1.EventBatch{}, &parleyv1.ListEventsResponse{}
	for _, m := range []proto.Message{batch, answer} {
		if err := proto.Unmarshal(list, m); err != nil {
			t.Fatal(err)
		}
	}
	frame := &parleyv1.StreamEventsResponse{}
	if err := proto.Unmarshal(append(eventwire.AppendBatchHead(nil, len(list)), list...), frame); err != nil {
		t.Fatal(err)
	}
	var read []*parleyv1.Event
	for event, err := range eventwire.Events(list) {
		m := &parleyv1.Event{}
		if err != nil || proto.Unmarshal(event, m) != nil {
			t.Fatal(err)
		}
		read = append(read, m)
	}
	for name, got := range map[string][]*parleyv1.Event{
		"batch": batch.GetEvents(), "answer": answer.GetEvents(), "frame": frame.GetBatch().GetEvents(), "read": read,
	} {
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBrokenListEndsWithErrList(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"\x0a", "\x0a\x05a", "\x12\x00", "\xff", "\x08\x01"} {
		list := append(eventwire.AppendEvent(nil, nil, nil), broken...)
		n, last := 0, error(nil)
		for _, err := range eventwire.Events(list) {
			n, last = n+1, err
		}
		if n != 2 || !errors.Is(last, eventwire.ErrList) {
			t.Errorf("%q: %d events, then %v", broken, n, last)
		}
	}
}
