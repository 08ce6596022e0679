package ratelimit

import (
	"context"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// DefaultPaymentPause is how long a route that asked for payment is left alone.
const DefaultPaymentPause = 15 * time.Minute

// Breaker remembers the routes that ask for payment or for a licence of the tenant. Such an answer stands until somebody
// completes the billing set-up, buys the licence or a new month begins, and each request may be charged for, so all calls of
// the route fail at once for a while; then one call goes ahead as a probe, and the others wait for its answer. An answer about
// one user opens no breaker; a 402 that does not say whom it concerns opens it when a second user gets it.
type Breaker struct {
	pause time.Duration

	mu        sync.Mutex
	routes    map[string]*tripped
	undecided map[string]string // by route: the user who got a 402 that does not say whom it concerns, since the route last served anybody
}

// tripped is a route that asked for payment and has not served anything since.
type tripped struct {
	until time.Time
	probe chan struct{} // closed when the call that went ahead is over; nil = none is under way
	last  *graph.Error  // the answer that opened it
}

// NewBreaker returns a Breaker that leaves a route alone for a while.
func NewBreaker(pause time.Duration) *Breaker {
	return &Breaker{pause: pause, routes: map[string]*tripped{}, undecided: map[string]string{}}
}

// Enter lets a call about a user pass (empty = about none), or refuses it: while the route asks for payment, or when the context ends while
// it waits for a probe. leave is to be called with the outcome of the call; nil with a refusal.
func (b *Breaker) Enter(ctx context.Context, route, user string) (leave func(*graph.Error), refusal *graph.Error) {
	for {
		leave, refusal, probe := b.try(route, user)
		if probe == nil {
			return leave, refusal
		}
		select {
		case <-probe:
		case <-ctx.Done():
			return nil, graph.Canceled(ctx)
		}
	}
}

// try is Enter without waiting. Where another call is the probe, it returns the channel that is closed when that call ends.
func (b *Breaker) try(route, user string) (leave func(*graph.Error), refusal *graph.Error, probe <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.routes[route]
	switch {
	case t == nil:
		return func(err *graph.Error) { b.leave(route, user, err, nil) }, nil, nil
	case t.probe != nil:
		return nil, nil, t.probe
	case time.Now().Before(t.until):
		refusal = t.last.Clone()
		refusal.Unsent, refusal.Reason = true, "the route asked for payment lately and is left alone"
		return nil, refusal, nil
	}
	own := make(chan struct{})
	t.probe = own
	return func(err *graph.Error) { b.leave(route, user, err, own) }, nil, nil
}

// leave learns from a call that is over; probe is not nil if it went ahead.
func (b *Breaker) leave(route, user string, err *graph.Error, probe chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe != nil {
		defer close(probe)
	}
	switch t := b.routes[route]; {
	case b.concernsAll(route, user, err):
		b.routes[route] = &tripped{until: time.Now().Add(b.pause), last: err.Clone()}
	case t == nil || probe == nil || t.probe != probe:
	case err == nil:
		delete(b.routes, route)
	default:
		t.probe = nil // nothing was learnt: the next call goes ahead
	}
}

// concernsAll notes whom an outcome is about, and reports whether it is one for everybody who asks the route; it marks the error of a second
// user so. The lock is held.
func (b *Breaker) concernsAll(route, user string, err *graph.Error) bool {
	switch {
	case err == nil:
		delete(b.undecided, route)
		return false
	case err.Kind == graph.KindTenantNotLicensed:
		return true
	case err.Kind != graph.KindPaymentRequired:
		return false
	case !err.Personal():
		return true
	}
	before, found := b.undecided[route]
	b.undecided[route] = user
	if found && before != user {
		err.MarkConcernsAll()
		return true
	}
	return false
}
