package rest

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

// TestABatchHasTheSameLineFromBytes: the line of a batch is the same whether its events were messages or not.
func TestABatchHasTheSameLineFromBytes(t *testing.T) {
	t.Parallel()
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
		want, err := wirejson.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		list := encoded(t, message.GetBatch())
		if got, err := wirejson.AppendBatch(nil, [][]byte{list}, nil); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
		if len(list) == 0 {
			continue
		}
		one, half := (&parleyv1.EventBatch{Events: events[:1]}), (&parleyv1.EventBatch{Events: events[1:]})
		for name, part := range map[string]any{
			"a batch": &timeline.Batch{Runs: [][]byte{list}}, "pieces": &timeline.Batch{Runs: [][]byte{encoded(t, one), encoded(t, half)}},
		} {
			f, err := readFrame(part)
			if err != nil || f.kind != "batch" || f.message != nil {
				t.Errorf("%s is read as %+v, %v", name, f, err)
			}
			if got, err := wirejson.AppendBatch(nil, f.runs, nil); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
			}
		}
	}
	for kind, message := range map[string]*parleyv1.StreamEventsResponse{
		"":           {},
		"batch":      {Frame: &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{}}},
		"checkpoint": {Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "t"}}},
	} {
		if f, err := readFrame(message); err != nil || f.kind != kind || f.runs != nil || f.message == nil {
			t.Errorf("%v is read as %+v, %v", message, f, err)
		}
	}
	if _, err := readFrame("x"); err == nil {
		t.Error("a word is a frame")
	}
	for _, broken := range []string{"\x0a", "\x0a\x05a", "\x12\x00", "\xff"} {
		if _, err := wirejson.AppendBatch(nil, [][]byte{[]byte(broken)}, nil); err == nil {
			t.Errorf("%q was written", broken)
		}
	}
}

// encoded is the list field of a batch.
func encoded(t *testing.T, batch *parleyv1.EventBatch) []byte {
	t.Helper()
	list, err := proto.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAListHasTheSameJSONFromBytes: a List answer is the same JSON whether its events were messages or not.
func TestAListHasTheSameJSONFromBytes(t *testing.T) {
	t.Parallel()
	for _, whole := range []*parleyv1.ListEventsResponse{
		{},
		{Complete: true},
		{
			Events: []*parleyv1.Event{{Uid: "1", Body: &parleyv1.Body{Content: "<b>\"x\"</b>\n"}}, {}, {Uid: "3", OutOfWindow: true}}, NextPageToken: "t",
			Notices: []*parleyv1.Notice{{Code: "A", Message: "m"}},
			Sources: []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_CHAT, Counts: &parleyv1.SourceCounts{Events: 3}}},
		},
	} {
		want, err := wirejson.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		page := &timeline.Page{Message: proto.CloneOf(whole), Events: encoded(t, &parleyv1.EventBatch{Events: whole.GetEvents()})}
		page.Message.Events = nil
		got, _, _, err := bodyOf(page, false)
		if err != nil || string(got) != string(want)+"\n" {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
	}
	if _, _, _, err := bodyOf(&timeline.Page{Message: &parleyv1.ListEventsResponse{}, Events: []byte("\x0a\x05a")}, false); err == nil {
		t.Error("broken events were rendered")
	}
	if _, _, err := render("x"); err == nil {
		t.Error("a word was rendered")
	}
}
