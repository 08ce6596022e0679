package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

func TestLimitsStayBelowThePublishedNumbers(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{1, 0.5, 0.33, 0.001} {
		for _, row := range DefaultLimits() {
			for _, l := range row.Limits {
				perSecond, burst := l.rate(share)
				part := float64(l.Requests) * share
				if most := float64(burst) + perSecond*l.Per.Seconds(); int(math.Floor(most+1e-9)) > max(1, int(math.Ceil(part))) {
					t.Errorf("%s%s %+v of %v: up to %v in one %v", row.API, row.Suffix, l, share, most, l.Per)
				}
				if perSecond*l.Per.Seconds() > sustained*part+1e-9 || perSecond <= 0 {
					t.Errorf("%s%s %+v of %v: rate %v", row.API, row.Suffix, l, share, perSecond)
				}
			}
		}
	}
}

// TestReplicasThatDivideTheLimitsKeepThem holds that replicas which divide the limits never send more together than one of them alone would.
func TestReplicasThatDivideTheLimitsKeepThem(t *testing.T) {
	t.Parallel()
	const replicas, patience = 3, 40 * time.Minute
	for _, limit := range []Limit{{PerTenant, 30, time.Second}, {PerTenant, 40, 20 * time.Second}, {PerTenant, 100, 10 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var sent []time.Time
			var replica sync.WaitGroup
			ctx, end := context.WithTimeout(t.Context(), patience)
			defer end()
			for range replicas {
				b := limit.budget(1. / replicas)
				replica.Go(func() {
					for range limit.Requests {
						if wait, err := pass(ctx, b, graph.Interactive); err != nil || wait > 0 {
							t.Error(wait, err)
						}
						mu.Lock()
						sent = append(sent, time.Now())
						mu.Unlock()
					}
				})
			}
			replica.Wait()
			for i := range sent[:len(sent)-limit.Requests] {
				if span := sent[i+limit.Requests].Sub(sent[i]); span < limit.Per {
					t.Errorf("%+v: %d requests within %v", limit, limit.Requests+1, span)
				}
			}
		})
	}
}

func TestARequestIsCountedByTheFirstRowThatMatches(t *testing.T) {
	t.Parallel()
	table := DefaultLimits()
	for _, c := range []struct {
		request  graph.Request
		uri      string
		download bool
		want     []Limit
	}{
		{graph.Request{API: "copilot"}, "/v1.0/copilot/users/x/interactionHistory/getAllEnterpriseInteractions?$top=1", false, []Limit{{PerTenant, 30, time.Second}}},
		{graph.Request{API: "chat", User: "u"}, "/v1.0/users/u/chats/getAllMessages?a=/messages", false, []Limit{{PerTenant, 200, time.Second}}},
		{graph.Request{API: "chat", Resource: "c"}, "/v1.0/chats/c/Messages?$top=50", false, []Limit{{PerTenant, 20, time.Second}, {PerResource, 1, time.Second}}},
		{graph.Request{API: "chat", Resource: "c"}, "/v1.0/chats/c/messages/1", false, []Limit{{PerTenant, 30, time.Second}, {PerResource, 1, time.Second}}},
		{graph.Request{API: "conversations", User: "u"}, "/v1.0/users/u/chats", false, []Limit{{PerTenant, 20, time.Second}, {PerUser, 1, time.Second}}},
		{graph.Request{API: "conversations", Resource: "c"}, "/v1.0/chats/c", false, []Limit{{PerTenant, 200, time.Second}, {PerResource, 1, time.Second}, {PerUser, 5, time.Second}}},
		{graph.Request{API: "conversations", Resource: "c"}, "/v1.0/chats/c/members", false, []Limit{{PerTenant, 30, time.Second}, {PerResource, 1, time.Second}, {PerUser, 1, time.Second}}},
		{graph.Request{API: "call"}, "/v1.0/communications/callRecords", false, []Limit{{PerTenant, 40, 20 * time.Second}}},
		{graph.Request{API: "call", Resource: "r"}, "/v1.0/communications/callRecords/r", false, []Limit{{PerTenant, 1500, 20 * time.Second}, {PerResource, 40, 20 * time.Second}}},
		{graph.Request{API: "usage"}, "/v1.0/x", true, []Limit{{PerTenant, 14, 10 * time.Minute}}},
		{graph.Request{API: "usage"}, "/beta/x", false, []Limit{{PerTenant, 100, 10 * time.Minute}}},
		{graph.Request{API: "users"}, "/v1.0/users", false, nil},
		{graph.Request{API: "other"}, "/v1.0/other", false, nil},
	} {
		row := table.row(Call{&c.request, c.uri, c.download})
		var got []Limit
		if row >= 0 {
			got = table[row].Limits
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.uri, got, c.want)
		}
	}
}

// pass acquires and releases once, as a request without an answer to wait for.
func pass(ctx context.Context, b *budget, priority graph.Priority) (time.Duration, error) {
	probe, tooLong, err := b.acquire(ctx, &graph.Request{Priority: priority})
	if err != nil || tooLong > 0 {
		return tooLong, err
	}
	b.spend()
	b.release(probe, true, time.Now())
	return 0, nil
}

func TestABudgetKeepsItsRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(Limit{PerTenant, 30, time.Second}.rate(1))
		start := time.Now()
		var wg sync.WaitGroup
		for range 254 {
			wg.Go(func() {
				if _, err := pass(t.Context(), b, graph.Background); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// A burst of 5 of which background leaves 1, then 24.9 per second.
		if took := time.Since(start); took < 9900*time.Millisecond || took > 10100*time.Millisecond {
			t.Errorf("254 requests took %v", took)
		}
	})
}

func TestInteractiveGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1, 1)
		var mu sync.Mutex
		var order []byte
		var wg sync.WaitGroup
		enter := func(priority graph.Priority, mark byte) {
			wg.Go(func() {
				if _, err := pass(t.Context(), b, priority); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, mark)
			})
			synctest.Wait()
		}
		enter(graph.Background, 'b') // takes the burst
		for range 8 {
			enter(graph.Background, 'b')
		}
		for range 8 {
			enter(graph.Interactive, 'i')
		}
		wg.Wait()
		if got, want := string(order), "biiibiiibiibbbbbb"; got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	})
}

func TestBackgroundLeavesBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.01, 8) // reserve 2
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		now := 0
		for range 10 {
			if wait, err := pass(ctx, b, graph.Background); wait == 0 && err == nil {
				now++
			}
		}
		if now != 6 {
			t.Errorf("background took %d of 8 at once, want 6", now)
		}
		for range 2 {
			if wait, err := pass(t.Context(), b, graph.Interactive); wait != 0 || err != nil {
				t.Errorf("interactive waits %v, %v", wait, err)
			}
		}
	})
}

func TestABudgetTellsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.1, 1)
		if wait, err := pass(t.Context(), b, graph.Interactive); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if wait, err := pass(ctx, b, graph.Interactive); wait != 10*time.Second || err != nil {
			t.Errorf("wait %v, %v; want 10s at once", wait, err)
		}
		slow := newBudget(0.01, 1)
		if _, err := pass(t.Context(), slow, graph.Interactive); err != nil {
			t.Fatal(err)
		}
		if wait, err := pass(t.Context(), slow, graph.Interactive); wait < time.Minute || err != nil {
			t.Errorf("interactive without a deadline: wait %v, %v", wait, err)
		}
		start := time.Now()
		if wait, err := pass(t.Context(), slow, graph.Background); wait != 0 || err != nil || time.Since(start) < 99*time.Second {
			t.Errorf("background without a deadline: wait %v, %v, took %v", wait, err, time.Since(start))
		}
	})
}

func TestOneProbeGoesAheadWhenAGateOpens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0, 1)
		if closed := b.close(10*time.Second, ""); closed != 10*time.Second {
			t.Fatalf("closed for %v", closed)
		}
		var mu sync.Mutex
		passed, probes := 0, 0
		var wg sync.WaitGroup
		verdict := make(chan bool)
		for range 200 {
			wg.Go(func() {
				probe, tooLong, err := b.acquire(t.Context(), &graph.Request{})
				if err != nil || tooLong > 0 {
					t.Errorf("%v, %v", tooLong, err)
					return
				}
				b.spend()
				mu.Lock()
				passed++
				if probe {
					probes++
				}
				mu.Unlock()
				if probe {
					if <-verdict {
						b.release(true, true, time.Now())
					} else {
						b.close(5*time.Second, "")
						b.release(true, false, time.Now())
					}
				}
			})
		}
		look := func(wantPassed, wantProbes int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if passed != wantPassed || probes != wantProbes {
				t.Errorf("%d passed, %d probes; want %d, %d", passed, probes, wantPassed, wantProbes)
			}
		}
		time.Sleep(9999 * time.Millisecond)
		look(0, 0)
		time.Sleep(time.Millisecond)
		look(1, 1)
		verdict <- false // still throttled
		time.Sleep(4999 * time.Millisecond)
		look(1, 1)
		time.Sleep(time.Millisecond)
		look(2, 2)
		verdict <- true
		wg.Wait()
		look(200, 2)
	})
}

func TestASlowProbeDoesNotHoldForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0, 1)
		b.close(time.Second, "")
		if probe, _, err := b.acquire(t.Context(), &graph.Request{}); !probe || err != nil {
			t.Fatal(probe, err)
		}
		start := time.Now()
		probe, _, err := b.acquire(t.Context(), &graph.Request{})
		if !probe || err != nil || time.Since(start) != probeTime {
			t.Errorf("probe %v, %v after %v", probe, err, time.Since(start))
		}
	})
}

func TestACanceledProbeLetsTheNextOneGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0, 1)
		b.close(time.Second, "")
		first, _, err := b.acquire(t.Context(), &graph.Request{})
		if !first || err != nil {
			t.Fatal(first, err)
		}
		start := time.Now()
		time.AfterFunc(100*time.Millisecond, func() { b.release(true, false, time.Now()) })
		second, _, err := b.acquire(t.Context(), &graph.Request{})
		if !second || err != nil || time.Since(start) != 100*time.Millisecond {
			t.Errorf("probe %v, %v after %v", second, err, time.Since(start))
		}
	})
}

func TestAClosingGateRefusesThoseWhoCannotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0.5, 1)
		if _, err := pass(t.Context(), b, graph.Interactive); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		time.AfterFunc(time.Second, func() { b.close(30*time.Second, "") })
		start := time.Now()
		wait, err := pass(ctx, b, graph.Interactive)
		if wait != 30*time.Second || err != nil || time.Since(start) != time.Second {
			t.Errorf("wait %v, %v after %v", wait, err, time.Since(start))
		}
	})
}

func TestStrikesGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0, 1)
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second} {
			if got := b.close(0, ""); got != want {
				t.Errorf("closed for %v, want %v", got, want)
			}
			b.close(0, "") // the same burst: no further strike
			time.Sleep(time.Until(b.until))
		}
		if _, err := pass(t.Context(), b, graph.Interactive); err != nil {
			t.Fatal(err)
		}
		if got := b.close(0, ""); got != time.Second {
			t.Errorf("after a success closed for %v", got)
		}
	})
}

func TestACanceledWaiterLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(1, 1)
		if _, err := pass(t.Context(), b, graph.Interactive); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		start := time.Now()
		if _, err := pass(ctx, b, graph.Interactive); !errors.Is(err, context.Canceled) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, err := pass(t.Context(), b, graph.Interactive); err != nil || time.Since(start).Round(time.Millisecond) != time.Second {
			t.Errorf("the next one passed after %v (%v): the canceled one took a turn", time.Since(start), err)
		}
	})
}

func TestBudgetsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewBudgets(DefaultLimits(), 1)
		for i := range 5 * minSweep {
			r := &graph.Request{API: graph.APIConversations, User: fmt.Sprint("u", i)}
			plan, _, done := s.plan(Call{r, "/v1.0/users/u/chats", false})
			if len(plan) != 2 {
				t.Fatalf("%d budgets", len(plan))
			}
			for _, b := range plan {
				if _, err := pass(t.Context(), b, graph.Interactive); err != nil {
					t.Fatal(err)
				}
			}
			done()
		}
		if len(s.all) > 2*minSweep {
			t.Errorf("%d budgets are kept", len(s.all))
		}
	})
}

// TestAPrecautionEndsWithAnAnswer shows what a 429 of one user does to the others: they wait for no more than ten seconds, and not at all once an
// answer shows that the tenant was not meant.
func TestWhomAThrottledAnswerIsAbout(t *testing.T) {
	t.Parallel()
	type throttled struct{ user, chat string }
	for name, c := range map[string]struct {
		path         string
		answers      []throttled
		user, tenant time.Duration // for which the last user and the tenant are closed at the end, of a minute
	}{
		"one chat":                       {"members", []throttled{{"a", "1"}}, maxPrecaution, maxPrecaution},
		"the same chat again":            {"members", []throttled{{"a", "1"}, {"a", "1"}}, maxPrecaution, maxPrecaution},
		"two chats of one user":          {"members", []throttled{{"a", "1"}, {"a", "2"}}, time.Minute, maxPrecaution},
		"three chats of one user":        {"members", []throttled{{"a", "1"}, {"a", "2"}, {"a", "3"}}, time.Minute, maxPrecaution},
		"chats of two users":             {"members", []throttled{{"a", "1"}, {"b", "2"}}, 0, time.Minute},
		"two of one user, then another":  {"members", []throttled{{"a", "1"}, {"a", "2"}, {"b", "3"}}, 0, time.Minute},
		"two chats, users have no limit": {"messages", []throttled{{"a", "1"}, {"a", "2"}}, 0, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := NewBudgets(DefaultLimits(), 1)
				api := map[string]string{"members": graph.APIConversations, "messages": graph.APIChat}[c.path]
				var plan []*budget
				for _, a := range c.answers {
					call := Call{&graph.Request{API: api, User: a.user, Resource: a.chat}, "/v1.0/chats/" + a.chat + "/" + c.path, false}
					var done func()
					plan, _, done = s.plan(call)
					s.close(call, plan, time.Minute, time.Now())
					done()
				}
				left := func(b *budget) time.Duration { return max(0, time.Until(b.until)) }
				if got := left(plan[len(plan)-1]); got != c.tenant {
					t.Errorf("the tenant is closed for %v, want %v", got, c.tenant)
				}
				if got := left(plan[1]); len(plan) == 3 && got != c.user {
					t.Errorf("the user is closed for %v, want %v", got, c.user)
				}
			})
		})
	}
}

func TestAPrecautionEndsWithAnAnswer(t *testing.T) {
	t.Parallel()
	const uri = "/v1.0/users/u/chats"
	type answer struct {
		user      string
		after     time.Duration // since the one before
		sent      time.Duration // before it is answered
		throttled bool
	}
	for name, c := range map[string]struct {
		answers []answer
		wait    time.Duration // Retry-After
		tenant  time.Duration // for which the tenant is closed at the end
	}{
		"one user":                        {[]answer{{"a", 0, 0, true}}, 7 * time.Second, 7 * time.Second},
		"one user, long":                  {[]answer{{"a", 0, 0, true}}, time.Minute, maxPrecaution},
		"the same user again":             {[]answer{{"a", 0, 0, true}, {"a", 0, 0, true}}, time.Minute, maxPrecaution},
		"two users":                       {[]answer{{"a", 0, 0, true}, {"b", 0, 0, true}}, time.Minute, time.Minute},
		"sent later, answered":            {[]answer{{"a", 0, time.Second, true}, {"b", 0, time.Millisecond, false}}, time.Minute, 0},
		"sent before, answered":           {[]answer{{"a", 0, time.Millisecond, true}, {"b", 0, time.Second, false}}, time.Minute, maxPrecaution},
		"alone, then throttled again":     {[]answer{{"a", 0, time.Second, true}, {"b", 0, time.Millisecond, false}, {"a", 2 * time.Minute, 0, true}}, time.Minute, 0},
		"alone long ago":                  {[]answer{{"a", 0, time.Second, true}, {"b", 0, time.Millisecond, false}, {"a", aloneTime, 0, true}}, time.Minute, maxPrecaution},
		"answered when it was open again": {[]answer{{"a", 0, 0, true}, {"b", time.Minute, 0, false}, {"a", time.Second, 0, true}}, 5 * time.Second, 5 * time.Second},
		"alone, then two users":           {[]answer{{"a", 0, time.Second, true}, {"b", 0, time.Millisecond, false}, {"c", 0, 0, true}}, time.Minute, time.Minute},
		"alone by the same user's next":   {[]answer{{"a", 0, time.Second, true}, {"a", 0, time.Millisecond, false}}, time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := NewBudgets(DefaultLimits(), 1)
				var tenant *budget
				for _, a := range c.answers {
					time.Sleep(a.after)
					call := Call{&graph.Request{API: graph.APIConversations, User: a.user}, uri, false}
					plan, _, done := s.plan(call)
					tenant = plan[1]
					sent := time.Now().Add(-a.sent)
					if a.throttled {
						s.close(call, plan, c.wait, sent)
						if !plan[0].closed() {
							t.Errorf("%s stayed open", a.user)
						}
					}
					for _, b := range plan {
						if narrow := b.release(false, !a.throttled, sent); narrow != nil {
							narrow.rememberAlone()
						}
					}
					done()
				}
				if left := max(0, time.Until(tenant.until)); left != c.tenant {
					t.Errorf("the tenant is closed for %v, want %v", left, c.tenant)
				}
			})
		})
	}
}
