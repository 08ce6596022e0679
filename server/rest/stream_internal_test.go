package rest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
	"github.com/parley-gateway/parley/timeline"
)

// parts is a backend whose streams have the given parts.
type parts []any

// Unary implements Backend.
func (parts) Unary(context.Context, *Call, string, proto.Message) (any, error) { return nil, errAnswer }

// Stream implements Backend.
func (p parts) Stream(_ context.Context, _ *Call, _ string, _ proto.Message, send func(any) error) error {
	for _, part := range p {
		if err := send(part); err != nil {
			return err
		}
	}
	return nil
}

// streamed reads a stream to its end.
func streamed(t *testing.T, backend Backend) (string, error) {
	t.Helper()
	h, err := New(Config{Backend: backend})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/users/u/events:stream", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// TestLongLines: a line is the same, and whole, however many parts it is written in; one that cannot be ended is cut.
func TestLongLines(t *testing.T) {
	t.Parallel()
	batch := &parleyv1.EventBatch{}
	for range 1000 {
		batch.Events = append(batch.Events, &parleyv1.Event{Uid: "1", Body: &parleyv1.Body{Content: strings.Repeat("x\n", 500)}})
	}
	list := encoded(t, batch)
	want, err := wirejson.Marshal(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
	if err != nil {
		t.Fatal(err)
	}
	whole := timeline.Batch{Pieces: [][]byte{list}, Count: 1000}
	if got, err := streamed(t, parts{whole, whole}); err != nil || got != strings.Repeat(string(want)+"\n", 2) {
		t.Errorf("%d bytes, want %d twice: %v", len(got), len(want)+1, err)
	}
	broken := []byte("\x0a\x05a")
	if got, err := streamed(t, parts{timeline.Batch{Pieces: [][]byte{list, broken}}}); err == nil {
		t.Errorf("a line that could not be ended looks whole: %d bytes", len(got))
	}
	got, err := streamed(t, parts{timeline.Batch{Pieces: [][]byte{broken}}})
	if err != nil || !strings.HasPrefix(got, `{"error":{"code":13,`) {
		t.Errorf("%v: %s", err, got)
	}
}
