package lifetime

import "sync"

// Eviction ends a stream to make room for other callers. The limits interceptor makes it, with a stop that cancels the call; the service
// then sets one that ends the stream with its resume token. A nil Eviction never ends anything.
type Eviction struct {
	mu      sync.Mutex
	stop    func(reason error)
	evicted error
}

// NewEviction makes the eviction of a stream that stop ends.
func NewEviction(stop func(reason error)) *Eviction { return &Eviction{stop: stop} }

// Evict ends the stream.
func (e *Eviction) Evict(reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.evicted == nil {
		e.evicted = reason
		e.stop(reason)
	}
}

// OnEvict replaces the function that ends the stream. It is called at once if the stream was evicted before.
func (e *Eviction) OnEvict(stop func(reason error)) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop = stop; e.evicted != nil {
		stop(e.evicted)
	}
}
