package rest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/eventwire/wirejson"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/timeline"
)

// parts is a service whose streams of events have the given parts.
type parts struct {
	parleyv1.UnimplementedEventServiceServer

	list []any
}

// StreamEvents implements parleyv1.EventServiceServer.
func (p *parts) StreamEvents(_ *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	for _, part := range p.list {
		if err := stream.SendMsg(part); err != nil {
			return err
		}
	}
	return nil
}

// streamed reads a stream to its end.
func streamed(t *testing.T, list ...any) (string, error) {
	t.Helper()
	conn := inproc.New(nil, nil)
	parleyv1.RegisterEventServiceServer(conn, &parts{list: list})
	h, err := New(Config{Conn: conn})
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

// TestALongLineIsWholeOrCut: a line is the same, and whole, however many parts it is written in; one that cannot be ended is cut.
func TestALongLineIsWholeOrCut(t *testing.T) {
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
	whole := &timeline.Batch{Runs: [][]byte{list}, Count: 1000}
	if got, err := streamed(t, whole, whole); err != nil || got != strings.Repeat(string(want)+"\n", 2) {
		t.Errorf("%d bytes, want %d twice: %v", len(got), len(want)+1, err)
	}
	broken := []byte("\x0a\x05a")
	if got, err := streamed(t, &timeline.Batch{Runs: [][]byte{list, broken}}); err == nil {
		t.Errorf("a line that could not be ended looks whole: %d bytes", len(got))
	}
	got, err := streamed(t, &timeline.Batch{Runs: [][]byte{broken}})
	if err != nil || !strings.HasPrefix(got, `{"error":{"code":13,`) {
		t.Errorf("%v: %s", err, got)
	}
}
