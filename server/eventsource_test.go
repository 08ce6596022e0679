package server_test

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/timeline/failure"
)

// eventSource reads streams as a browser's EventSource does (HTML standard, "server-sent events"): it remembers the last id and the
// last wait, comes back with the id, and gives up after an answer that is not 200 or not a stream.
type eventSource struct {
	h      *harness
	path   string
	id     string
	waits  []string // of each connection, the last wait that it was told
	events []string // names of events
	closed int      // the status by which it gave up
}

// connect reads one stream to its end.
func (s *eventSource) connect(t *testing.T) {
	t.Helper()
	headers := []string{"Accept", sse, "Cache-Control", "no-cache", "Origin", "https://chats.contoso.example"}
	if s.id != "" {
		headers = append(headers, "Last-Event-ID", s.id)
	}
	resp := s.h.get(t, s.path, headers...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != sse {
		s.closed = resp.StatusCode
		return
	}
	wait, id, name, data := "", s.id, "", ""
	for line := range strings.SplitSeq(body(t, resp), "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			if s.id = id; data != "" {
				s.events = append(s.events, name)
			}
			name, data = "", ""
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			data += value
		case "retry":
			if _, err := strconv.ParseUint(value, 10, 32); err != nil {
				t.Errorf("retry: %q is not a number", value)
			}
			wait = value
		}
	}
	s.waits = append(s.waits, wait)
}

// TestAnEventSourceReadsEachKindOfEnd plays streams that end in different ways to an EventSource.
func TestAnEventSourceReadsEachKindOfEnd(t *testing.T) {
	t.Parallel()
	throttledFor := func(wait time.Duration) error {
		return &failure.Error{
			Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Source: parleyv1.Source_SOURCE_CHAT,
			Err: &graph.Error{Kind: graph.KindThrottled, Status: http.StatusTooManyRequests, RetryAfter: wait},
		}
	}
	refused := &failure.Error{
		Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, Source: parleyv1.Source_SOURCE_CHAT,
		Err: &graph.Error{Kind: graph.KindForbidden, Status: http.StatusForbidden},
	}
	type play struct {
		frames []*parleyv1.StreamEventsResponse
		err    error
	}
	checkpoint := []*parleyv1.StreamEventsResponse{checkpointFrame("t1")}
	for name, tt := range map[string]struct {
		plays  []play
		waits  string
		events string
		id     string
		closed int
	}{
		"throttled in mid-stream": {
			plays: []play{{checkpoint, throttledFor(1500*time.Millisecond + 1)}, {[]*parleyv1.StreamEventsResponse{summaryFrame("end")}, nil}},
			waits: "1501 3000", events: "checkpoint failure summary", id: "end",
		},
		"throttled when it comes back": {
			plays: []play{{checkpoint, throttledFor(time.Second)}, {nil, throttledFor(2 * time.Second)}, {checkpoint, nil}},
			waits: "1000 2000 3000", events: "checkpoint failure failure checkpoint", id: "t1",
		},
		"throttled before it has an id": {
			plays: []play{{nil, throttledFor(time.Second)}}, closed: http.StatusTooManyRequests,
		},
		"refused when it comes back": {
			plays: []play{{checkpoint, throttledFor(time.Second)}, {nil, refused}},
			waits: "1000", events: "checkpoint failure", id: "t1", closed: http.StatusForbidden,
		},
		"refused in mid-stream": {
			plays: []play{{checkpoint, refused}},
			waits: "3000", events: "checkpoint failure", id: "t1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := start(t, nil)
			var next int
			h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
				p := tt.plays[next]
				next++
				return cmp.Or(emitAll(emit, p.frames...), p.err)
			}
			browser := &eventSource{h: h, path: streamPath}
			for range tt.plays {
				browser.connect(t)
			}
			if got := strings.Join(browser.waits, " "); got != tt.waits {
				t.Errorf("told to wait %q, want %q", got, tt.waits)
			}
			if got := strings.Join(browser.events, " "); got != tt.events || browser.id != tt.id || browser.closed != tt.closed {
				t.Errorf("events %q, id %q, closed by %d, want %q, %q, %d", got, browser.id, browser.closed, tt.events, tt.id, tt.closed)
			}
		})
	}
}

// TestEventSourcePlannedEnd: a stream that a stopping server ends lets an EventSource come back at once. A replica that takes no
// calls any more answers it with a stream too.
func TestEventSourcePlannedEnd(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	next := h.stepwise()
	running := h.get(t, streamPath, "Accept", sse)
	lines := bufio.NewReader(running.Body)
	for text := ""; !strings.Contains(text, `"checkpoint"`); {
		var err error
		if text, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	held := h.send(t, t.Context(), http.MethodGet, streamPath) // keeps the server from closing
	closed := make(chan error, 1)
	go func() { closed <- h.server.Close(context.Background()) }()
	text, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(text), "retry: 0\n\nevent: failure\ndata: ") || !strings.Contains(string(text), "STREAM_ENDED") {
		t.Errorf("%v, the stream ended with %s", err, text)
	}
	close(next)
	_ = body(t, held)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestBrowserOfAnotherOrigin asks as a page of another origin does: a preflight for headers that a fetch adds, then the stream.
func TestBrowserOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	const origin = "https://chats.contoso.example"
	h := start(t, func(c *server.Config) { c.CORSOrigins = []string{origin} })
	for _, header := range []string{"authorization", "last-event-id", "parley-tenant", "parley-reason", "x-request-id", "grpc-timeout"} {
		resp := h.send(t, t.Context(), http.MethodOptions, streamPath, "Origin", origin,
			"Access-Control-Request-Method", http.MethodGet, "Access-Control-Request-Headers", header)
		allowed := strings.ToLower(resp.Header.Get("Access-Control-Allow-Headers"))
		if resp.StatusCode != http.StatusNoContent || !strings.Contains(allowed, header) || resp.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("preflight for %s: %d %v", header, resp.StatusCode, resp.Header)
		}
	}
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emit(summaryFrame("end"))
	}
	for _, accept := range []string{ndjson, sse} {
		resp := h.get(t, streamPath, "Accept", accept, "Origin", origin)
		if text := body(t, resp); !strings.Contains(text, `"summary"`) || resp.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s: %s %v", accept, text, resp.Header)
		}
	}
	// A page reads the wait of a refused call, and the error.
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error { return throttled() }
	resp := h.get(t, streamPath, "Origin", origin)
	if e := parseError(t, body(t, resp)); e.reason() != "GRAPH_THROTTLED" || resp.Header.Get("Retry-After") != "2" ||
		!strings.Contains(resp.Header.Get("Access-Control-Expose-Headers"), "Retry-After") || resp.Header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("a refused call: %d %v", resp.StatusCode, resp.Header)
	}
	if other := h.get(t, streamPath, "Accept", sse, "Origin", "https://evil.example"); other.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("an unknown origin: %v", other.Header)
	}
}
