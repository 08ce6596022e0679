package e2e_test

import (
	"net/http"
	"testing"

	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// TestRefusalsAreRemembered asks again and again what Graph refuses, and counts what Graph sees of it.
func TestRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  faults.Fault
		source string
		user   func(*graphsim.Sim) string
		status int
		reason string
		asked  int // requests to Graph of three calls
	}{
		"no licence": {source: "SOURCE_COPILOT", user: unlicensed, status: http.StatusForbidden, reason: "USER_NOT_LICENSED", asked: 1},
		"unknown user": {
			source: "SOURCE_CHAT", user: func(*graphsim.Sim) string { return "00000000-0000-4000-8000-000000000001" },
			status: http.StatusNotFound, reason: "NOT_FOUND", asked: 1,
		},
		"payment": {
			fault:  faults.Fault{Kind: faults.Status, Status: http.StatusPaymentRequired},
			source: "SOURCE_CHAT", user: demo, status: http.StatusPaymentRequired, reason: "PAYMENT_REQUIRED", asked: 1,
		},
		"missing role": {
			fault: faults.Fault{
				Kind: faults.Status, Status: http.StatusForbidden, Code: "Forbidden",
				Message: "Missing role permissions on the request. API requires one of 'Chat.Read.All'. Roles on the request ''.",
			},
			source: "SOURCE_CHAT", user: demo, status: http.StatusForbidden, reason: "GRAPH_PERMISSION_MISSING", asked: 3,
		},
		"throttled": {
			fault:  faults.Fault{Kind: faults.Status, Status: http.StatusTooManyRequests, RetryAfter: "600"},
			source: "SOURCE_CHAT", user: demo, status: http.StatusTooManyRequests, reason: "GRAPH_THROTTLED", asked: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var planned []faults.Fault
			if c.fault.Kind != "" {
				c.fault.Match = graphsim.SourceChat
				planned = append(planned, c.fault)
			}
			g := serve(t, graphsim.Config{Faults: planned, Messages: 200, Interactions: 100, Calls: 10}, nil)
			for range 3 {
				status, body := g.get(t, "/v1/users/"+c.user(g.sim)+"/events?sources="+c.source+"&startTime="+day(2), nil)
				if status != c.status || reason(t, body) != c.reason {
					t.Errorf("HTTP %d %s, want %d %s", status, body, c.status, c.reason)
				}
			}
			counts := g.sim.RequestCounts()
			if n := counts[graphsim.SourceChat] + counts[graphsim.SourceCopilot]; n != c.asked {
				t.Errorf("Graph was asked %d times, want %d", n, c.asked)
			}
		})
	}
}

func demo(sim *graphsim.Sim) string { return sim.DemoUser().ID }

func unlicensed(sim *graphsim.Sim) string {
	for person := range sim.Oracle("").Users() {
		if !sim.Oracle("").Licensed(person.ID) {
			return person.ID
		}
	}
	return ""
}

// TestDayOfACaller lets a caller use its day up.
func TestDayOfACaller(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Messages: 200, Interactions: 100, Calls: 10}, func(s *config.Settings) { s.CallerGraphRequests, s.CacheSize = 2, "0" })
	path := "/v1/users/" + g.sim.DemoUser().ID + "/conversations?pageSize=1"
	var status int
	var body []byte
	asked := 0
	for range 4 {
		if status, body = g.get(t, path, nil); status != http.StatusOK {
			break
		}
		asked++
	}
	if status != http.StatusTooManyRequests || reason(t, body) != "CALLER_LIMIT" || asked == 0 {
		t.Errorf("after %d calls: HTTP %d %s", asked, status, body)
	}
	if n := g.sim.RequestCounts()[graphsim.SourceChats]; n != 2 {
		t.Errorf("Graph was asked %d times, want 2", n)
	}
}
