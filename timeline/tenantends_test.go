package timeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	readState       = parleyv1.UserState_USER_STATE_READ
	refusedState    = parleyv1.UserState_USER_STATE_REFUSED
	incompleteState = parleyv1.UserState_USER_STATE_INCOMPLETE
)

func TestTenantUserIsRefusedOrIncompleteByItsFailures(t *testing.T) {
	t.Parallel()
	start, end := base()
	tests := map[string]struct {
		kind    graph.Kind
		sources []parleyv1.Source // that fail
		state   parleyv1.UserState
		reason  string
		outcome parleyv1.TenantOutcome
	}{
		"no licence": {
			graph.KindUserNotLicensed, []parleyv1.Source{copilot}, refusedState, "USER_NOT_LICENSED", parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS,
		},
		"refused": {
			graph.KindUserRefused, []parleyv1.Source{chat, copilot}, refusedState, "USER_NOT_LICENSED", parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS,
		},
		"deleted": {
			graph.KindNotFound, []parleyv1.Source{chat, copilot}, refusedState, "NOT_FOUND", parleyv1.TenantOutcome_TENANT_OUTCOME_COMPLETE_WITH_REFUSALS,
		},
		"down":    {graph.KindUnavailable, []parleyv1.Source{chat, copilot}, incompleteState, "GRAPH_UNAVAILABLE", parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE},
		"half":    {graph.KindUnavailable, []parleyv1.Source{chat}, incompleteState, "GRAPH_UNAVAILABLE", parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE},
		"slow":    {graph.KindThrottled, []parleyv1.Source{copilot}, incompleteState, "GRAPH_THROTTLED", parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE},
		"no role": {graph.KindForbidden, []parleyv1.Source{copilot}, incompleteState, "GRAPH_PERMISSION_MISSING", parleyv1.TenantOutcome_TENANT_OUTCOME_INCOMPLETE},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(12, start, end)
			broken := p.ids()[3:5]
			for _, id := range broken {
				for _, src := range test.sources {
					p.graphs[id][src].hook = func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(test.kind) }
				}
			}
			e := newEngine(t, timeline.Config{})
			n := p.read(t, e, nightRequest(start, end), "")
			var failed []string
			for _, id := range p.ids() {
				user, isBroken := n.users["users/"+id], slices.Contains(broken, id)
				if !isBroken {
					if user.GetState() != readState || !user.GetComplete() {
						t.Errorf("%v", user)
					}
					continue
				}
				failed = append(failed, user.GetUser())
				if user.GetState() != test.state || user.GetReason() != test.reason || user.GetComplete() || len(user.GetSources()) != 2 {
					t.Errorf("%v", user)
				}
			}
			got := n.summary
			if got.GetOutcome() != test.outcome || got.GetComplete() || got.GetUsersRead() != 10 {
				t.Errorf("%v", got)
			}
			names, counts := got.GetIncompleteUsers(), got.GetFailures()
			if test.state == refusedState {
				names, counts = got.GetRefusedUsers(), got.GetRefusals()
			}
			if !slices.Equal(slices.Sorted(slices.Values(names)), failed) || len(counts) != len(test.sources) {
				t.Errorf("%v", got)
			}
			for _, count := range counts {
				if count.GetReason() != test.reason || count.GetCount() != 2 {
					t.Errorf("%v", count)
				}
			}
			// Graph recovers: the users who were not read are asked for by id, and nobody else.
			for _, id := range broken {
				for _, src := range test.sources {
					p.graphs[id][src].hook = nil
				}
			}
			req := nightRequest(start, end)
			req.Users = broken
			again := p.read(t, e, req, "")
			if diff := cmp.Diff(p.alone(t, e, req, broken), byUser(again.names)); diff != "" || len(again.users) != 2 || !again.summary.GetComplete() {
				t.Errorf("%v: %s", again.summary, diff)
			}
		})
	}
}

// TestTenantStreamEndsByWhatHoldsForEveryUser ends a stream by what holds for every user.
func TestTenantStreamEndsByWhatHoldsForEveryUser(t *testing.T) {
	t.Parallel()
	start, end := base()
	tests := map[string]struct {
		spoil  func(p *people)
		reason parleyv1.ErrorReason
	}{
		"credential": {func(p *people) {
			for _, own := range p.graphs {
				for _, g := range own {
					g.hook = func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(graph.KindCredential) }
				}
			}
		}, parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED},
		"directory": {func(p *people) {
			p.listing = func(*source.Page[*parleyv1.User]) (*source.Page[*parleyv1.User], error) {
				return nil, fail(graph.KindForbidden)
			}
		}, parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(12, start, end)
			test.spoil(p)
			n := newNight()
			err := newEngine(t, timeline.Config{}).StreamTenantBatches(t.Context(), p.sources(), nightRequest(start, end), "", n.take, n.emit)
			if own, ok := errors.AsType[*failure.Error](err); !ok || own.Reason != test.reason || n.summary != nil {
				t.Errorf("%v, summary %v", err, n.summary)
			}
		})
	}
}

// TestTenantReadsABoundedNumberOfUsersAtATime holds how many users are read at a time, that memory bounds them further, and that the stream
// ends all the same.
func TestTenantReadsABoundedNumberOfUsersAtATime(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]int64{"much memory": 0, "little memory": 300 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, end := base()
				p := newPeople(150, start, end)
				for _, own := range p.graphs {
					for _, g := range own {
						g.delay = time.Second
					}
				}
				cfg := timeline.Config{}
				if each > 0 {
					cfg.Ledger = ledger.New(ledger.Config{Limit: 1 << 30, Each: each})
				}
				n := p.read(t, newEngine(t, cfg), nightRequest(start, end), "")
				most, least := 64*2, 64
				if each > 0 {
					most, least = 16, 1
				}
				if p.widest > most || p.widest < least || !n.summary.GetComplete() || len(n.users) != 150 {
					t.Errorf("%d readings at a time, want %d to %d: %v", p.widest, least, most, n.summary)
				}
			})
		})
	}
}

// TestTenantStreamEndsWithItsReader ends a stream by its reader at every frame, and by its context.
func TestTenantStreamEndsWithItsReader(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(20, start, end)
	e := newEngine(t, timeline.Config{})
	gone := errors.New("gone")
	for frames := range 5 {
		left := frames
		take := func() error {
			if left--; left < 0 {
				return gone
			}
			return nil
		}
		err := e.StreamTenantBatches(t.Context(), p.sources(), nightRequest(start, end), "",
			func(*timeline.Batch) error { return take() }, func(*timeline.TenantFrame) error { return take() })
		if err != gone { //nolint:errorlint // it is returned as it is
			t.Errorf("after %d frames: %v", frames, err)
		}
	}
}

// TestTenantStreamEndsWithItsContext ends a stream by its context, behind a checkpoint.
func TestTenantStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, end := base()
		p := newPeople(20, start, end)
		p.stagger()
		ctx, cancel := context.WithCancel(t.Context())
		n := newNight()
		err := newEngine(t, timeline.Config{}).StreamTenantBatches(ctx, p.sources(), nightRequest(start, end), "", n.take, func(f *timeline.TenantFrame) error {
			if f.GetCheckpoint() != nil {
				cancel()
			}
			return n.emit(f)
		})
		if token := new(failure.StreamError); !errors.As(err, &token) || token.ResumeToken != n.places[0].checkpoint.GetResumeToken() || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestTenantTokensOpenForTheirRequestAlone(t *testing.T) {
	t.Parallel()
	start, end := base()
	p := newPeople(12, start, end)
	e := newEngine(t, timeline.Config{})
	req := nightRequest(start, end)
	token := p.read(t, e, req, "").places[0].checkpoint.GetResumeToken()
	single := stream(t, e, p.sources(), req.OfUser(p.ids()[1]), "").tokens[0]
	changes := map[string]func(*query.Tenant){
		"caller":      func(r *query.Tenant) { r.Caller = "x" },
		"tenant":      func(r *query.Tenant) { r.Tenant = "x" },
		"sources":     func(r *query.Tenant) { r.Sources = []parleyv1.Source{chat} },
		"start":       func(r *query.Tenant) { r.Start = r.Start.Add(1) },
		"end":         func(r *query.Tenant) { r.End = r.End.Add(1) },
		"view":        func(r *query.Tenant) { r.View = parleyv1.EventView_EVENT_VIEW_METADATA },
		"filter":      func(r *query.Tenant) { r.Filter = `kind = "EVENT_KIND_SYSTEM"` },
		"licensed":    func(r *query.Tenant) { r.Licensed = true },
		"users":       func(r *query.Tenant) { r.Users = []string{"a"} },
		"shard":       func(r *query.Tenant) { r.Shards = 2 },
		"deduplicate": func(r *query.Tenant) { r.Deduplicate = true },
	}
	refused := func(name string, req query.Tenant, token string) {
		t.Helper()
		err := e.StreamTenantBatches(t.Context(), p.sources(), req, token, nil, nil)
		if own, ok := errors.AsType[*failure.Error](err); !ok || own.Reason != parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED || own.Field != "resume_token" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range changes {
		other := nightRequest(start, end)
		change(&other)
		refused(name, other, token)
	}
	refused("of one user", req, single)
	refused("garbage", req, "?")
	if err := e.StreamEvents(t.Context(), p.sources(), req.OfUser(p.ids()[1]), token, nil); err == nil {
		t.Error("a stream of one user takes the token")
	}
}
