package server_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcgzip "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/source"
)

// answerWith makes the List answer of an event with a text, and of whatever changes it.
func answerWith(text string, change func(*parleyv1.ListEventsResponse)) func(context.Context) (*parleyv1.ListEventsResponse, error) {
	return func(context.Context) (*parleyv1.ListEventsResponse, error) {
		answer := &parleyv1.ListEventsResponse{
			Events: []*parleyv1.Event{{Name: "users/u/events/a", Body: &parleyv1.Body{Content: text}}}, Complete: true,
			Sources: []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ}},
		}
		if change != nil {
			change(answer)
		}
		return answer, nil
	}
}

// TestAnEntityTagChangesWithItsAnswer: what makes an answer another one, and what does not.
func TestAnEntityTagChangesWithItsAnswer(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	path := "/v1/" + anna + "/events"
	tag := func(query string, change func(*parleyv1.ListEventsResponse)) string {
		t.Helper()
		h.lists(answerWith("x", change))
		resp := h.get(t, path+query)
		body(t, resp)
		got := resp.Header.Get("Etag")
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, `W/"`) || len(got) != 36 {
			t.Fatalf("%d, tag %q", resp.StatusCode, got)
		}
		return got
	}
	first := tag("", nil)
	for name, change := range map[string]func(*parleyv1.ListEventsResponse){
		"nothing": nil,
		"counts":  func(a *parleyv1.ListEventsResponse) { a.Sources[0].Counts = &parleyv1.SourceCounts{FromCache: 7} },
		"covered": func(a *parleyv1.ListEventsResponse) {
			a.Sources[0].Covered = &parleyv1.Interval{EndTime: timestamppb.Now()}
		},
		"settled":    func(a *parleyv1.ListEventsResponse) { a.Sources[0].SettledUntil = timestamppb.Now() },
		"request id": func(a *parleyv1.ListEventsResponse) { a.Sources[0].FailedRequestIds = []string{"r"} },
	} {
		if got := tag("", change); got != first {
			t.Errorf("%s: another tag", name)
		}
	}
	seen := map[string]string{first: "the first"}
	for name, change := range map[string]func(*parleyv1.ListEventsResponse){
		"text":      func(a *parleyv1.ListEventsResponse) { a.Events[0].Body.Content = "y" },
		"one more":  func(a *parleyv1.ListEventsResponse) { a.Events = append(a.Events, &parleyv1.Event{}) },
		"none":      func(a *parleyv1.ListEventsResponse) { a.Events = nil },
		"not whole": func(a *parleyv1.ListEventsResponse) { a.Complete = false },
		"more":      func(a *parleyv1.ListEventsResponse) { a.NextPageToken = "t1" },
		"before":    func(a *parleyv1.ListEventsResponse) { a.PreviousPageToken = "t1" },
		"state":     func(a *parleyv1.ListEventsResponse) { a.Sources[0].State = parleyv1.SourceState_SOURCE_STATE_THROTTLED },
		"gap":       func(a *parleyv1.ListEventsResponse) { a.Sources[0].Gaps = []*parleyv1.Gap{{Reason: "PAGING_LOOP"}} },
		"notice":    func(a *parleyv1.ListEventsResponse) { a.Notices = []*parleyv1.Notice{{Code: "A"}} },
	} {
		got := tag("", change)
		if seen[got] != "" {
			t.Errorf("%s has the tag of %s", name, seen[got])
		}
		seen[got] = name
	}
	if a, b := tag("", func(a *parleyv1.ListEventsResponse) { a.NextPageToken = "t1" }), tag("", func(a *parleyv1.ListEventsResponse) { a.NextPageToken = "t2" }); a != b {
		t.Error("tokens are sealed anew for each answer and make another tag")
	}
	if a, b := tag("", func(a *parleyv1.ListEventsResponse) { a.PreviousPageToken = "t1" }), tag("", func(a *parleyv1.ListEventsResponse) { a.PreviousPageToken = "t2" }); a != b {
		t.Error("tokens of the page before make another tag")
	}
	if tag("?view=EVENT_VIEW_METADATA", nil) == first {
		t.Error("two views have one tag")
	}
}

// TestAKnownTagIsNotModified asks again with the tag of an answer.
func TestAKnownTagIsNotModified(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	g.listEvents = answerWith("x", nil)
	owner := []string{"Authorization", "Bearer owner"}
	events, chat, single := "/v1/users/me/events", "/v1/users/me/conversations/"+chatID, "/v1/users/me/events/call,1"
	for _, path := range []string{events, chat, single, "/v1/users/me/conversations"} {
		first := g.get(t, path, owner...)
		text, tag := body(t, first), first.Header.Get("Etag")
		if first.StatusCode != http.StatusOK || tag == "" || text == "" {
			t.Fatalf("%s: %d, %q", path, first.StatusCode, tag)
		}
		g.records.take(t)
		for condition, want := range map[string]int{
			tag: 304, strings.TrimPrefix(tag, "W/"): 304, `"x", ` + tag: 304, "*": 304, `"x",W/"y" ,` + tag + ", ": 304,
			`"x"`: 200, "": 200, `W/"`: 200, tag[:len(tag)-1]: 200, "x": 200, strings.ToUpper(tag): 200,
		} {
			again := g.get(t, path, append(owner, "If-None-Match", condition)...)
			got := body(t, again)
			if again.StatusCode != want || (got == "") != (want == 304) {
				t.Errorf("%s, %q: %d with %d bytes, want %d", path, condition, again.StatusCode, len(got), want)
			}
			for _, name := range []string{"Etag", "Cache-Control", "Vary", "X-Content-Type-Options"} {
				if again.Header.Get(name) != first.Header.Get(name) {
					t.Errorf("%s: %s is %q, was %q", path, name, again.Header.Get(name), first.Header.Get(name))
				}
			}
			if again.Header.Get("X-Request-Id") == "" || want == 304 && again.Header.Get("Content-Type") != "" {
				t.Errorf("%s: headers %v", path, again.Header)
			}
			records := g.records.take(t)
			if len(records) != 2 || records[1].Outcome == nil || records[1].Outcome.Code != "OK" || want == 304 && records[1].Outcome.Events != 0 {
				t.Errorf("%s: records %+v", path, records)
			}
		}
	}
	if got := g.get(t, events, owner...).Header; got.Get("Cache-Control") != "private, no-cache" || !strings.Contains(got.Get("Vary"), "Authorization") {
		t.Errorf("headers %v", got)
	}
	// A tag opens nothing: who may not read does not learn that something is the same.
	tag := g.get(t, events, owner...).Header.Get("Etag")
	for caller, want := range map[string]int{"stranger": http.StatusForbidden, "forged": http.StatusUnauthorized} {
		resp := g.get(t, "/v1/users/"+annaID+"/events", "Authorization", "Bearer "+caller, "If-None-Match", tag)
		if resp.StatusCode != want || resp.Header.Get("Etag") != "" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", caller, resp.StatusCode, resp.Header)
		}
	}
}

// unzipped reads a gzip body to its end.
func unzipped(t *testing.T, resp *http.Response) string {
	t.Helper()
	reader, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCompressionOnRequest(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.OpenAPI = []byte(strings.Repeat(`{"openapi":"3.1.0"}`, 200)) })
	h.listEvents = answerWith(strings.Repeat("lorem ipsum ", 500), nil)
	h.getEvent = func(string, string, source.Ref) (*parleyv1.Event, error) {
		return &parleyv1.Event{Body: &parleyv1.Body{Content: strings.Repeat("dolor ", 500)}}, nil
	}
	list := "/v1/" + anna + "/events"
	for _, path := range []string{list, "/v1/" + anna + "/events/call,1", "/openapi.json"} {
		plain := h.get(t, path)
		want := body(t, plain)
		if plain.Header.Get("Content-Encoding") != "" || !strings.Contains(plain.Header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %v", path, plain.Header)
		}
		small := h.get(t, path, "Accept-Encoding", "br, gzip;q=0.5")
		if small.Header.Get("Content-Encoding") != "gzip" || small.Header.Get("Content-Type") != plain.Header.Get("Content-Type") ||
			small.Header.Get("Etag") != plain.Header.Get("Etag") || small.ContentLength >= int64(len(want))/2 {
			t.Errorf("%s: %d bytes, %v", path, small.ContentLength, small.Header)
		}
		if diff := cmp.Diff(want, unzipped(t, small)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	h.lists(nil)
	if tiny := h.get(t, list, "Accept-Encoding", "gzip"); tiny.Header.Get("Content-Encoding") != "" {
		t.Error("a few bytes were compressed")
	}
	if failed := h.get(t, list+"?pageSize=-1", "Accept-Encoding", "gzip"); failed.Header.Get("Content-Encoding") != "" || failed.Header.Get("Etag") != "" {
		t.Errorf("an error: %v", failed.Header)
	}
}

// TestCompressedStreamsFlushEachFrame reads each frame of a compressed stream before the next one is emitted.
func TestCompressedStreamsFlushEachFrame(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	next := h.stepwise()
	for _, accept := range []string{ndjson, sse} {
		resp := h.get(t, streamPath, "Accept-Encoding", "gzip", "Accept", accept)
		if resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Content-Type") != accept || resp.Header.Get("Vary") == "" {
			t.Fatalf("%v", resp.Header)
		}
		reader, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		buf, seen := make([]byte, 4096), ""
		for i := range 3 {
			for strings.Count(seen, `{"checkpoint"`) <= i {
				n, err := reader.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				seen += string(buf[:n])
			}
			next <- struct{}{}
		}
		rest, err := io.ReadAll(reader)
		if err != nil || !strings.Contains(string(rest), `{"summary"`) {
			t.Errorf("%v: the end is %q", err, rest)
		}
	}
}

// encodings notes how the answers to a client were compressed.
type encodings struct {
	stats.Handler

	mu   sync.Mutex
	seen []string
}

func (*encodings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*encodings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*encodings) HandleConn(context.Context, stats.ConnStats)                       {}

func (e *encodings) HandleRPC(_ context.Context, s stats.RPCStats) {
	if header, ok := s.(*stats.InHeader); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.seen = append(e.seen, header.Compression)
	}
}

// TestCompressionOverGRPC: a client that compresses gets compressed answers, others plain ones; the messages are the same.
func TestCompressionOverGRPC(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.listEvents = answerWith(strings.Repeat("lorem ipsum ", 500), nil)
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emitAll(emit, eventFrame("a", "b"), checkpointFrame("t1"), summaryFrame("end"))
	}
	notes := &encodings{}
	conn, err := grpc.NewClient(h.server.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(notes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(grpcgzip.Name)}} {
		client := parleyv1.NewEventServiceClient(conn)
		answer, err := client.ListEvents(t.Context(), &parleyv1.ListEventsRequest{Parent: anna}, options...)
		if err != nil || len(answer.GetEvents()) != 1 || !answer.GetComplete() || len(answer.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%v %v", answer, err)
		}
		stream, err := client.StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: anna}, options...)
		if err != nil {
			t.Fatal(err)
		}
		frames := 0
		for err == nil {
			if _, err = stream.Recv(); err == nil {
				frames++
			}
		}
		if ended(err) != nil || frames != 3 {
			t.Errorf("%d frames, %v", frames, err)
		}
		if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}, options...); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"", "", "", "gzip", "gzip", "gzip"}, notes.seen); diff != "" {
		t.Errorf("encodings (-want +got):\n%s", diff)
	}
}

// TestKeptBytesAreOnlyRead streams the same bytes to many readers at once, over both protocols.
func TestKeptBytesAreOnlyRead(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	events := make([]*parleyv1.Event, 200)
	for i := range events {
		events[i] = &parleyv1.Event{Uid: strconv.Itoa(i), Body: &parleyv1.Body{Content: strings.Repeat("x", 1000)}}
	}
	page, err := pageOf(&parleyv1.ListEventsResponse{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		for range 4 {
			batch := &parleyv1.EventBatch{}
			batch.ProtoReflect().SetUnknown(page.Events)
			if err := emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}}); err != nil {
				return err
			}
		}
		return emit(summaryFrame("end"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: anna})
			for err == nil {
				var frame *parleyv1.StreamEventsResponse
				if frame, err = stream.Recv(); err == nil && frame.GetBatch() != nil && (len(frame.GetBatch().GetEvents()) != 200 || frame.GetBatch().GetEvents()[199].GetUid() != "199") {
					t.Error("a batch came damaged")
				}
			}
			if ended(err) != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+streamPath, http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := h.web.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err != nil || strings.Count(string(text), `"uid":"199"`) != 4 || !strings.Contains(string(text), `"summary"`) {
				t.Errorf("%d bytes, %v", len(text), err)
			}
		})
	}
	group.Wait()
}
