package rest

import (
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

// TestBatchInSeveralLines: a batch whose line would be longer than 3 MiB is several lines, each a batch, with the same events.
func TestBatchInSeveralLines(t *testing.T) {
	t.Parallel()
	const most = 3 << 20
	batch := &parleyv1.EventBatch{}
	for _, size := range []int{400 << 10, 10, 400 << 10, 400 << 10, 120 << 10, 60 << 10, 1, 436 << 10, 2, 3, 436 << 10} {
		batch.Events = append(batch.Events, &parleyv1.Event{Body: &parleyv1.Body{Content: strings.Repeat("\x01", size)}})
	}
	half := len(batch.GetEvents()) / 2
	parts := parts{
		timeline.Batch{Pieces: [][]byte{
			encoded(t, &parleyv1.EventBatch{Events: batch.GetEvents()[:half]}), encoded(t, &parleyv1.EventBatch{Events: batch.GetEvents()[half:]}),
		}},
		&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{ResumeToken: "t"}}},
	}
	h, err := New(Config{Backend: parts})
	if err != nil {
		t.Fatal(err)
	}
	for accept, divider := range map[string]string{ndjsonType: "\n", sseType: "\n\n"} {
		request := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/users/u/events:stream", nil)
		request.Header.Set("Accept", accept)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, request)
		lines := strings.Split(strings.TrimPrefix(strings.TrimSuffix(answer.Body.String(), divider), "retry: 3000\n\n"), divider)
		got := &parleyv1.EventBatch{}
		for i, line := range lines {
			if len(line) > most || i < len(lines)-2 && len(line) < most/8 {
				t.Errorf("%s: a line of %d bytes", accept, len(line))
			}
			data, name := line, "batch"
			if i == len(lines)-1 {
				name = "checkpoint\nid: t"
			}
			if accept == sseType {
				var ok bool
				if data, ok = strings.CutPrefix(line, "event: "+name+"\ndata: "); !ok {
					t.Errorf("line %d begins with %.40q", i, line)
				}
			}
			frame := &parleyv1.StreamEventsResponse{}
			if err := protojson.Unmarshal([]byte(data), frame); err != nil {
				t.Fatalf("line %d: %v", i, err)
			}
			if events := frame.GetBatch().GetEvents(); len(events) == 0 != (i == len(lines)-1) {
				t.Errorf("line %d has %d events", i, len(events))
			}
			proto.Merge(got, frame.GetBatch())
		}
		if len(lines) < 5 || !proto.Equal(got, batch) {
			t.Errorf("%s: %d lines, %d events, want %d", accept, len(lines), len(got.GetEvents()), len(batch.GetEvents()))
		}
	}
}
