package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

func TestMethodsAndBodies(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "BREW"} {
		for path, allow := range map[string]string{
			"/v1/users": "GET, HEAD", "/v1/nothing": "GET, HEAD", "/v1/users/a%2Fb/events": "GET, HEAD", streamPath: "GET", "/v1/copilotUsage:download": "GET",
			"/v1/copilotUsage:summarize": "GET, HEAD", "/v1/copilotUsageTrends": "GET, HEAD",
			"/nothing": "GET, HEAD", "/healthz": "GET, HEAD",
		} {
			resp := h.send(t, t.Context(), method, path, "X-HTTP-Method-Override", "GET", "Content-Type", "application/x-www-form-urlencoded")
			text := body(t, resp)
			if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != allow {
				t.Errorf("%s %s: %d, Allow %q, want %q", method, path, resp.StatusCode, resp.Header.Get("Allow"), allow)
			}
			if e := parseError(t, text); e.reason() != "METHOD_NOT_ALLOWED" {
				t.Errorf("%s %s: %s", method, path, text)
			}
		}
	}
	override := h.get(t, "/v1/users", "X-HTTP-Method-Override", "DELETE")
	if override.StatusCode != http.StatusOK {
		t.Errorf("an override changed a GET: %d", override.StatusCode)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.base+"/v1/users", strings.NewReader(`{"page_size":1}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || e.fields()[0] != "body" {
		t.Errorf("a body: %d %+v", resp.StatusCode, e)
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	base := "/v1/" + anna + "/events?"
	for query, field := range map[string]string{
		"pagesize=1":                        "pagesize",
		"parent=users/x":                    "parent",
		"start_time.seconds=5":              "start_time.seconds",
		"page_size=1&pageSize=2":            "page_size",
		"page_size=1&page_size=2":           "page_size",
		"page_size=many":                    "page_size",
		"page_size=":                        "page_size",
		"page_size=99999999999":             "page_size",
		"sources=CHAT":                      "sources",
		"sources=":                          "sources",
		"startTime=yesterday":               "startTime",
		"startTime=2026-11-02T12:00:00+1":   "startTime",
		"endTime=2026-11-02":                "endTime",
		"endTime=9999-12-31T23:59:59-23:00": "endTime",
		"a;b":                               "query",
		"filter=%zz":                        "query",
		"%ff%00=1":                          "?",
		"=1":                                "query",
		strings.Repeat("x", 500) + "=1":     strings.Repeat("x", 64),
	} {
		resp := h.get(t, base+query)
		text := body(t, resp)
		e := parseError(t, text)
		if resp.StatusCode != http.StatusBadRequest || e.reason() != "INVALID_ARGUMENT" || len(e.fields()) != 1 || !strings.HasPrefix(e.fields()[0], field) {
			t.Errorf("%s: %d %s", query, resp.StatusCode, text)
		}
	}
	for _, path := range []string{streamPath + "?pageSize=1", "/v1/copilotUsage:download?period=D7&pageSize=1"} {
		if resp := h.get(t, path); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if requests, _, _ := h.take(); len(requests) != 0 {
		t.Errorf("the engine was asked %v", requests)
	}
}

// TestSpoofedHeadersAreIgnored sends headers that gateways have been fooled with; none may arrive as a fact.
func TestSpoofedHeadersAreIgnored(t *testing.T) {
	t.Parallel()
	seen := make(chan metadata.MD, 1)
	h := start(t, nil)
	h.listEvents = func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
		return &parleyv1.ListEventsResponse{}, nil
	}
	resp := h.get(t, "/v1/"+anna+"/events", "Grpc-Metadata-Parley-Tenant", "other", "Grpc-Metadata-Authorization", "Bearer x",
		"X-Forwarded-For", "10.9.9.9", "X-Forwarded-Host", "evil.example", "Cookie", "a=b", "Parley-Reason", "audit 7",
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Authorization", "Bearer y", "X-Request-Id", "mine", "X-User", "root", "Foo-Bin", "eA==")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, body(t, resp))
	}
	got := <-seen
	want := map[string]string{
		"authorization": "Bearer y", "parley-reason": "audit 7", "x-request-id": "mine",
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	own := map[string]bool{":authority": true, "content-type": true, "user-agent": true, "grpc-accept-encoding": true}
	for key, values := range got {
		if own[key] {
			continue
		}
		if want[key] == "" || len(values) != 1 || values[0] != want[key] {
			t.Errorf("%s arrived as %q", key, values)
		}
	}
	for key := range want {
		if len(got[key]) == 0 {
			t.Errorf("%s did not arrive", key)
		}
	}
	if id := resp.Header.Get("X-Request-Id"); id != "mine" {
		t.Errorf("request id %q", id)
	}
	for _, id := range []string{"", "a b", strings.Repeat("x", 129), "<script>"} {
		resp := h.get(t, "/v1/users", "X-Request-Id", id)
		if got := resp.Header.Get("X-Request-Id"); got == id || len(got) < 20 {
			t.Errorf("request id %q answered with %q", id, got)
		}
	}
}

func TestOversizeHeadersAreErrors(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	resp := h.get(t, "/v1/users?pageToken="+strings.Repeat("x", 200_000))
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
	resp = h.get(t, "/v1/users", "Authorization", "Bearer "+strings.Repeat("x", 40_000))
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a long credential within the limit: %d %s", resp.StatusCode, body(t, resp))
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "parley-reason", strings.Repeat("x", 40_000))
	if _, err := parleyv1.NewUserServiceClient(h.conn).ListUsers(ctx, &parleyv1.ListUsersRequest{}); err == nil {
		t.Error("40 KB of metadata were accepted")
	}
	_, err := parleyv1.NewEventServiceClient(h.conn).ListEvents(t.Context(), &parleyv1.ListEventsRequest{Parent: strings.Repeat("x", 70_000)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request of 70 KB: %v", err)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.CallTime = 7 * time.Second })
	ends := make(chan time.Time, 1)
	h.listEvents = func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		deadline, _ := ctx.Deadline()
		ends <- deadline
		return &parleyv1.ListEventsResponse{}, nil
	}
	path := "/v1/" + anna + "/events"
	for timeout, most := range map[string]time.Duration{"": 7 * time.Second, "3S": 3 * time.Second, "1H": 2 * time.Minute, "99999999H": 2 * time.Minute} {
		var headers []string
		if timeout != "" {
			headers = []string{"Grpc-Timeout", timeout}
		}
		begin := time.Now()
		h.get(t, path, headers...)
		if got := <-ends; got.Before(begin.Add(most)) || got.After(time.Now().Add(most)) {
			t.Errorf("timeout %q: the call ends %v after it was sent", timeout, got.Sub(begin))
		}
	}
}

// TestNothingPrivateIsLogged plants words in every input and looks for them in the log.
func TestNothingPrivateIsLogged(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	const planted = "xyzzy-planted"
	h.getEvent = func(string, string, source.Ref) (*parleyv1.Event, error) {
		panic(planted)
	}
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error {
		return fmt.Errorf("unknown failure about %s", planted)
	}
	user := "/v1/users/" + planted
	for _, path := range []string{
		user + "/events?filter=" + planted + "&pageToken=" + planted,
		user + "/events/call," + planted,
		user + "/events:stream?resumeToken=" + planted,
		user + "/conversations/" + planted,
		"/v1/users/" + planted + "@contoso.example/events",
		user + "/events?" + planted + "=1",
		"/" + planted,
	} {
		h.get(t, path, "Authorization", "Bearer "+planted, "Parley-Reason", planted)
	}
	resp := h.get(t, user+"/events/call,1")
	if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusInternalServerError || e.reason() != "INTERNAL" {
		t.Errorf("a panic: %d %+v", resp.StatusCode, e)
	}
	text := h.log.String()
	if strings.Contains(text, planted) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, planted) {
				t.Errorf("logged: %s", line)
			}
		}
	}
	if !strings.Contains(text, `"msg":"panic"`) || !strings.Contains(text, `"msg":"call"`) || !strings.Contains(text, `"msg":"internal failure"`) {
		t.Errorf("the log lacks its lines: %s", text)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.MaxCalls = 1 })
	entered, leave := make(chan struct{}), make(chan struct{})
	h.listEvents = func(context.Context) (*parleyv1.ListEventsResponse, error) {
		close(entered)
		<-leave
		return &parleyv1.ListEventsResponse{}, nil
	}
	done := make(chan error, 1)
	go func() {
		_, err := parleyv1.NewEventServiceClient(h.conn).ListEvents(context.Background(), &parleyv1.ListEventsRequest{Parent: anna})
		done <- err
	}()
	<-entered
	resp := h.get(t, "/v1/users")
	if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusServiceUnavailable || e.reason() != "OVERLOADED" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("one too many: %d %+v", resp.StatusCode, e)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The gateway learns that the last byte is out a moment after the client has it.
	until(t, "no call is served after it", func() bool {
		resp := h.get(t, "/v1/users")
		body(t, resp)
		return resp.StatusCode == http.StatusOK
	})
}

// scarce is a memory that is short of what it says.
type scarce struct{ streams, calls, shedding atomic.Bool }

func (s *scarce) RefusesStreams() bool { return s.streams.Load() }
func (s *scarce) RefusesCalls() bool   { return s.calls.Load() }
func (s *scarce) Shedding() bool       { return s.shedding.Load() }

// TestMemoryRefusesNewWork: memory is short. Streams are refused before calls, probes never, and they tell.
func TestMemoryRefusesNewWork(t *testing.T) {
	t.Parallel()
	memory := &scarce{}
	gauges, err := metrics.New("test", "")
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, func(c *server.Config) { c.Memory, c.Metrics = memory, gauges })
	refused := func(path string) bool {
		resp := h.get(t, path)
		text := body(t, resp)
		if resp.StatusCode == http.StatusOK {
			return false
		}
		if e := parseError(t, text); resp.StatusCode != http.StatusServiceUnavailable || e.reason() != "OVERLOADED" || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %+v", path, resp.StatusCode, e)
		}
		return true
	}
	for _, c := range []struct{ shedding, streams, calls bool }{
		{}, {shedding: true}, {shedding: true, streams: true}, {true, true, true}, {},
	} {
		memory.shedding.Store(c.shedding)
		memory.streams.Store(c.streams)
		memory.calls.Store(c.calls)
		if s, r := refused("/v1/users/a/conversations:stream"), refused("/v1/users"); s != c.streams || r != c.calls {
			t.Errorf("%+v: streams refused %t, calls %t", c, s, r)
		}
		resp := h.get(t, "/readyz")
		if text := body(t, resp); resp.StatusCode != http.StatusOK || strings.Contains(text, `"shedding":true`) != c.shedding {
			t.Errorf("%+v: /readyz is %d %s", c, resp.StatusCode, text)
		}
		if resp := h.get(t, "/healthz"); resp.StatusCode != http.StatusOK {
			t.Errorf("%+v: /healthz is %d", c, resp.StatusCode)
		}
	}
	scraped := httptest.NewRecorder()
	gauges.Handler().ServeHTTP(scraped, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	if text := scraped.Body.String(); !strings.Contains(text, `parley_shed_total{cause="memory"} 3`) {
		t.Error("refusals for want of memory are not counted")
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) {
		other := *c.Tenants["contoso"]
		other.ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee02"
		other.Unavailable = map[parleyv1.Source]parleyv1.SourceState{parleyv1.Source_SOURCE_USAGE: parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD}
		c.Tenants["fabrikam"] = &other
	})
	for _, headers := range [][]string{nil, {"Parley-Tenant", "nobody"}} {
		resp := h.get(t, "/v1/users", headers...)
		if e := parseError(t, body(t, resp)); resp.StatusCode != http.StatusBadRequest || e.reason() != "TENANT_REQUIRED" {
			t.Errorf("%v: %d %+v", headers, resp.StatusCode, e)
		}
	}
	resp := h.get(t, "/v1/users", "Parley-Tenant", "fabrikam")
	requests, _, _ := h.take()
	if resp.StatusCode != http.StatusOK || len(requests) != 1 || requests[0] != (query.Users{Caller: "anonymous", Tenant: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeee02"}) {
		t.Errorf("%d %v", resp.StatusCode, requests)
	}
	for _, path := range []string{"/v1/copilotUsage?period=D7", "/v1/copilotUsage:stream?period=D7", "/v1/copilotUsage:download?period=D7"} {
		resp = h.get(t, path, "Parley-Tenant", "fabrikam")
		if e := parseError(t, body(t, resp)); e.reason() != "SOURCE_NOT_IN_CLOUD" {
			t.Errorf("%s: %+v", path, e)
		}
	}
}

// TestARequestWithTwoLengthsIsAnError sends a request whose body two parties would read differently.
func TestARequestWithTwoLengthsIsAnError(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.server.HTTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(bearable)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 4") {
		t.Errorf("two lengths of one body: %q %v", buf[:n], err)
	}
}
