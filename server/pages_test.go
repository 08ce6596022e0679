package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/timeline/failure"
)

func TestPagesForBrowsersAreServed(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	for path, want := range map[string]struct{ kind, part string }{
		"/openapi.json":   {"application/json", "3.1.0"},
		"/docs":           {"text/html; charset=utf-8", h.server.GRPCAddr()},
		"/docs/":          {"text/html; charset=utf-8", "First calls"},
		"/docs/app.js":    {"text/javascript; charset=utf-8", "/openapi.json"},
		"/docs/style.css": {"text/css; charset=utf-8", "--accent"},
	} {
		resp := h.get(t, path)
		text := body(t, resp)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != want.kind || !strings.Contains(text, want.part) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		for _, outside := range []string{"src=\"http", "href=\"http", "url(http", "@import"} {
			if strings.Contains(text, outside) {
				t.Errorf("%s needs the internet: %s", path, outside)
			}
		}
	}
	if resp := h.get(t, "/"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/docs" {
		t.Errorf("/: %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	// Not built into this server.
	if resp := h.get(t, "/descriptor.binpb"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/descriptor.binpb: %d", resp.StatusCode)
	}
	if resp := h.get(t, "/docs/../config.go"); resp.StatusCode == http.StatusOK {
		t.Error("a path left the site")
	}
}

// TestTheExplorerLoadsItsOwnFilesAlone checks that the explorer is served only where its files are given, and that it can load and run nothing but them.
func TestTheExplorerLoadsItsOwnFilesAlone(t *testing.T) {
	t.Parallel()
	site := fstest.MapFS{"index.html": {Data: []byte("<p>explorer</p>")}, "explorer.js": {Data: []byte("1;")}}
	without, with := start(t, nil), start(t, func(cfg *server.Config) { cfg.Explorer = site })
	for path, want := range map[string]string{"/explorer": "<p>explorer</p>", "/explorer/": "<p>explorer</p>", "/explorer/explorer.js": "1;"} {
		if resp := without.get(t, path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is there without being asked for: %d", path, resp.StatusCode)
		}
		resp := with.get(t, path)
		if text := body(t, resp); resp.StatusCode != http.StatusOK || text != want {
			t.Errorf("%s: %d %q", path, resp.StatusCode, text)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		for _, rule := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, rule) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, rule)
			}
		}
	}
	if resp := with.get(t, "/explorer/nothing.js"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("/explorer/nothing.js: %d", resp.StatusCode)
	}
	link := `<a href="/explorer">`
	if strings.Contains(body(t, without.get(t, "/docs")), link) || !strings.Contains(body(t, with.get(t, "/docs")), link) {
		t.Error("/docs does not link to the explorer where it is served, and only there")
	}
}

// TestTheDocsPageKeepsATokenNowhere checks that the page takes an access token where callers need one, and that its script keeps it nowhere.
func TestTheDocsPageKeepsATokenNowhere(t *testing.T) {
	t.Parallel()
	const field = `<input id="token" type="text"`
	if text := body(t, start(t, nil).get(t, "/docs")); strings.Contains(text, field) {
		t.Error("a gateway that asks nobody asks for a token")
	}
	g := startGuarded(t, nil)
	page := body(t, g.get(t, "/docs"))
	_, rest, found := strings.Cut(page, field)
	input, _, _ := strings.Cut(rest, ">")
	if !found || !strings.Contains(input, `autocomplete="off"`) || strings.Contains(input, "name=") {
		t.Errorf("the field is %q", input)
	}
	script := body(t, g.get(t, "/docs/try.js"))
	if !strings.Contains(script, `headers: authorization(), credentials: "omit"`) || !strings.Contains(script, `Authorization: "Bearer " + token`) {
		t.Error("calls of the page carry no token")
	}
	for _, place := range []string{"localStorage", "sessionStorage", "indexedDB", "cookie", "caches.", "history.", "console.", "innerHTML", "eval("} {
		for _, name := range []string{"app", "dom", "json", "search", "try"} {
			if strings.Contains(body(t, g.get(t, "/docs/"+name+".js")), place) {
				t.Errorf("%s.js uses %s", name, place)
			}
		}
	}
}

func TestHealthAndReflection(t *testing.T) {
	t.Parallel()
	h := start(t, func(c *server.Config) { c.Reflection = true })
	for _, service := range []string{"", "parley.v1.EventService", "parley.v1.UserService"} {
		answer, err := grpc_health_v1.NewHealthClient(h.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v %v", service, answer, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(h.conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	listed := make([]string, 0, len(answer.GetListServicesResponse().GetService()))
	for _, s := range answer.GetListServicesResponse().GetService() {
		listed = append(listed, s.GetName())
	}
	for _, want := range []string{"parley.v1.ConversationService", "parley.v1.CopilotUsageService", "parley.v1.EventService", "parley.v1.UserService", "grpc.health.v1.Health"} {
		if !strings.Contains(strings.Join(listed, " "), want) {
			t.Errorf("%s is not among %v", want, listed)
		}
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	h := start(t, nil)
	h.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{
			Sources: []*parleyv1.SourceReport{{
				Source: parleyv1.Source_SOURCE_CHAT, State: parleyv1.SourceState_SOURCE_STATE_READ, Gaps: []*parleyv1.Gap{{Reason: "PAGING_LOOP"}, {Reason: "PAGING_LOOP"}},
			}},
		}}})
	}
	h.get(t, "/v1/users")
	h.get(t, "/v1/users/me/events")
	body(t, h.get(t, streamPath))
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error {
		return &failure.Error{
			Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, Source: parleyv1.Source_SOURCE_CHAT,
			Others: []*failure.Error{{Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, Source: parleyv1.Source_SOURCE_CALL}},
		}
	}
	body(t, h.get(t, streamPath))
	h.streamEvents = func(context.Context, func(*parleyv1.StreamEventsResponse) error) error {
		return failure.Invalid("end_time", "must lie after start_time")
	}
	body(t, h.get(t, streamPath))
	h.base = "http://" + h.server.AdminAddr()
	text := body(t, h.get(t, "/metrics"))
	for _, want := range []string{
		`parley_requests_total{code="OK",reason="",rpc="ListUsers",tenant="contoso"} 1`,
		`parley_requests_total{code="InvalidArgument",reason="INVALID_ARGUMENT",rpc="ListEvents",tenant="contoso"} 1`,
		`parley_request_duration_seconds_count{rpc="ListUsers"} 1`,
		`parley_streams_incomplete_total{reason="PAGING_LOOP",source="chat"} 1`,
		`parley_streams_incomplete_total{reason="GRAPH_THROTTLED",source="chat"} 1`,
		`parley_streams_incomplete_total{reason="GRAPH_PERMISSION_MISSING",source="call"} 1`,
		`parley_streams_incomplete_total{reason="INVALID_ARGUMENT",source="all"} 1`,
		`parley_audit_failures_total 0`,
		`parley_build_info{`,
		`version="test"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if resp := h.get(t, "/debug/pprof/"); resp.StatusCode != http.StatusOK {
		t.Errorf("pprof: %d", resp.StatusCode)
	}
	conn, err := grpc.NewClient(h.server.AdminAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	servers, err := grpc_channelz_v1.NewChannelzClient(conn).GetServers(t.Context(), &grpc_channelz_v1.GetServersRequest{})
	if err != nil || len(servers.GetServer()) == 0 {
		t.Errorf("channelz: %v %v", servers, err)
	}
}
