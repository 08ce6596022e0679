package graphclient

import (
	"sync"
	"time"
)

// DefaultPaymentPause is how long a route that asked for payment is left alone.
const DefaultPaymentPause = 15 * time.Minute

// breaker remembers the routes that answered 402. Such an answer stands until somebody completes the billing set-up or a
// new month begins, and each request may be charged for, so all calls of the route fail at once for a while; then one call
// at a time goes ahead to see.
type breaker struct {
	pause time.Duration

	mu     sync.Mutex
	routes map[string]*tripped
}

// tripped is a route that asked for payment and has not served anything since.
type tripped struct {
	until   time.Time
	probing bool
	last    *Error // the answer that opened it
}

func newBreaker(pause time.Duration) *breaker {
	return &breaker{pause: pause, routes: map[string]*tripped{}}
}

// enter lets a call pass, or refuses it. leave is to be called with the call's outcome.
func (b *breaker) enter(route string, now time.Time) (leave func(*Error), refusal *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.routes[route]
	if t == nil {
		return func(err *Error) { b.leave(route, err, false) }, nil
	}
	if t.probing || now.Before(t.until) {
		refusal = t.last.clone()
		refusal.local, refusal.reason = true, "the route asked for payment lately and is left alone"
		return nil, refusal
	}
	t.probing = true
	return func(err *Error) { b.leave(route, err, true) }, nil
}

func (b *breaker) leave(route string, err *Error, probe bool) {
	if err == nil && !probe {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch t := b.routes[route]; {
	case err != nil && err.Kind == KindPaymentRequired:
		b.routes[route] = &tripped{until: time.Now().Add(b.pause), last: err.clone()}
	case t == nil || !probe:
	case err == nil:
		delete(b.routes, route)
	default:
		t.probing = false // nothing was learnt: the next call goes ahead
	}
}
