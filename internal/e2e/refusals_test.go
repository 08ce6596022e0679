package e2e_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// refusing are faults of one kind for one user; "" is everybody.
func refusing(source, user string, status int, code, message string) faults.Fault {
	return faults.Fault{Kind: faults.Status, Match: source, User: user, Status: status, Code: code, Message: message}
}

// TestRefusalsOfOneUser: what Graph says of one user's licence is that user's affair, whatever the status: PERMISSION_DENIED, the
// source's state, remembered; the next user is served. What concerns the tenant stands for all and is asked once.
func TestRefusalsOfOneUser(t *testing.T) {
	t.Parallel()
	const (
		userLicense   = "User needs a valid license to access this API, see https://aka.ms/teams-api-payment-requirements."
		officeLicense = "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them."
	)
	for name, c := range map[string]struct {
		source        string
		status        int
		code, message string
		http          int
		reason, words string
		state         parleyv1.SourceState
		others        int // HTTP status of another user's list
		asked         int // requests about the first user in three calls
	}{
		"402, the user": {
			graphsim.SourceChat, 402, "PaymentRequired", userLicense,
			http.StatusForbidden, "USER_NOT_LICENSED", "assign one", parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, http.StatusOK, 1,
		},
		"402, the user, Copilot": {
			graphsim.SourceCopilot, 402, "PaymentRequired", "The user does not have a valid license.",
			http.StatusForbidden, "USER_NOT_LICENSED", "assign one", parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, http.StatusOK, 1,
		},
		"403, Office licence": {
			graphsim.SourceChat, 403, "Forbidden", officeLicense,
			http.StatusForbidden, "USER_NOT_LICENSED", "assign one", parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, http.StatusOK, 1,
		},
		"403 without a reason": {
			graphsim.SourceCopilot, 403, "Forbidden", "UnknownError",
			http.StatusForbidden, "USER_NOT_LICENSED", "gives no reason", parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, http.StatusOK, 1,
		},
		"402 that does not say": {
			graphsim.SourceChat, 402, "PaymentRequired", "",
			http.StatusPaymentRequired, "PAYMENT_REQUIRED", "billing", parleyv1.SourceState_SOURCE_STATE_FAILED, http.StatusOK, 1,
		},
		"402, evaluation": {
			graphsim.SourceChat, 402, "PaymentRequired", "evaluation mode capacity has been exceeded. Use a valid billing model.",
			http.StatusPaymentRequired, "PAYMENT_REQUIRED", "billing", parleyv1.SourceState_SOURCE_STATE_FAILED, http.StatusPaymentRequired, 1,
		},
		"402, the tenant": {
			graphsim.SourceChat, 402, "PaymentRequired", "The tenant needs a valid license.",
			http.StatusPaymentRequired, "TENANT_NOT_LICENSED", "buy one", parleyv1.SourceState_SOURCE_STATE_FAILED, http.StatusPaymentRequired, 1,
		},
		"403, request denied": {
			graphsim.SourceCopilot, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.",
			http.StatusForbidden, "GRAPH_PERMISSION_MISSING", "application lacks", parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, http.StatusOK, 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serve(t, graphsim.Config{Messages: 300, Interactions: 300, Calls: 10}, nil)
			users := licensed(t, g.sim)
			one, another := users[0], users[1]
			if err := g.sim.SetFaults([]faults.Fault{refusing(c.source, one, c.status, c.code, c.message)}); err != nil {
				t.Fatal(err)
			}
			src := "SOURCE_" + strings.ToUpper(c.source)
			_, summary := g.stream(t, "/v1/users/"+one+"/events:stream?startTime="+day(2))
			report := summary.GetSources()[slices.IndexFunc(summary.GetSources(), func(r *parleyv1.SourceReport) bool { return r.GetSource().String() == src })]
			told := slices.ContainsFunc(summary.GetNotices(), func(n *parleyv1.Notice) bool {
				return n.GetCode() == c.reason && strings.Contains(n.GetMessage(), c.words)
			})
			if report.GetState() != c.state || report.GetReason() != c.reason || summary.GetComplete() || !told {
				t.Errorf("stream: %v, complete %t, notices %v", report, summary.GetComplete(), summary.GetNotices())
			}
			for range 2 {
				status, body := g.get(t, "/v1/users/"+one+"/events?sources="+src+"&startTime="+day(2), nil)
				if status != c.http || reason(t, body) != c.reason || !strings.Contains(string(body), c.words) {
					t.Errorf("HTTP %d %s, want %d %s with %q", status, body, c.http, c.reason, c.words)
				}
			}
			if asked := g.askedAbout(c.source, one); asked != c.asked {
				t.Errorf("Graph was asked %d times about the user, want %d", asked, c.asked)
			}
			if status, body := g.get(t, "/v1/users/"+another+"/events?sources="+src+"&startTime="+day(2), nil); status != c.others {
				t.Errorf("another user: HTTP %d %s, want %d", status, body, c.others)
			}
		})
	}
}

// licensed are users with a licence for Copilot, three at least.
func licensed(t *testing.T, sim *graphsim.Sim) (users []string) {
	t.Helper()
	for person := range sim.Oracle("").Users() {
		if sim.Oracle("").Licensed(person.ID) {
			users = append(users, person.ID)
		}
	}
	if len(users) < 3 {
		t.Fatalf("the simulator has %d licensed users", len(users))
	}
	return users
}

// askedAbout counts the requests to a source about a user.
func (g *tenantUnderTest) askedAbout(source, user string) int {
	n := 0
	for _, r := range g.sim.Requests() {
		if r.Source == source && strings.Contains(r.Path, user) {
			n++
		}
	}
	return n
}

// TestEveryUserRefused: Copilot refuses every user without a reason. Each is still told of a licence, and the operator, once in
// the log and by a metric, that a permission is suspected; the first answer ends it.
func TestEveryUserRefused(t *testing.T) {
	t.Parallel()
	sim := simulated(t, graphsim.Config{Faults: []faults.Fault{refusing(graphsim.SourceCopilot, "", 403, "Forbidden", "UnknownError")}})
	var log shared
	g := overLogging(t, sim, settingsFor(t, sim.URL(), sim.CACertPEM()), slog.NewTextHandler(&log, nil))
	users := licensed(t, sim)
	const metric = `parley_graph_permission_suspected{source="copilot",tenant="default"}`
	ask := func(user string, want int) {
		t.Helper()
		if status, body := g.get(t, "/v1/users/"+user+"/events?sources=SOURCE_COPILOT&startTime="+day(2), nil); status != want {
			t.Errorf("HTTP %d %s", status, body)
		}
	}
	suspected := func(value string, lines int) {
		t.Helper()
		if got, told := g.metric(t, metric), strings.Count(log.String(), "suspected"); got != value || told != lines {
			t.Errorf("metric %q, want %q; told %d times, want %d", got, value, told, lines)
		}
	}
	suspected("0", 0)
	ask(users[0], http.StatusForbidden)
	suspected("0", 0)
	ask(users[1], http.StatusForbidden)
	suspected("1", 1)
	if err := sim.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	ask(users[2], http.StatusOK)
	suspected("0", 1)
}

// TestPassingTroubleIsAskedAgain: a 400 whose code calls the trouble temporary, or that says nothing, is asked again, and the answer is
// whole; where it lasts it is trouble of Graph, and no mistake of the gateway's.
func TestPassingTroubleIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faults.Fault{
		"serviceUnavailable": {Kind: faults.Status, Status: 400, Code: "serviceUnavailable"},
		"ServiceUnavailable": {Kind: faults.Status, Status: 400, Code: "ServiceUnavailable", Message: "Try later."},
		"empty body":         {Kind: faults.EmptyError, Status: 400},
	} {
		for _, source := range []string{graphsim.SourceChat, graphsim.SourceCopilot} {
			t.Run(name+", "+source, func(t *testing.T) {
				t.Parallel()
				fault := fault
				fault.Match, fault.Times = source, 1
				g := serve(t, graphsim.Config{Messages: 300, Interactions: 300, Calls: 10, Faults: []faults.Fault{fault}}, nil)
				users := licensed(t, g.sim)
				query := "?sources=SOURCE_" + strings.ToUpper(source) + "&startTime=" + day(2)
				if _, summary := g.stream(t, "/v1/users/"+users[0]+"/events:stream"+query); !summary.GetComplete() || len(summary.GetNotices()) > 0 {
					t.Errorf("once: %v", summary)
				}
				fault.Times = 0
				if err := g.sim.SetFaults([]faults.Fault{fault}); err != nil {
					t.Fatal(err)
				}
				status, body := g.get(t, "/v1/users/"+users[1]+"/events"+query, nil)
				if status != http.StatusServiceUnavailable || reason(t, body) != "GRAPH_UNAVAILABLE" {
					t.Errorf("for ever: HTTP %d %.300s", status, body)
				}
			})
		}
	}
}

// TestLinkNotFound: Graph answers 404 to a link that it gave itself. The window is read once more; a second time it is a gap that
// says so, and neither the user nor the source is said to be unknown.
func TestLinkNotFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		times int
		whole bool
	}{"once": {1, true}, "always": {0, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault := faults.Fault{Kind: faults.RefusePage, Match: graphsim.SourceChat, Page: 2, Status: 404, Times: c.times}
			g := serve(t, graphsim.Config{Faults: []faults.Fault{fault}}, nil)
			events, summary := g.stream(t, "/v1/users/"+demo(g.sim)+"/events:stream?sources=SOURCE_CHAT&startTime="+day(3))
			report := summary.GetSources()[0]
			if len(events) == 0 || summary.GetComplete() != c.whole || report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
				t.Fatalf("%d events, complete %t, %v", len(events), summary.GetComplete(), report)
			}
			if c.whole {
				return
			}
			for _, gap := range report.GetGaps() {
				if gap.GetReason() != "GRAPH_LINK_NOT_FOUND" {
					t.Errorf("gap %v", gap)
				}
			}
			if !slices.ContainsFunc(summary.GetNotices(), func(n *parleyv1.Notice) bool {
				return n.GetCode() == "GRAPH_LINK_NOT_FOUND" && strings.Contains(n.GetMessage(), "link")
			}) {
				t.Errorf("notices %v", summary.GetNotices())
			}
		})
	}
}

// TestLoginNotReached: the answer and the log say that it is the login service, and why it is not reached.
func TestLoginNotReached(t *testing.T) {
	t.Parallel()
	nobody := "https://" + unserved(t)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct {
		authority string
		distrust  bool
		cause     string
	}{
		"refused":     {nobody, false, "refused"},
		"dns":         {"https://" + strings.Repeat("login", 20) + ".invalid", false, "dns"}, // longer than a name may be: no server is asked for it
		"certificate": {"", true, "tls"},
		"no TLS":      {strings.Replace(plain.URL, "http:", "https:", 1), false, "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := simulated(t, graphsim.Config{Messages: 10, Interactions: 10, Calls: 1})
			settings := settingsFor(t, sim.URL(), sim.CACertPEM())
			if c.authority != "" {
				settings.GraphAuthorityURL = c.authority
			}
			if c.distrust {
				settings.GraphCAFile = ""
			}
			var log shared
			g := overLogging(t, sim, settings, slog.NewTextHandler(&log, nil))
			status, body := g.get(t, "/v1/users/"+demo(sim)+"/events?sources=SOURCE_CHAT&startTime="+day(2), nil)
			if status != http.StatusServiceUnavailable || reason(t, body) != "GRAPH_UNAVAILABLE" ||
				!strings.Contains(string(body), "login service") || !strings.Contains(string(body), `"cause":"`+c.cause+`"`) {
				t.Errorf("HTTP %d %s", status, body)
			}
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "graph failed") && strings.Contains(line, "login service not reached") && strings.Contains(line, "cause="+c.cause) {
					return
				}
			}
			t.Errorf("the log does not say it:\n%s", log.String())
		})
	}
}
