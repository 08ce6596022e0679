package server_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/audit"
)

func TestRecordsOfCalls(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	seen := make(chan int, 1)
	g.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		seen <- strings.Count(g.records.String(), `"intent"`)
		return emitAll(emit, eventFrame("1", "2"), checkpointFrame("t1"), eventFrame("3"), checkpointFrame("t2"), summaryFrame("t3"))
	}
	resp := g.get(t, "/v1/users/me/events:stream?startTime=2026-11-02T12:00:00Z&sources=SOURCE_CHAT&view=EVENT_VIEW_FULL",
		"Authorization", "Bearer owner", "X-Request-Id", "r-1", "Parley-Reason", "case 7")
	if text := body(t, resp); resp.StatusCode != http.StatusOK || strings.Count(text, "\n") != 5 {
		t.Fatalf("%d: %s", resp.StatusCode, text)
	}
	if <-seen != 1 {
		t.Error("the engine was asked before the intent was on record")
	}
	got := g.records.take(t)
	if len(got) != 2 {
		t.Fatalf("records %+v", got)
	}
	for i, record := range got {
		if record.Number != i+1 || record.RequestID != "r-1" || record.Rule != "own-data" || !strings.HasPrefix(record.Policy, "sha256:") ||
			record.RPC != "StreamEvents" || record.Protocol != "rest" || record.Tenant != "contoso" || record.Owner != annaID ||
			strings.Join(record.Sources, " ") != "chat" || record.Start != "2026-11-02T12:00:00Z" || record.View != "full" ||
			record.Reason != "case 7" || record.Caller.ID != "user:"+tenantID+"/"+annaID || record.Caller.Kind != "user" {
			t.Errorf("record %+v", record)
		}
	}
	out := got[1].Outcome
	if got[0].Outcome != nil || out == nil || out.Code != "OK" || out.Events != 3 || out.Complete == nil || !*out.Complete {
		t.Errorf("outcome %+v", out)
	}

	g.listEvents = func(context.Context) (*parleyv1.ListEventsResponse, error) { panic("secret of the panic") }
	expect(t, "a panic", g.list(t, "owner", "me"), codes.Internal, "INTERNAL")
	if got := g.records.take(t); len(got) != 2 || got[1].Outcome.Code != "INTERNAL" {
		t.Errorf("a panic: records %+v", got)
	}
	g.listEvents = nil
	expect(t, "a bad source", g.list(t, "officer", "-"), codes.OK, "")
	if got := g.records.take(t); len(got) != 2 || got[0].Owner != "-" || strings.Join(got[0].Sources, " ") != "call" {
		t.Errorf("the whole tenant: records %+v", got)
	}
	expect(t, "unresolved", g.list(t, "officer", boUPN), codes.OK, "")
	if got := g.records.take(t); len(got) != 2 || !strings.HasPrefix(got[0].Owner, "sha256:") {
		t.Errorf("a name that could not be resolved: records %+v", got)
	}
}

// TestABatchThatIsCutIsOnRecord: a caller over REST who leaves within a batch has events of it. The outcome counts the whole batch.
func TestABatchThatIsCutIsOnRecord(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	const events, size = 1000, 10_000 // more than the kernel holds for a connection
	batch := &parleyv1.EventBatch{}
	for range events {
		batch.Events = append(batch.Events, &parleyv1.Event{Name: "users/u/events/1", Body: &parleyv1.Body{Content: strings.Repeat("a", size)}})
	}
	g.streamEvents = func(_ context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
		return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	resp := g.send(t, ctx, http.MethodGet, "/v1/users/me/events:stream", "Authorization", "Bearer owner")
	if _, err := io.CopyN(io.Discard, resp.Body, 60*size); err != nil {
		t.Fatal(err)
	}
	leave()
	until(t, "the outcome is on record", func() bool { return strings.Contains(g.records.String(), `"outcome":`) })
	got := g.records.take(t)
	if out := got[len(got)-1].Outcome; out.Code != "CANCELED" || out.Events != events || out.Complete != nil {
		t.Errorf("outcome %+v of a batch of %d", out, events)
	}
}

// ready asks both health services.
func (g *guarded) ready(t *testing.T) (rest int, grpc healthpb.HealthCheckResponse_ServingStatus) {
	t.Helper()
	answer, err := healthpb.NewHealthClient(g.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "parley.v1.EventService"})
	if err != nil {
		t.Fatal(err)
	}
	return g.get(t, "/readyz").StatusCode, answer.GetStatus()
}

// TestNothingIsReadWithoutARecord: an audit disk that is full. No call is made, all look-ups included, and nobody is sent
// here until there is room again.
func TestNothingIsReadWithoutARecord(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	if rest, grpc := g.ready(t); rest != http.StatusOK || grpc != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("before: %d, %s", rest, grpc)
	}
	g.records.setBroken(true)
	expect(t, "gRPC", g.list(t, "owner", "me"), codes.Unavailable, "AUDIT_UNAVAILABLE")
	expect(t, "a look-up", g.list(t, "machine", annaUPN), codes.Unavailable, "AUDIT_UNAVAILABLE")
	for _, path := range []string{
		"/v1/users/me/events", "/v1/users/me/events:stream", "/v1/users/me/conversations/" + chatID, "/v1/users/me/events/call,1", "/v1/users/" + annaUPN + "/events",
	} {
		token := "owner"
		if strings.Contains(path, "@") {
			token = "officer"
		}
		resp := g.get(t, path, "Authorization", "Bearer "+token)
		if text := body(t, resp); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "AUDIT_UNAVAILABLE") {
			t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, text)
		}
	}
	if !g.untouched() {
		t.Error("something was read that is not on record")
	}
	// A denial stays one.
	expect(t, "denied", g.list(t, "stranger", "me"), codes.PermissionDenied, "POLICY_DENIED")
	if rest, grpc := g.ready(t); rest != http.StatusServiceUnavailable || grpc != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("with a full disk: %d, %s", rest, grpc)
	}
	if code := g.get(t, "/healthz").StatusCode; code != http.StatusOK {
		t.Errorf("the process lives, and /healthz is %d", code)
	}
	g.records.setBroken(false)
	expect(t, "after", g.list(t, "owner", "me"), codes.OK, "")
	if rest, grpc := g.ready(t); rest != http.StatusOK || grpc != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("with room again: %d, %s", rest, grpc)
	}
	got := slices.DeleteFunc(g.records.take(t), func(l line) bool { return l.Kind == audit.KindResumed })
	if len(got) != 2 || got[0].Number < 8 || got[1].Intent != got[0].Number {
		t.Errorf("records %+v; the numbers do not show what was lost", got)
	}
}

// TestLookUpsAreOnRecord: whoever may have a name looked up learns whether it exists, so the record comes first, found or
// not.
func TestLookUpsAreOnRecord(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	const nobody = "nobody@contoso.example"
	for about, c := range map[string]struct {
		token, user string
		code        codes.Code
		kinds       string
		owner       string // of the outcome; empty = a digest
		reason      string
	}{
		"nobody has it, of all users":    {"officer", nobody, codes.NotFound, "intent outcome", "", "NOT_FOUND"},
		"nobody has it, of listed users": {"machine", nobody, codes.PermissionDenied, "intent outcome", "", "POLICY_DENIED"},
		"not on the list":                {"machine", boUPN, codes.FailedPrecondition, "intent outcome", "", "USER_ID_REQUIRED"},
		"found, not on the list":         {"machine", carlaUPN, codes.PermissionDenied, "intent outcome", carlaID, "POLICY_DENIED"},
		"found":                          {"officer", annaUPN, codes.OK, "intent intent outcome", annaID, ""},
		"found on the list":              {"machine", annaUPN, codes.OK, "intent intent outcome", annaID, ""},
		"not looked up":                  {"stranger", annaUPN, codes.PermissionDenied, "outcome", "", "POLICY_DENIED"},
	} {
		for _, protocol := range []string{grpcProtocol, restProtocol} {
			if protocol == grpcProtocol {
				expect(t, about, g.list(t, c.token, c.user), c.code, c.reason)
			} else {
				body(t, g.get(t, "/v1/users/"+c.user+"/events", "Authorization", "Bearer "+c.token))
			}
			records := g.records.take(t)
			kinds := make([]string, 0, len(records))
			for i, record := range records {
				kinds = append(kinds, record.Kind)
				if i > 0 && record.Intent != records[0].Number || record.Protocol != protocol || record.Graph.Permission == "" != (c.kinds == "outcome") {
					t.Errorf("%s: record %+v", about, record)
				}
				if i == 0 && !strings.HasPrefix(record.Owner, "sha256:") {
					t.Errorf("%s: the first record names %q", about, record.Owner)
				}
			}
			last := records[len(records)-1]
			if strings.Join(kinds, " ") != c.kinds || last.Outcome == nil || last.Outcome.Reason != c.reason ||
				c.owner != "" && last.Owner != c.owner || c.owner == "" && !strings.HasPrefix(last.Owner, "sha256:") {
				t.Errorf("%s over %s: %q, %+v", about, protocol, kinds, last)
			}
		}
	}
}
