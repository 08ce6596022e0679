package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

func timestamp(at time.Time) *timestamppb.Timestamp { return timestamppb.New(at) }

// TestTroubleIsTold lets one page of the chat source go wrong in several ways: the stream goes on, the other sources stay
// whole, and the summary says what is missing.
func TestTroubleIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  faults.Fault
		reason string
	}{
		"refused page":    {faults.Fault{Kind: faults.RefusePage, Page: 2}, "GRAPH_REJECTED_REQUEST"},
		"loop":            {faults.Fault{Kind: faults.LoopLink}, "PAGING_LOOP"},
		"foreign link":    {faults.Fault{Kind: faults.ForeignLink}, "GRAPH_LINK_REFUSED"},
		"clear-text link": {faults.Fault{Kind: faults.HTTPLink}, "GRAPH_LINK_REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.Match = graphsim.SourceChat
			g := serve(t, graphsim.Config{Faults: []faults.Fault{c.fault}}, nil)
			events, summary := g.stream(t, "/v1/users/"+g.sim.DemoUser().ID+"/events:stream?startTime="+day(3))
			if len(events) == 0 {
				t.Error("nothing was delivered")
			}
			if summary.GetComplete() {
				t.Error("the stream claims to be complete")
			}
			for _, report := range summary.GetSources() {
				gaps := slices.ContainsFunc(report.GetGaps(), func(g *parleyv1.Gap) bool { return g.GetReason() == c.reason })
				if chat := report.GetSource() == parleyv1.Source_SOURCE_CHAT; chat != gaps {
					t.Errorf("%v: gaps %v, want one of %s for chat alone", report.GetSource(), report.GetGaps(), c.reason)
				}
			}
			for _, request := range g.sim.Requests() {
				if strings.Contains(request.Path, "attacker") {
					t.Error("the foreign link was followed")
				}
			}
		})
	}
}

// TestOneSourceDown asks for all sources while one answers nothing but errors.
func TestOneSourceDown(t *testing.T) {
	t.Parallel()
	down := faults.Fault{Match: graphsim.SourceCopilot, Kind: faults.Status, Status: http.StatusForbidden, Code: "Forbidden", Message: "UnknownError"}
	g := serve(t, graphsim.Config{Faults: []faults.Fault{down}}, nil)
	user := "/v1/users/" + g.sim.DemoUser().ID
	events, summary := g.stream(t, user+"/events:stream?startTime="+day(2))
	if len(events) == 0 || summary.GetComplete() {
		t.Errorf("%d events, complete %t", len(events), summary.GetComplete())
	}
	for _, report := range summary.GetSources() {
		want := parleyv1.SourceState_SOURCE_STATE_READ
		if report.GetSource() == parleyv1.Source_SOURCE_COPILOT {
			want = parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
		}
		if report.GetState() != want {
			t.Errorf("%v: %v, want %v", report.GetSource(), report.GetState(), want)
		}
	}
	status, body := g.get(t, user+"/events?sources=SOURCE_COPILOT&startTime="+day(2), nil)
	if status != http.StatusForbidden || reason(t, body) != "USER_NOT_LICENSED" {
		t.Errorf("the refused source alone: HTTP %d %s", status, body)
	}
}

// TestErrorsOnTheWire maps Graph's refusals to ours, of a list and of streams that fail before the first event.
func TestErrorsOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  faults.Fault
		status int
		reason string
	}{
		"payment":    {faults.Fault{Kind: faults.Status, Status: http.StatusPaymentRequired, Code: "PaymentRequired"}, http.StatusPaymentRequired, "PAYMENT_REQUIRED"},
		"throttled":  {faults.Fault{Kind: faults.Status, Status: http.StatusTooManyRequests, RetryAfter: "600"}, http.StatusTooManyRequests, "GRAPH_THROTTLED"},
		"bad token":  {faults.Fault{Kind: faults.Status, Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken"}, http.StatusBadGateway, "GRAPH_CREDENTIAL_REJECTED"},
		"bad sign":   {faults.Fault{Kind: faults.Status, Status: http.StatusBadRequest, Code: "BadRequest"}, http.StatusInternalServerError, "GRAPH_REJECTED_REQUEST"},
		"permission": {faults.Fault{Kind: faults.Status, Status: http.StatusForbidden, Code: "Forbidden", Message: "Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''."}, http.StatusForbidden, "GRAPH_PERMISSION_MISSING"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			planned := []faults.Fault{c.fault, c.fault, c.fault}
			planned[0].Match, planned[1].Match, planned[2].Match = graphsim.SourceChat, graphsim.SourceCopilot, graphsim.SourceCall
			g := serve(t, graphsim.Config{Faults: planned}, nil)
			status, body := g.get(t, "/v1/users/"+g.sim.DemoUser().ID+"/events?sources=SOURCE_CHAT&startTime="+day(2), nil)
			if status != c.status || reason(t, body) != c.reason {
				t.Errorf("HTTP %d %s, want %d %s", status, body, c.status, c.reason)
			}
			if strings.Contains(string(body), "Roles on the request") {
				t.Error("Graph's own text reached the caller")
			}
			// All sources fail before any delivers: the stream has a status, too, over both protocols.
			user := "users/" + g.sim.DemoUser().ID
			status, body = g.get(t, "/v1/"+user+"/events:stream?startTime="+day(2), nil)
			if status != c.status || reason(t, body) != c.reason {
				t.Errorf("stream of all sources: HTTP %d %s, want %d %s", status, body, c.status, c.reason)
			}
			frames, err := parleyv1.NewEventServiceClient(g.conn).StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: user})
			if err != nil {
				t.Fatal(err)
			}
			if frame, err := frames.Recv(); err == nil {
				t.Errorf("stream of all sources: %v before its status", frame)
			}
		})
	}
}

// TestClockSkewIsAMetric: a Graph whose Date lies two hours back is a clock of our own that runs ahead.
func TestClockSkewIsAMetric(t *testing.T) {
	t.Parallel()
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"value":[]}`) // the gateway is gone if this fails
	}))
	t.Cleanup(graph.Close)
	settings := defaults(t)
	settings.GraphURL, settings.GraphCredential = graph.URL, "none"
	g := over(t, nil, settings)
	const metric = `parley_graph_clock_skew_seconds{tenant="default"}`
	if before := g.metric(t, metric); before != "0" {
		t.Errorf("before the first answer: %q", before)
	}
	begin := time.Now()
	if status, body := g.get(t, "/v1/users?pageSize=1", nil); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	took := time.Since(begin).Seconds() // of which an answer's way is a part
	if ahead, err := strconv.ParseFloat(g.metric(t, metric), 64); err != nil || ahead < 7199 || ahead > 7202+took {
		t.Errorf("skew %v %v, want two hours", ahead, err)
	}
}

// TestSettledByTheEarlierClock: a Graph whose clock is two hours behind settles its chats by that clock, and the answer says so;
// nothing of the two hours in its future is covered.
func TestSettledByTheEarlierClock(t *testing.T) {
	t.Parallel()
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-2*time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"value":[]}`) // the gateway is gone if this fails
	}))
	t.Cleanup(graph.Close)
	settings := defaults(t)
	settings.GraphURL, settings.GraphCredential = graph.URL, "none"
	g := over(t, nil, settings)
	since := time.Now().Add(-24 * time.Hour).UTC()
	var answer parleyv1.ListEventsResponse
	status, body := g.get(t, "/v1/users/4db02e4b-d144-400e-b194-53253a34c5be/events?sources=SOURCE_CHAT&startTime="+since.Format(time.RFC3339), &answer)
	if status != http.StatusOK || len(answer.GetSources()) != 1 {
		t.Fatalf("HTTP %d %s", status, body)
	}
	asked, present := since.Add(22*time.Hour), time.Now().Add(-2*time.Hour) // by Graph's clock
	settled := answer.GetSources()[0].GetSettledUntil().AsTime().Add(15 * time.Minute)
	if settled.Before(asked.Add(-2*time.Second)) || settled.After(present.Add(2*time.Second)) {
		t.Errorf("settled by %v, and Graph's present is from %v to %v", settled, asked, present)
	}
	if end := answer.GetSources()[0].GetCovered().GetEndTime().AsTime(); end.After(present.Add(2 * time.Second)) {
		t.Errorf("covered until %v, and Graph's present is %v", end, present)
	}
	if len(answer.GetNotices()) != 1 || answer.GetNotices()[0].GetCode() != "CLOCK_SKEW" || !answer.GetComplete() {
		t.Errorf("%s", body)
	}
}
