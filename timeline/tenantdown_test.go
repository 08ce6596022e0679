package timeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
)

// knownCalls are calls that the gateway has in its index: no request is sent for them.
type knownCalls struct{}

// Events implements source.EventReader.
func (knownCalls) Events(context.Context, source.EventQuery, string) (*source.Page[source.Item], error) {
	return &source.Page[source.Item]{FromCache: true, Verified: true, ReadAt: time.Now()}, nil
}

// TestTenantEndsBesideKnownCalls: a refusal that holds for everybody ends the stream, although the calls of all users are known and need no
// request. The call that goes on with its token reads everybody else. What may be a refusal of one source, or of one user, is told of the users.
func TestTenantEndsBesideKnownCalls(t *testing.T) {
	t.Parallel()
	both := []parleyv1.Source{chat, copilot}
	for name, test := range map[string]struct {
		kind    graph.Kind
		sources []parleyv1.Source    // that are refused
		one     bool                 // to the last user alone
		ends    parleyv1.ErrorReason // of the stream
		reason  string               // of the users, where the stream comes to its summary
	}{
		"credential":               {kind: graph.KindCredential, sources: both, ends: parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED},
		"caller's day":             {kind: graph.KindCallerLimit, sources: both, ends: parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT},
		"credential of one source": {kind: graph.KindCredential, sources: both[:1], reason: "GRAPH_CREDENTIAL_REJECTED"},
		"credential of one user":   {kind: graph.KindCredential, sources: both, one: true, reason: "GRAPH_CREDENTIAL_REJECTED"},
		"payment":                  {kind: graph.KindPaymentRequired, sources: both, reason: "PAYMENT_REQUIRED"},
		"no answer":                {kind: graph.KindUnavailable, sources: both, reason: "GRAPH_UNAVAILABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newNightAhead(300)
				a.have.Events[call] = knownCalls{}
				var refusing atomic.Bool
				ids := a.ids()
				for id, own := range a.graphs {
					if test.one && id != ids[len(ids)-1] {
						continue
					}
					for _, src := range test.sources {
						own[src].hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
							if refusing.Load() {
								return nil, fail(test.kind)
							}
							return p, nil
						}
					}
				}
				time.AfterFunc(1500*time.Millisecond, func() { refusing.Store(true) }) // between two answers
				e := newEngine(t, timeline.Config{})
				first, err := a.read(t.Context(), e, "")
				if test.ends == failure.None {
					if err != nil {
						t.Fatal(err)
					}
					checkIncomplete(t, first, test.reason)
					return
				}
				var cut *failure.StreamError
				own, ok := errors.AsType[*failure.Error](err)
				if !ok || own.Reason != test.ends || own.Err == nil || !errors.As(err, &cut) || first.summary != nil {
					t.Fatalf("%v, summary %v", err, first.summary)
				}
				at := slices.IndexFunc(first.places, func(p nightPlace) bool { return p.checkpoint.GetResumeToken() == cut.ResumeToken })
				refusing.Store(false)
				rest, err := a.read(t.Context(), e, cut.ResumeToken)
				if err != nil || rest.summary.GetUsersRead() != int64(300-len(first.incomplete())) || len(first.incomplete()) > 1 {
					t.Fatalf("%v, %v", err, rest.summary)
				}
				names := append(slices.Clone(first.names[:first.places[at].events]), rest.names...)
				if a.req.Users = first.incomplete(); len(a.req.Users) > 0 {
					again, err := a.read(t.Context(), e, "")
					if err != nil || !again.summary.GetComplete() {
						t.Fatalf("%v, %v", err, again.summary)
					}
					names, a.req.Users = append(names, again.names...), nil
				}
				joined := byUser(names)
				if diff := cmp.Diff(a.alone(t, e, a.req, a.ids()), joined); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// incomplete are the ids of the users who are not whole.
func (n *night) incomplete() (ids []string) {
	for name, user := range n.users {
		if user.GetState() == incompleteState {
			ids = append(ids, strings.TrimPrefix(name, "users/"))
		}
	}
	return ids
}

// checkIncomplete holds that the users who are not whole are told with a reason, and counted.
func checkIncomplete(t *testing.T, n *night, reason string) {
	t.Helper()
	incomplete := 0
	for _, user := range n.users {
		switch {
		case user.GetState() == readState && user.GetComplete():
		case user.GetState() == incompleteState && user.GetReason() == reason && !user.GetComplete():
			incomplete++
			if !slices.Contains(n.summary.GetIncompleteUsers(), user.GetUser()) {
				t.Errorf("%s is not named", user.GetUser())
			}
		default:
			t.Errorf("%v", user)
		}
	}
	if got := n.summary; incomplete == 0 || got.GetUsersIncomplete() != int64(incomplete) || got.GetUsersRead() != int64(len(n.users)-incomplete) ||
		got.GetOutcome() != parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE {
		t.Errorf("%d users are not whole: %v", incomplete, got)
	}
}
