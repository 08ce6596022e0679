package server

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

func batchFrameOf(list []byte, events ...*parleyv1.Event) *parleyv1.StreamEventsResponse {
	batch := &parleyv1.EventBatch{Events: events}
	batch.ProtoReflect().SetUnknown(list)
	return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}}
}

func onePageOf(k *keptEngine) *timeline.Page {
	return &timeline.Page{Events: k.list, Count: 3, Message: &parleyv1.ListEventsResponse{
		NextPageToken: "token", Sources: []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ}},
	}}
}

// TestCodecWritesWhatMarshalWrites compares messages whose events are bytes, and others, with proto.Marshal.
func TestCodecWritesWhatMarshalWrites(t *testing.T) {
	t.Parallel()
	page := onePageOf(newKept(t, 3, 0))
	odd := &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: &parleyv1.Notice{Code: "A"}}}
	odd.ProtoReflect().SetUnknown([]byte{0xa0, 0x06, 0x01})
	var none *parleyv1.StreamEventsResponse
	for name, message := range map[string]proto.Message{
		"a batch": batchFrameOf(page.Events), "no frame": &parleyv1.StreamEventsResponse{}, "an empty batch": batchFrameOf(nil),
		"a nil batch":       &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{}},
		"messages":          batchFrameOf(nil, &parleyv1.Event{Uid: "1"}),
		"messages and more": batchFrameOf(page.Events, &parleyv1.Event{Uid: "1"}),
		"a checkpoint":      &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "t"}}},
		"unknown fields":    odd, "nil": none, "health": &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING},
		"a list": &parleyv1.ListEventsResponse{Complete: true}, "an event": &parleyv1.Event{Uid: "1"},
	} {
		want, err := proto.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newCodec().Marshal(message)
		if err != nil || !bytes.Equal(got.Materialize(), want) {
			t.Errorf("%s: %v\n got %x\nwant %x", name, err, got.Materialize(), want)
		}
	}
	for name, p := range map[string]*timeline.Page{
		"a page": page, "an empty page": {Message: &parleyv1.ListEventsResponse{Complete: true}}, "nothing": {Message: &parleyv1.ListEventsResponse{}},
	} {
		whole := proto.CloneOf(p.Message)
		whole.ProtoReflect().SetUnknown(p.Events)
		want, err := proto.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newCodec().Marshal(p)
		if err != nil || !bytes.Equal(got.Materialize(), want) {
			t.Errorf("%s: %v\n got %x\nwant %x", name, err, got.Materialize(), want)
		}
		var back parleyv1.ListEventsResponse
		if err := newCodec().Unmarshal(got, &back); err != nil || len(back.GetEvents()) != p.Count {
			t.Errorf("%s: %v, %d events", name, err, len(back.GetEvents()))
		}
	}
	for cut := range 3 {
		want, err := proto.Marshal(batchFrameOf(page.Events))
		if err != nil {
			t.Fatal(err)
		}
		at := cut * len(page.Events) / 2
		got, err := newCodec().Marshal(&timeline.Batch{Runs: [][]byte{page.Events[:at], page.Events[at:]}, Count: page.Count})
		if err != nil || !bytes.Equal(got.Materialize(), want) {
			t.Errorf("a batch of pieces: %v\n got %x\nwant %x", err, got.Materialize(), want)
		}
	}
	if _, err := newCodec().Marshal("x"); err == nil {
		t.Error("a word was encoded")
	}
}

// TestCodecCopiesNothing: the transport gets the very bytes of the kept list, and freeing its buffers leaves them alone.
func TestCodecCopiesNothing(t *testing.T) {
	t.Parallel()
	page := onePageOf(newKept(t, 3, 0))
	before := bytes.Clone(page.Events)
	for name, message := range map[string]any{
		"batch": &timeline.Batch{Runs: [][]byte{page.Events}, Count: page.Count}, "page": page,
	} {
		parts, err := newCodec().Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if last := parts[len(parts)-1].ReadOnlyData(); &last[0] != &page.Events[0] {
			t.Errorf("%s: the list was copied", name)
		}
		parts.Ref()
		parts.Free()
		parts.Free()
	}
	room := mem.DefaultBufferPool().Get(len(page.Events))
	clear(*room)
	if !bytes.Equal(before, page.Events) {
		t.Error("the pool has got the kept bytes")
	}
}
