package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
)

const (
	streamPath = "/v1/users/" + annaID + "/events:stream"
	ndjson     = "application/x-ndjson"
	sse        = "text/event-stream"
)

func TestStreamLines(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emitAll(emit, eventFrame("a"), checkpointFrame("t1"), summaryFrame("t2"))
	}
	resp := h.get(t, streamPath, "X-Request-Id", "abc-1")
	want := `{"batch":{"events":[{"name":"users/u/events/a"}]}}
{"checkpoint":{"resumeToken":"t1","sources":[]}}
{"summary":{"complete":true,"notices":[],"sources":[],"resumeToken":"t2"}}
`
	if diff := cmp.Diff(want, body(t, resp)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Content-Type": ndjson, "X-Accel-Buffering": "no", "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Request-Id": "abc-1",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestStreamEventsOfServer(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.finished = "t2"
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emitAll(emit, eventFrame("a"), checkpointFrame("t1"), summaryFrame("t2"))
	}
	resp := h.get(t, streamPath+"?resumeToken=old", "Accept", "text/html, "+sse+";q=0.9", "Last-Event-ID", "t0")
	want := "retry: 3000\n\n" +
		"event: batch\ndata: {\"batch\":{\"events\":[{\"name\":\"users/u/events/a\"}]}}\n\n" +
		"event: checkpoint\nid: t1\ndata: {\"checkpoint\":{\"resumeToken\":\"t1\",\"sources\":[]}}\n\n" +
		"event: summary\nid: t2\ndata: {\"summary\":{\"complete\":true,\"notices\":[],\"sources\":[],\"resumeToken\":\"t2\"}}\n\n"
	if diff := cmp.Diff(want, body(t, resp)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got := resp.Header.Get("Content-Type"); got != sse {
		t.Errorf("content type %q", got)
	}
	if _, tokens, _ := h.take(); len(tokens) != 1 || tokens[0] != "t0" {
		t.Errorf("went on from %q, want the last event's id", tokens)
	}

	again := h.get(t, streamPath, "Accept", sse, "Last-Event-ID", "t2")
	if text := body(t, again); again.StatusCode != http.StatusNoContent || text != "" {
		t.Errorf("a reconnect after the end: %d %q", again.StatusCode, text)
	}
	if _, tokens, _ := h.take(); len(tokens) != 1 || tokens[0] != "t2" {
		t.Errorf("a reconnect after the end was not held against its token: %q", tokens)
	}

	// The same token in a request of one's own delivers what has come since.
	later := h.get(t, streamPath+"?resumeToken=t2")
	if text := body(t, later); !strings.Contains(text, `"summary"`) {
		t.Errorf("a later call: %d %s", later.StatusCode, text)
	}
	if _, tokens, _ := h.take(); len(tokens) != 1 || tokens[0] != "t2" {
		t.Errorf("a later call went on from %q", tokens)
	}
}

// throttled is a failure of Graph whose text must not travel.
func throttled() error {
	return &graph.Error{Kind: graph.KindThrottled, Status: 429, Code: "TooManyRequests", RequestID: "req-9", RetryAfter: 1500 * time.Millisecond}
}

func TestStreamFailsEarly(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error {
		return &failure.Error{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Source: parleyv1.Source_SOURCE_CHAT, Err: throttled()}
	}
	for _, accept := range []string{ndjson, sse} {
		resp := h.get(t, streamPath, "Accept", accept)
		e := parseError(t, body(t, resp))
		if resp.StatusCode != http.StatusTooManyRequests || e.reason() != "GRAPH_THROTTLED" {
			t.Errorf("%s: status %d, reason %s", accept, resp.StatusCode, e.reason())
		}
		if got := resp.Header.Get("Retry-After"); got != "2" {
			t.Errorf("%s: Retry-After %q", accept, got)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("%s: content type %q", accept, got)
		}
		if e.meta("graph_status") != "429" || e.meta("graph_request_id") != "req-9" || e.meta("graph_code") != "TooManyRequests" {
			t.Errorf("%s: metadata %+v", accept, e.Details)
		}
	}
	resp := h.get(t, streamPath+"?sources=SOURCE_NONE")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("bad parameter: status %d", resp.StatusCode)
	}
}

func TestStreamFailsLate(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emitAll(emit, eventFrame("a"), checkpointFrame("t1"), eventFrame("b")); err != nil {
			return err
		}
		return &failure.StreamError{Err: throttled(), ResumeToken: "t1"}
	}
	resp := h.get(t, streamPath)
	lines := strings.Split(strings.TrimSpace(body(t, resp)), "\n")
	if resp.StatusCode != http.StatusOK || len(lines) != 4 {
		t.Fatalf("status %d, lines %q", resp.StatusCode, lines)
	}
	last := strings.TrimSuffix(strings.TrimPrefix(lines[3], `{"error":`), "}")
	if e := parseError(t, last); e.reason() != "GRAPH_THROTTLED" || e.meta("resume_token") != "t1" {
		t.Errorf("last line %s", lines[3])
	}
	events := body(t, h.get(t, streamPath, "Accept", sse))
	if !strings.Contains(events, "\n\nevent: failure\ndata: {\"error\":{\"code\":8,") || !strings.HasSuffix(events, "}\n\n") {
		t.Errorf("events end with %s", events)
	}
}

// stepwise makes streams of three checkpoints, each but the first after a value on the channel, and a summary after one more.
func (f *fake) stepwise() chan<- struct{} {
	next := make(chan struct{})
	f.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		for range 3 {
			if err := emit(checkpointFrame("t")); err != nil {
				return err
			}
			select {
			case <-next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return emit(summaryFrame("end"))
	}
	return next
}

// TestStreamsFlushEachFrame reads each frame before the next one is emitted.
func TestStreamsFlushEachFrame(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	next := h.stepwise()
	resp := h.get(t, streamPath)
	lines := bufio.NewScanner(resp.Body)
	for range 3 {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"checkpoint"`) {
			t.Fatalf("line %q, %v", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), `{"summary"`) {
		t.Errorf("line %q", lines.Text())
	}
}

// TestClientThatLeavesEarly leaves a stream that has sent nothing yet, over REST in both forms: its reading ends, and the server can close.
func TestClientThatLeavesEarly(t *testing.T) {
	t.Parallel()
	for _, form := range []string{ndjson, sse} {
		h := start(t, nil)
		reading, ended := make(chan struct{}), make(chan struct{})
		h.streamEvents = func(ctx context.Context, _ func(*parleyv1.StreamEventsResponse) error) error {
			close(reading)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		}
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+streamPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", form)
		left := make(chan error, 1)
		go func() {
			resp, err := h.web.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			left <- err
		}()
		<-reading
		leave()
		<-ended
		if err := <-left; err == nil {
			t.Error("there was an answer")
		}
	}
}

func TestClientThatLeavesStopsReading(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	stopped := make(chan error, 1)
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emit(checkpointFrame("t")); err != nil {
			return err
		}
		if source.PriorityOf(ctx) != source.Background {
			stopped <- errors.New("a stream is not in the background")
		}
		<-ctx.Done()
		stopped <- nil
		return ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	resp := h.send(t, ctx, http.MethodGet, streamPath)
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	select {
	case err := <-stopped:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(bearable):
		t.Fatal("reading went on without a reader")
	}
}

func TestStreamDeadline(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emitAll(emit, eventFrame("a"), checkpointFrame("t1")); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	// The deadline is to pass behind the first frames: on a slow machine a short one passes before them, and the next is longer.
	var line string
	for wait := 100; line == ""; wait *= 2 {
		resp := h.get(t, streamPath, "Grpc-Timeout", strconv.Itoa(wait)+"m")
		text := body(t, resp)
		_, cut, found := strings.Cut(text, `{"error":`)
		if line = cut; !found && (resp.StatusCode != http.StatusGatewayTimeout || wait > 60_000) {
			t.Fatalf("no error line: %d %s", resp.StatusCode, text)
		}
	}
	if e := parseError(t, strings.TrimSuffix(line, "}\n")); e.reason() != "DEADLINE_EXCEEDED" || e.meta("resume_token") != "t1" {
		t.Errorf("error line %s", line)
	}
	resp := h.get(t, streamPath, "Grpc-Timeout", "soon")
	if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || len(e.fields()) != 1 || e.fields()[0] != "grpc-timeout" {
		t.Errorf("bad timeout: %d %+v", resp.StatusCode, e)
	}
}

// TestASlowReaderHoldsTheEngine holds a reader still and checks that the engine is held too.
func TestASlowReaderHoldsTheEngine(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	const frames, size = 4000, 16 << 10 // 64 MB, more than all buffers in between
	var sent int
	done := make(chan struct{})
	big := eventFrame(strings.Repeat("x", size))
	h.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		defer close(done)
		for range frames {
			if err := emitAll(emit, big, checkpointFrame("t")); err != nil {
				return err
			}
			sent++
		}
		return emit(summaryFrame("end"))
	}
	ctx, leave := context.WithCancel(t.Context())
	resp := h.send(t, ctx, http.MethodGet, streamPath)
	if _, err := io.CopyN(io.Discard, resp.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	leave()
	<-done
	if sent > frames/2 {
		t.Errorf("%d of %d frames were produced for a reader of 1 MB", sent, frames)
	}
}

// TestDownloadsByReport names the file by the report that is asked for, in every spelling of it.
func TestDownloadsByReport(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.download = func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("Report Refresh Date\n")), nil
	}
	for asked, want := range map[string]struct {
		file   string
		report source.UsageReport
	}{
		"": {"copilot-usage.csv", source.UsersReport}, "&report=USERS": {"copilot-usage.csv", source.UsersReport},
		"&report=SUMMARY": {"copilot-usage-summary.csv", source.SummaryReport}, "&report=2": {"copilot-usage-summary.csv", source.SummaryReport},
		"&report=COPILOT_USAGE_REPORT_TRENDS": {"copilot-usage-trends.csv", source.TrendsReport},
	} {
		resp := h.get(t, "/v1/copilotUsage:download?period=D90&version=v2"+asked)
		_ = body(t, resp)
		if got := resp.Header.Get("Content-Disposition"); resp.StatusCode != http.StatusOK || got != `attachment; filename="`+want.file+`"` {
			t.Errorf("%q: %d, content disposition %q", asked, resp.StatusCode, got)
		}
		h.mu.Lock()
		got := h.report
		h.mu.Unlock()
		if got != (source.UsageQuery{Report: want.report, Period: "D90", Version: "v2"}) {
			t.Errorf("%q: asked %+v", asked, got)
		}
	}
	resp := h.get(t, "/v1/copilotUsage:download?period=D90&report=DAYS")
	if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || e.fields()[0] != "report" {
		t.Errorf("a report that is none: %d %+v", resp.StatusCode, e)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	csv := "\ufeffReport Refresh Date,User\r\n" + strings.Repeat("2026-11-20,\"a\nb\"\r\n", 20_000)
	h.download = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(csv)), nil }
	resp := h.get(t, "/v1/copilotUsage:download?period=D7")
	if got := body(t, resp); got != csv {
		t.Errorf("%d bytes differ from the report's %d", len(got), len(csv))
	}
	if got := resp.Header.Get("Content-Type"); got != "text/csv" {
		t.Errorf("content type %q", got)
	}
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="copilot-usage.csv"` {
		t.Errorf("content disposition %q", got)
	}
	stream, err := parleyv1.NewCopilotUsageServiceClient(h.conn).DownloadCopilotUsage(t.Context(), &parleyv1.DownloadCopilotUsageRequest{Period: "D7"})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(chunk.GetData()) > 64<<10 {
			t.Errorf("a chunk of %d bytes", len(chunk.GetData()))
		}
		got.Write(chunk.GetData())
	}
	if got.String() != csv {
		t.Error("gRPC gives other bytes")
	}
	h.download = nil
	if empty := h.get(t, "/v1/copilotUsage:download?period=D7"); empty.StatusCode != http.StatusOK || body(t, empty) != "" {
		t.Error("an empty report is no error")
	}
}

func TestDownloadFails(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.download = func(context.Context) (io.ReadCloser, error) {
		return nil, &graph.Error{Kind: graph.KindForbidden, Status: 403, Roles: []string{"Reports.Read.All"}}
	}
	resp := h.get(t, "/v1/copilotUsage:download?period=D7")
	e := parseError(t, body(t, resp))
	if resp.StatusCode != http.StatusForbidden || e.reason() != "GRAPH_PERMISSION_MISSING" || e.meta("roles") != "Reports.Read.All" {
		t.Errorf("before the first byte: %d %+v", resp.StatusCode, e)
	}
	if resp.Header.Get("Content-Disposition") != "" {
		t.Error("an error is offered as a file")
	}
	h.download = func(context.Context) (io.ReadCloser, error) {
		cut := io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), errReader{&graph.Error{Kind: graph.KindUnavailable}})
		return io.NopCloser(cut), nil
	}
	resp = h.get(t, "/v1/copilotUsage:download?period=D7")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	if got, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a cut download of %d bytes ended as if it were whole", len(got))
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestGRPCStreamErrorCarriesToken(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		if err := emitAll(emit, eventFrame("a"), checkpointFrame("t1")); err != nil {
			return err
		}
		return throttled()
	}
	stream, err := parleyv1.NewEventServiceClient(h.conn).StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: anna})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || apierror.Info(st).GetMetadata()[apierror.MetaResumeToken] != "t1" || apierror.RetryDelay(st) != 1500*time.Millisecond {
		t.Errorf("error %v", st.Proto())
	}
}
