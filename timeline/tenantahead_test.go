package timeline_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// nightAhead is a tenant whose calls are known late, so that its other sources are read ahead.
type nightAhead struct {
	*people

	req  query.Tenant
	have query.Sources
	late time.Time // when the calls are known
}

// newNightAhead makes n users with a day of events, whom each source answers in a second and in one page. The calls are known after an hour.
func newNightAhead(n int) *nightAhead {
	if time.Now().YearDay() == 1 {
		time.Sleep(50 * 24 * time.Hour) // no year ends in the interval
	}
	end := time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
	start := end.AddDate(0, 0, -1)
	p := newPeople(n, start, end)
	for _, own := range p.graphs {
		for _, g := range own {
			g.delay, g.size = time.Second, 50
		}
	}
	a := &nightAhead{people: p, req: nightRequest(start, end), have: p.sources(), late: time.Now().Add(time.Hour)}
	a.have.Events[call] = lateCalls{a.late}
	return a
}

// read reads the night, or the rest behind a token.
func (a *nightAhead) read(ctx context.Context, e *timeline.Engine, token string) (*night, error) {
	n := newNight()
	return n, e.StreamTenantBatches(ctx, a.have, a.req, token, n.take, n.emit)
}

// asked counts the requests about a source.
func (a *nightAhead) asked(src parleyv1.Source) int {
	n := 0
	for _, own := range a.graphs {
		n += own[src].requests()
	}
	return n
}

// TestReadingAheadChangesNoAnswer reads a night, most of whose windows are read ahead: the events, reports and requests are those of a
// night that waits for nothing.
func TestReadingAheadChangesNoAnswer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*nightAhead){
		"plain": func(*nightAhead) {},
		"filtered": func(a *nightAhead) {
			a.req.Filter = `actor.user.id = "one"`
			for _, own := range a.graphs {
				for i := range own[chat].rows {
					own[chat].rows[i].actor = []string{"one", "other"}[i%2]
				}
			}
		},
		"newest first":  func(a *nightAhead) { a.req.OrderBy = query.EventTimeDesc },
		"up to now":     func(a *nightAhead) { a.req.End = time.Time{} },
		"several pages": func(a *nightAhead) { a.resize(5) },
		"in pieces":     func(a *nightAhead) { a.resize(3) },
		"rows out of the window": func(a *nightAhead) {
			a.hook(func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
				for i := range p.Items {
					p.Items[i].Time = q.Start.Add(-time.Hour)
				}
				return p, nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				read := func(late bool) (*night, int, int) {
					a := newNightAhead(150)
					change(a)
					if !late {
						a.have.Events[call] = lateCalls{}
					}
					n, err := a.read(t.Context(), newEngine(t, timeline.Config{}), "")
					if err != nil || len(n.users) != 150 {
						t.Fatalf("%d users, %v", len(n.users), err)
					}
					return n, a.asked(chat), a.asked(copilot)
				}
				want, chats, interactions := read(false)
				got, chatsAhead, interactionsAhead := read(true)
				if chatsAhead != chats || interactionsAhead != interactions {
					t.Errorf("%d and %d requests, %d and %d where nothing waits", chatsAhead, interactionsAhead, chats, interactions)
				}
				if diff := cmp.Diff(byUser(want.names), byUser(got.names)); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(want.users, got.users, protocmp.Transform(), protocmp.IgnoreFields(&parleyv1.SourceReport{}, "settled_until", "covered")); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// resize changes how many rows a page has.
func (a *nightAhead) resize(rows int) {
	for _, own := range a.graphs {
		for _, g := range own {
			g.size = rows
		}
	}
}

// hook changes all answers.
func (a *nightAhead) hook(hook func(int, source.EventQuery, string, *page) (*page, error)) {
	for _, own := range a.graphs {
		for _, g := range own {
			g.hook = hook
		}
	}
}

// TestReadingAheadReadsWhatDoesNotWaitForCalls counts what was asked for when the calls become known: everything, but Copilot for those
// without a plan.
func TestReadingAheadReadsWhatDoesNotWaitForCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newNightAhead(400)
		a.req.Plan = func(string) source.CopilotPlan { return source.PlanMissing }
		licensed := 0
		for _, user := range a.users {
			if user.GetCopilot().GetLicensed() {
				licensed++
			}
		}
		time.AfterFunc(time.Until(a.late)-time.Second, func() {
			if chats, interactions := a.asked(chat), a.asked(copilot); chats != 400 || interactions != licensed {
				t.Errorf("%d requests for chats and %d for interactions of %d users, %d with a plan", chats, interactions, 400, licensed)
			}
		})
		n, err := a.read(t.Context(), newEngine(t, timeline.Config{}), "")
		if err != nil || !n.summary.GetComplete() {
			t.Fatalf("%v, %v", err, n.summary)
		}
		if chats, interactions := a.asked(chat), a.asked(copilot); chats != 400 || interactions != licensed {
			t.Errorf("%d and %d requests in the end", chats, interactions)
		}
		if took := time.Since(a.late); took > time.Minute {
			t.Errorf("the night ends %v after its calls are known", took)
		}
	})
}

// TestFailedReadingAheadIsLeftToTheWalk has reading ahead fail, once and for ever: a user who can be read is, and one who cannot be says why.
func TestFailedReadingAheadIsLeftToTheWalk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newNightAhead(200)
		ids := a.ids()
		late := ids[len(ids)-40:]
		for i, id := range late {
			a.graphs[id][chat].hook = func(n int, _ source.EventQuery, _ string, p *page) (*page, error) {
				switch {
				case i%2 == 1:
					return nil, fail(graph.KindNotFound)
				case n == 1:
					return nil, fail(graph.KindUnavailable)
				default:
					return p, nil
				}
			}
		}
		n, err := a.read(t.Context(), newEngine(t, timeline.Config{}), "")
		if err != nil || n.summary.GetUsersRead() != 180 || n.summary.GetUsersRefused() != 20 {
			t.Errorf("%v, %v", err, n.summary)
		}
		for i, id := range late {
			if user := n.users["users/"+id]; user.GetComplete() != (i%2 == 0) {
				t.Errorf("%v", user)
			}
		}
	})
}

// TestReadingAheadBacksOffInAnOutage has Graph give no answers for ten minutes, while the calls are read. The users who are open fail; of those
// behind them few are asked about in vain, and all others are read ahead when Graph is back.
func TestReadingAheadBacksOffInAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const users, open = 600, 64
		a := newNightAhead(users)
		back := time.Now().Add(10 * time.Minute)
		a.hook(func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
			if time.Now().Before(back) {
				return nil, fail(graph.KindUnavailable)
			}
			return p, nil
		})
		inVain, known := 0, 0
		outage := time.AfterFunc(time.Until(back), func() { inVain = a.asked(chat) })
		defer outage.Stop()
		calls := time.AfterFunc(time.Until(a.late)-time.Second, func() { known = a.asked(chat) })
		defer calls.Stop()
		n, err := a.read(t.Context(), newEngine(t, timeline.Config{}), "")
		if err != nil || n.summary.GetUsersIncomplete() != open || n.summary.GetUsersRead() != users-open {
			t.Errorf("%v, %v", err, n.summary)
		}
		// Those who are open, the same number ahead, and then one in half a minute.
		if most := 2*open + 30; inVain > most {
			t.Errorf("%d users were asked about in the outage, want at most %d", inVain, most)
		}
		if known < users {
			t.Errorf("%d requests before the calls were known: reading ahead did not go on", known)
		}
	})
}

// TestReadingAheadIsBoundedByMemory has room for some windows only: the others are read when their users are opened, and none twice.
func TestReadingAheadIsBoundedByMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 4 << 20
		a := newNightAhead(700)
		bound := ledger.New(ledger.Config{Limit: limit, Each: limit / 8})
		time.AfterFunc(time.Until(a.late)-time.Second, func() {
			if bound.Committed() > limit/2 {
				t.Errorf("%d bytes are held", bound.Committed())
			}
			// Copilot has half a million bytes, chat a quarter of that.
			if chats, interactions := a.asked(chat), a.asked(copilot); chats > 250 || interactions < 100 || interactions > 600 {
				t.Errorf("%d and %d requests while the calls are read", chats, interactions)
			}
		})
		n, err := a.read(t.Context(), newEngine(t, timeline.Config{Ledger: bound}), "")
		if err != nil || !n.summary.GetComplete() || n.summary.GetUsersRead() != 700 {
			t.Errorf("%v, %v", err, n.summary)
		}
		if chats, interactions := a.asked(chat), a.asked(copilot); chats != 700 || interactions != 700 {
			t.Errorf("%d and %d requests in the end", chats, interactions)
		}
		if held := bound.Committed(); held != 0 {
			t.Errorf("%d bytes are held in the end", held)
		}
	})
}

// TestWhatWasReadAheadServesTheNextCall ends a night before its calls are known. The call that goes on at once finds what was read ahead;
// after a minute nothing is left of it.
func TestWhatWasReadAheadServesTheNextCall(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"at once": 0, "later": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newNightAhead(300)
				bound := ledger.New(ledger.Config{Limit: 1 << 30, Each: 14 << 20})
				e := newEngine(t, timeline.Config{Ledger: bound})
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
				defer cancel()
				cut, err := a.read(ctx, e, "")
				if !errors.Is(err, context.DeadlineExceeded) || a.asked(copilot) != 300 {
					t.Fatalf("%v, %d requests", err, a.asked(copilot))
				}
				time.Sleep(pause)
				if held := bound.Committed(); (held == 0) != (pause > 0) {
					t.Errorf("%d bytes are held after %v", held, pause)
				}
				n, err := a.read(t.Context(), e, cut.places[len(cut.places)-1].checkpoint.GetResumeToken())
				if err != nil || !n.summary.GetComplete() || n.summary.GetUsersRead() != 300 {
					t.Fatalf("%v, %v", err, n.summary)
				}
				most := 300 + 64 // no cache holds the windows of those who were open
				if pause > 0 {
					most = 2 * 300
				}
				if got := a.asked(copilot); got != most {
					t.Errorf("%d requests, want %d", got, most)
				}
				if held := bound.Committed(); held != 0 {
					t.Errorf("%d bytes are held in the end", held)
				}
			})
		})
	}
}

// TestCancelledReadingAheadLeavesNothing cancels nights at many moments. Nothing of them stays.
func TestCancelledReadingAheadLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bound := ledger.New(ledger.Config{Limit: 64 << 20, Each: 8 << 20})
		e := newEngine(t, timeline.Config{Ledger: bound})
		var group sync.WaitGroup
		for i := range 40 {
			a := newNightAhead(100)
			a.req.Caller = string(rune('a' + i))
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Millisecond)
				defer cancel()
				if _, err := a.read(ctx, e, ""); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		time.Sleep(2 * time.Minute)
		if held := bound.Committed(); held != 0 {
			t.Errorf("%d bytes are held", held)
		}
	})
}

// TestReadingAheadSettlesNothingTooEarly reads up to the present, and then what comes while the calls are read: nothing is settled that was
// not.
func TestReadingAheadSettlesNothingTooEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newNightAhead(100)
		a.req.End = time.Time{}
		began := time.Now()
		n, err := a.read(t.Context(), newEngine(t, timeline.Config{}), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range slices.Sorted(maps.Keys(n.users)) {
			settled := report(n.users[id].GetSources(), copilot).GetSettledUntil().AsTime()
			if settled.After(began.Add(time.Minute - time.Hour)) {
				t.Fatalf("%s is settled until %v, %v after the reading", id, settled, settled.Sub(began))
			}
		}
	})
}
