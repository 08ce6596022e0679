package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/metadata"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// TestOneCallIsFollowed: from the caller's trace to each request to Graph. A call over each transport has a span below the
// caller's, its windows are below it, and the requests to Graph below these. No span, attribute or exemplar holds a user, a name, a filter
// or a secret.
func TestOneCallIsFollowed(t *testing.T) {
	receiver, provider := traceTo(t, "grpc")
	sim := simulated(t, graphsim.Config{Users: 10, Messages: 200, Seed: 1})
	running := startedTraced(t, settingsFor(t, sim.URL(), sim.CACertPEM()), provider)

	const (
		rest, overGRPC = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
		caller, filter = "b7ad6b7169203331", `actor.user.id = "abcdef01-2222-4333-8444-5555555555ff"`
	)
	user, start := sim.DemoUser(), time.Now().UTC().AddDate(0, 0, -20).Truncate(time.Hour)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-"+overGRPC+"-"+caller+"-01")
	if _, err := parleyv1.NewEventServiceClient(dialGRPC(t, running.Addrs().GRPC)).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: "users/" + user.ID, Filter: filter}); err != nil {
		t.Fatal(err)
	}
	ask := func(address string, headers ...string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		return answered(t, request)
	}
	path := "http://" + running.Addrs().HTTP + "/v1/users/" + url.PathEscape(user.UPN) + "/events:stream?startTime=" + start.Format(time.RFC3339) + "&filter=" + url.QueryEscape(filter)
	ask(path, "Traceparent", "00-"+rest+"-"+caller+"-01")
	exposed := ask("http://"+running.Addrs().Admin+"/metrics", "Accept", "application/openmetrics-text; version=1.0.0")
	if err := provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}

	for trace, rpc := range map[string]string{rest: "parley.v1.EventService/StreamEvents", overGRPC: "parley.v1.EventService/ListEvents"} {
		spans := receiver.of(trace)
		var calls, windows, requests int
		for _, span := range spans {
			switch span.GetName() {
			case rpc:
				calls++
				if parent := hex.EncodeToString(span.GetParentSpanId()); parent != caller || span.GetKind() != otlp.Span_SPAN_KIND_SERVER {
					t.Errorf("%s: the call is a %s below %s", rpc, span.GetKind(), parent)
				}
			case "window":
				windows++
			case "graph":
				requests++
				if span.GetKind() != otlp.Span_SPAN_KIND_CLIENT || !strings.HasPrefix(attribute(span, "url.template"), "/v1.0/") || attribute(span, "parley.graph_request_id") == "" {
					t.Errorf("%s: a request is a %s of %v", rpc, span.GetKind(), span.GetAttributes())
				}
				above := span
				for above != nil && above.GetName() != rpc {
					above = spans[hex.EncodeToString(above.GetParentSpanId())]
				}
				if above == nil {
					t.Errorf("%s: a request to Graph does not lead to its call", rpc)
				}
			}
		}
		if calls != 1 || windows == 0 || requests == 0 {
			t.Errorf("%s: %d calls, %d windows and %d requests to Graph in %d spans", rpc, calls, windows, requests, len(spans))
		}
	}
	if !strings.Contains(exposed, `trace_id="`+overGRPC+`"`) || !strings.Contains(exposed, `trace_id="`+rest+`"`) {
		t.Error("no exemplar leads from the metrics to the calls")
	}
	if !regexp.MustCompile(`(?m)^parley_graph_request_duration_seconds_bucket\{.* # \{trace_id="(` + rest + `|` + overGRPC + `)"\}`).MatchString(exposed) {
		t.Error("no exemplar leads from the times of Graph to a call")
	}
	received := receiver.text.String() + exposed
	for _, secret := range []string{user.ID, user.UPN, url.PathEscape(user.UPN), user.Name, "abcdef01-2222", graphsim.DemoClientSecret, "Bearer", "$filter", "thread.v2"} {
		if strings.Contains(strings.ToLower(received), strings.ToLower(secret)) {
			t.Errorf("spans or exemplars hold %q", secret)
		}
	}
}

// answered sends a request and returns the body of its answer, which must be 200.
func answered(t *testing.T, request *http.Request) string {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %v %.300s", answer.StatusCode, err, text)
	}
	return string(text)
}
