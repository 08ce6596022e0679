package ratelimit

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// MaxWait is how long a request without a deadline waits at most: for a closed gate and for a turn. A background request at limits per
// second waits longer for a turn, and for a closed gate if it has more patience (graph.Request).
const MaxWait = time.Minute

// PatienceOf is how long a request without a deadline waits at most for a gate that Graph's Retry-After closed.
func PatienceOf(r *graph.Request) time.Duration { return cmp.Or(r.Patience, MaxWait) }

// Call holds the properties of a request on which limits depend.
type Call struct {
	Request *graph.Request
	// URI is the request target.
	URI string
	// Download marks a report that is asked for as a file.
	Download bool
}

// Turn is the right to send one request now; Leave ends it.
type Turn struct {
	// Waited is the time that the request waited for it.
	Waited time.Duration

	budgets  *Budgets
	call     Call
	plan     []*budget // narrowest first
	names    []string  // of the plan's budgets in a Pool
	probes   []bool    // by plan
	granted  int       // budgets of the plan that gave their turn: the first ones
	pooled   bool      // they gave it with the Pool being there
	promised bool      // the Pool has told the request when to come again
	done     func()
	sent     time.Time
	answered bool
}

// Enter waits until every budget and gate that counts a call lets it pass. A call
// whose wait for a wider limit would be too long does not wait for a narrow one
// first. Errors are *graph.Error.
func (s *Budgets) Enter(ctx context.Context, call Call) (*Turn, error) {
	s.followPool()
	plan, names, done := s.plan(call)
	t := &Turn{budgets: s, call: call, plan: plan, names: names, probes: make([]bool, len(plan)), done: done}
	start := time.Now()
	if err := t.enter(ctx); err != nil {
		t.giveBack(0)
		t.Leave(ctx)
		return nil, err
	}
	for _, b := range t.plan {
		b.spend()
	}
	t.sent = time.Now()
	t.Waited = t.sent.Sub(start)
	return t, nil
}

// enter waits for the turns of all budgets of the plan and then for a slot of the Pool, if there is one.
func (t *Turn) enter(ctx context.Context) error {
	for _, b := range t.plan[1:] {
		if wait := b.outlasts(ctx, t.call.Request); wait > 0 {
			return outlasting(b, wait)
		}
	}
	for {
		if t.granted == 0 {
			t.pooled = t.budgets.followPool()
		}
		for t.granted < len(t.plan) {
			b := t.plan[t.granted]
			probe, tooLong, err := b.acquire(ctx, t.call.Request)
			switch {
			case err != nil:
				return graph.Canceled(ctx)
			case tooLong > 0:
				return outlasting(b, tooLong)
			}
			t.probes[t.granted] = probe
			t.granted++
		}
		if acquired, err := t.takeSlot(ctx); acquired || err != nil {
			return err
		}
	}
}

// Answered learns from the answer to the request, and closes the gates that it asks to.
func (t *Turn) Answered(ctx context.Context, resp *http.Response) {
	if wait := graph.RetryAfter(resp.Header, time.Now()); throttles(resp.StatusCode, wait) {
		gates := t.budgets.close(t.call, t.plan, wait, t.sent)
		t.shareGates(ctx, gates)
		return
	}
	t.answered = true
}

// Leave ends the turn, whether or not the request was answered.
func (t *Turn) Leave(ctx context.Context) {
	var opened []Gate
	for i, b := range t.plan {
		if narrow := b.release(t.probes[i], t.answered, t.sent); narrow != nil {
			narrow.rememberAlone()
			opened = append(opened, Gate{budget: i, Suspected: true})
		}
	}
	t.shareGates(ctx, opened)
	t.done()
}

// outlasting is the error of a request that would wait too long at a budget.
func outlasting(b *budget, wait time.Duration) *graph.Error {
	e := &graph.Error{Kind: graph.KindThrottled, RetryAfter: wait, Reason: "Graph asked to wait, for longer than the request can", Unsent: true}
	if e.OwnBudget = !b.closed(); e.OwnBudget {
		e.Reason = "our own budget is used up for longer than the request can wait"
	}
	return e
}

// throttles reports whether an answer asks all requests of its kind to wait.
func throttles(status int, wait time.Duration) bool {
	return graph.KindOf(status) == graph.KindThrottled || status == http.StatusServiceUnavailable && wait > 0
}
