package lifetime

import "sync"

// Eviction lets a stream be ended for others by whoever does not know how it ends well. A nil one is never evicted.
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

// OnEvict sets what ends the stream from now on.
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
