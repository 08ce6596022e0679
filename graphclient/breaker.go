package graphclient

import (
	"context"
	"sync"
	"time"
)

// DefaultPaymentPause is how long a route that asked for payment is left alone.
const DefaultPaymentPause = 15 * time.Minute

// breaker remembers the routes that answered 402. Such an answer stands until somebody completes the billing set-up or a
// new month begins, and each request may be charged for, so all calls of the route fail at once for a while; then one call
// goes ahead to see, and the others wait for what it learns.
type breaker struct {
	pause time.Duration

	mu     sync.Mutex
	routes map[string]*tripped
}

// tripped is a route that asked for payment and has not served anything since.
type tripped struct {
	until time.Time
	probe chan struct{} // closed when the call that went ahead is over; nil = none is under way
	last  *Error        // the answer that opened it
}

func newBreaker(pause time.Duration) *breaker {
	return &breaker{pause: pause, routes: map[string]*tripped{}}
}

// enter lets a call pass, or refuses it. leave is to be called with the call's outcome.
func (b *breaker) enter(ctx context.Context, route string) (leave func(*Error), refusal *Error) {
	for {
		leave, refusal, probe := b.try(route)
		if probe == nil {
			return leave, refusal
		}
		select {
		case <-probe:
		case <-ctx.Done():
			return nil, canceled(ctx)
		}
	}
}

// try is enter without waiting: where another call went ahead, it returns what is closed when that is over.
func (b *breaker) try(route string) (leave func(*Error), refusal *Error, probe <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.routes[route]
	switch {
	case t == nil:
		return func(err *Error) { b.leave(route, err, nil) }, nil, nil
	case t.probe != nil:
		return nil, nil, t.probe
	case time.Now().Before(t.until):
		refusal = t.last.clone()
		refusal.local, refusal.reason = true, "the route asked for payment lately and is left alone"
		return nil, refusal, nil
	}
	own := make(chan struct{})
	t.probe = own
	return func(err *Error) { b.leave(route, err, own) }, nil, nil
}

// leave learns from a call that is over; probe is not nil if it went ahead.
func (b *breaker) leave(route string, err *Error, probe chan struct{}) {
	if err == nil && probe == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe != nil {
		defer close(probe)
	}
	switch t := b.routes[route]; {
	case err != nil && err.Kind == KindPaymentRequired:
		b.routes[route] = &tripped{until: time.Now().Add(b.pause), last: err.clone()}
	case t == nil || probe == nil || t.probe != probe:
	case err == nil:
		delete(b.routes, route)
	default:
		t.probe = nil // nothing was learnt: the next call goes ahead
	}
}
