package rest

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
)

// TestBatchOfBytes: the line of a batch is the same whether its events were messages or not.
func TestBatchOfBytes(t *testing.T) {
	t.Parallel()
	wire := wirejson.NewWire((*parleyv1.Event)(nil).ProtoReflect().Type())
	unmapped, err := structpb.NewStruct(map[string]any{"a": 1.5})
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range [][]*parleyv1.Event{
		nil,
		{{Name: "users/u/events/call,1", Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}}},
		{{Uid: "1", Body: &parleyv1.Body{Content: "<b>\"x\"</b>\n"}}, {}, {Uid: "3", Unmapped: unmapped}},
	} {
		message := &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: events}}}
		data, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		want, err := wirejson.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		list, ok := batchOf(data)
		if !ok {
			t.Fatalf("%x is not a batch", data)
		}
		if got, err := appendBatch(nil, list, wire); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
	for _, message := range []*parleyv1.StreamEventsResponse{
		{},
		{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "t"}}},
	} {
		data, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := batchOf(data); ok {
			t.Errorf("%v is not a batch", message)
		}
	}
	for _, broken := range []string{"\x0a", "\x0a\x05a", "\x12\x00", "\xff"} {
		if _, err := appendBatch(nil, []byte(broken), wire); err == nil {
			t.Errorf("%q was written", broken)
		}
	}
}
