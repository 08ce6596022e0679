package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/timeline"
)

// cached is a cache in numbers.
type cached struct{}

func (cached) Bytes() int64     { return 1 }
func (cached) Limit() int64     { return 2 }
func (cached) Entries() int64   { return 3 }
func (cached) Evictions() int64 { return 4 }

// TestNamesOfMetrics: names are a promise. Every metric that the handbook names is there before the first call, with its
// labels, and Prometheus' own linter has nothing to say about any.
func TestNamesOfMetrics(t *testing.T) {
	t.Parallel()
	m, err := metrics.New("v1.2.3", "0123abc")
	if err != nil {
		t.Fatal(err)
	}
	end := func() time.Time { return time.Unix(1900000000, 0) }
	budgets := ratelimit.NewBudgets(ratelimit.DefaultLimits(), 1)
	observer := m.Graph("contoso")
	for _, err := range []error{
		m.Memory(cached{}, func() bool { return true }), m.ReadAhead(func() int64 { return 1 }, 2), m.TLSExpires(end), m.CredentialExpires("contoso", end),
		m.GraphLimits("contoso", budgets.State), m.Places(metrics.KindCall, func() int64 { return 5 }, 6), m.Places(metrics.KindStream, func() int64 { return 7 }, 8),
		m.ClockSkew("contoso", func() time.Duration { return time.Second }), m.PermissionSuspected("contoso", "copilot", func(string) bool { return false }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	lines := func() string {
		answer := httptest.NewRecorder()
		m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		return "\n" + answer.Body.String()
	}
	for _, want := range []string{
		`parley_build_info{go_version=`, `revision="0123abc",version="v1.2.3"} 1`,
		`parley_calls_in_flight{kind="call"} 5`, `parley_calls_limit{kind="call"} 6`, `parley_calls_in_flight{kind="stream"} 7`, `parley_calls_limit{kind="stream"} 8`,
		`parley_shed_total{cause="memory"} 0`, `parley_audit_failures_total 0`, `parley_reloads_total{result="failed",what="policy"} 0`,
		`parley_graph_requests_total{source="copilot",status="429",tenant="contoso"} 0`, `parley_graph_request_duration_seconds_count{source="usage",tenant="contoso"} 0`,
		`parley_graph_budget_used_ratio{limit="messages_resource",source="chat",tenant="contoso"} 0`,
		`parley_graph_queued_requests{priority="background",source="call",tenant="contoso"} 0`, `parley_graph_retry_after_seconds{source="users",tenant="contoso"} 0`,
		`parley_cache_bytes 1`, `parley_cache_limit_bytes 2`, `parley_cache_entries 3`, `parley_cache_evictions_total 4`, `parley_memory_shedding 1`,
		`parley_events_sent_total{source="retained_chat",transport="rest"} 0`, `parley_bytes_sent_total{transport="grpc"} 0`,
		`parley_credential_expiration_timestamp_seconds{tenant="contoso"} 1.9e+09`, `parley_tls_certificate_expiration_timestamp_seconds 1.9e+09`,
	} {
		if !strings.Contains(lines(), want) {
			t.Errorf("metrics lack %s before the first call", want)
		}
	}
	const list, stream = "/parley.v1.EventService/ListEvents", "/parley.v1.EventService/StreamEvents"
	m.Request(list, "OK", "", "contoso", "", time.Second)
	m.StreamBegins(stream)
	m.FirstFrame(stream, time.Millisecond)
	observer.GraphRequest(t.Context(), graph.APIChat, http.StatusOK, time.Second)
	observer.GraphRequest(t.Context(), graph.APIChat, 0, time.Second)
	observer.GraphWait(graph.APIChat, time.Second)
	observer.CredentialState(true)
	m.CacheRequest("chat", "hit")
	m.StreamIncomplete("chat", "PAGING_LOOP")
	m.Reload(metrics.FilesPolicy, true)
	sent := timeline.SourceCounts{}
	sent[parleyv1.Source_SOURCE_CHAT] = 9
	m.EventsSent(metrics.TransportREST, &sent)
	m.BytesSent(metrics.TransportGRPC)(10)
	open := lines()
	m.StreamEnds(stream, "OK", "", "contoso", "0af7651916cd43dd8448eb211c80319c", time.Second)
	text := lines()
	if !strings.Contains(open, "\n"+`parley_streams_open{rpc="StreamEvents"} 1`) || !strings.Contains(text, "\n"+`parley_streams_open{rpc="StreamEvents"} 0`) {
		t.Error("an open stream does not show, or an ended one does")
	}
	for _, want := range []string{
		`parley_request_duration_seconds_count{rpc="ListEvents"} 1`, `parley_stream_duration_seconds_count{rpc="StreamEvents"} 1`,
		`parley_stream_first_frame_seconds_count{rpc="StreamEvents"} 1`, `parley_requests_total{code="OK",reason="",rpc="StreamEvents",tenant="contoso"} 1`,
		`parley_graph_requests_total{source="chat",status="0",tenant="contoso"} 1`, `parley_graph_request_duration_seconds_count{source="chat",tenant="contoso"} 1`,
		`parley_events_sent_total{source="chat",transport="rest"} 9`, `parley_bytes_sent_total{transport="grpc"} 10`,
		`parley_reload_last_success_timestamp_seconds{what="policy"} 1`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if strings.Contains(text, `parley_request_duration_seconds_count{rpc="StreamEvents"}`) {
		t.Error("a stream counts as a call")
	}
	problems, err := promlint.New(strings.NewReader(text[1:])).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "parley_") {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
	}
}
