package frames_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	"github.com/parley-gateway/parley/export/internal/frames"
)

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	content, err := proto.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}

func batchOf(events ...*parleyv1.Event) *parleyv1.StreamTenantEventsResponse {
	return &parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: events}}}
}

// TestEventsOfABatchAreFoundWithoutDecoding: events of a batch are told apart without decoding them, and a batch may be made of some of them.
func TestEventsOfABatchAreFoundWithoutDecoding(t *testing.T) {
	t.Parallel()
	a := &parleyv1.Event{Name: "users/u/events/a", Uid: "a", Owner: "users/u", Version: 7, Body: &parleyv1.Body{Content: "hello"}}
	b := &parleyv1.Event{Uid: "b", Owner: "users/v", Version: -1}
	content := marshal(t, batchOf(a, b))
	if !frames.IsBatch(content) {
		t.Fatal("a batch is none")
	}
	events, err := frames.Events(nil, content)
	if err != nil || len(events) != 2 {
		t.Fatalf("%v, %v", events, err)
	}
	for i, want := range []*parleyv1.Event{a, b} {
		got := events[i]
		if string(got.UID) != want.GetUid() || string(got.Owner) != want.GetOwner() || got.Version != want.GetVersion() || !bytes.Equal(got.Wire, marshal(t, want)) {
			t.Errorf("event %d: %+v", i, got)
		}
	}
	one := new(parleyv1.StreamTenantEventsResponse)
	if err := proto.Unmarshal(frames.AppendBatch(nil, [][]byte{events[1].Wire}), one); err != nil || !proto.Equal(one, batchOf(b)) {
		t.Errorf("%v, %v", one, err)
	}
}

// TestFramesThatAreNoBatchAreDecoded: whatever else a frame holds is decoded as usual.
func TestFramesThatAreNoBatchAreDecoded(t *testing.T) {
	t.Parallel()
	batch := marshal(t, batchOf(&parleyv1.Event{Uid: "a"}))
	for name, content := range map[string][]byte{
		"empty":      nil,
		"user":       marshal(t, &parleyv1.StreamTenantEventsResponse{Frame: &parleyv1.StreamTenantEventsResponse_User{User: &parleyv1.UserSummary{}}}),
		"two fields": append(bytes.Clone(batch), 15<<3, 1),
		"cut":        batch[:len(batch)-1],
	} {
		if frames.IsBatch(content) {
			t.Errorf("%s is taken for a batch", name)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add(marshal(f, batchOf(&parleyv1.Event{Uid: "a", Owner: "users/u", Version: 3}, &parleyv1.Event{})))
	f.Fuzz(func(t *testing.T, content []byte) {
		decoded := new(parleyv1.StreamTenantEventsResponse)
		valid := proto.Unmarshal(content, decoded) == nil
		if !frames.IsBatch(content) {
			return
		}
		events, err := frames.Events(nil, content)
		if err != nil {
			if valid {
				t.Fatalf("%v of %v", err, decoded)
			}
			return
		}
		if !valid {
			return // inside of an event
		}
		if len(events) != len(decoded.GetBatch().GetEvents()) {
			t.Fatalf("%d events of %d", len(events), len(decoded.GetBatch().GetEvents()))
		}
		for i, want := range decoded.GetBatch().GetEvents() {
			if got := events[i]; string(got.UID) != want.GetUid() || string(got.Owner) != want.GetOwner() || got.Version != want.GetVersion() {
				t.Fatalf("%+v of %v", got, want)
			}
		}
	})
}
