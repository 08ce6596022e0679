// Package shares divides places between holders. A holder who is alone may take all. When no place is left, a holder below its share
// still gets one: the pool takes it from the holder with most above a share. The bytes of calls are divided by a rule of their own, since
// they change while a call runs (server/interceptor, byteShares).
package shares

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// Errors of Enter.
var (
	// ErrFull says that there is no place, and that the holder is not entitled to another one: it has its share already, or there are no
	// shares.
	ErrFull = errors.New("shares: every place is taken")
	// ErrLate says that no place was found in the time that there was for it.
	ErrLate = errors.New("shares: no place was found in time")
)

// Pool is a number of places. It is safe for concurrent use.
type Pool struct {
	// MaxWait is how long Enter waits at most; 0 = until its context ends. It is set before the first Enter.
	MaxWait time.Duration

	size  int64
	share float64

	mu      sync.Mutex
	used    int64
	holders map[string]*holder
	waiting list.List // of *waiter, in turn
}

// holder holds places or waits for one.
type holder struct {
	name    string
	weight  float64
	used    int64
	waiting int64     // places that its waiters ask for
	places  list.List // of *Place, the newest last
}

// waiter waits for a place.
type waiter struct {
	place *Place
	ready chan struct{} // closed when the place is theirs
}

// Place is a place that Enter gave. Leave gives it back.
type Place struct {
	pool   *Pool
	holder *holder
	cost   int64
	evict  func()
	going  bool // it was asked to go
	at     *list.Element
}

// New returns a pool of size places. share is the largest part of them that a holder of weight 1 may keep while others wait; 0 or less,
// or 1 or more = no holder has to give a place back.
func New(size int, share float64) *Pool {
	return &Pool{size: int64(max(size, 1)), share: share, holders: make(map[string]*holder)}
}

// Enter takes cost places for a piece of work. weight is the number of shares of the holder; evict ends the work soon, and is called at
// most once, from any goroutine. If no place is free, Enter waits for MaxWait or until the context ends, but only if the holder is
// below its share.
func (p *Pool) Enter(ctx context.Context, name string, weight float64, cost int, evict func()) (*Place, error) {
	p.mu.Lock()
	h := p.holders[name]
	if h == nil {
		h = &holder{name: name}
		p.holders[name] = h
	}
	h.weight = weight
	place := &Place{pool: p, holder: h, cost: min(max(int64(cost), 1), p.size), evict: evict}
	if p.waiting.Len() == 0 && p.used+place.cost <= p.size {
		p.take(place)
		p.mu.Unlock()
		return place, nil
	}
	if !p.entitled(place) {
		p.forget(h)
		p.mu.Unlock()
		return nil, ErrFull
	}
	w := &waiter{place, make(chan struct{})}
	at := p.waiting.PushBack(w)
	h.waiting += place.cost
	evicted := p.makeRoom()
	p.mu.Unlock()
	for _, evict := range evicted {
		evict()
	}
	return p.await(ctx, w, at)
}

// await returns the place of a waiter at an element of the queue, or removes the waiter when the time for it ends first.
func (p *Pool) await(ctx context.Context, w *waiter, at *list.Element) (*Place, error) {
	if p.MaxWait > 0 {
		within, cancel := context.WithTimeout(ctx, p.MaxWait)
		defer cancel()
		ctx = within
	}
	select {
	case <-w.ready:
		return w.place, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.ready:
		return w.place, nil
	default:
	}
	p.waiting.Remove(at)
	w.place.holder.waiting -= w.place.cost
	p.forget(w.place.holder)
	p.admit()
	return nil, ErrLate
}

// Leave gives the place back. It may be called more than once.
func (pl *Place) Leave() {
	p := pl.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.at == nil {
		return
	}
	pl.holder.places.Remove(pl.at)
	pl.at = nil
	pl.holder.used -= pl.cost
	p.used -= pl.cost
	p.forget(pl.holder)
	p.admit()
}

// Used is how many places are taken.
func (p *Pool) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// fair is how many places a holder may hold while others wait; the lock is held.
func (p *Pool) fair(h *holder) int64 {
	return max(int64(float64(p.size)*p.share*h.weight), 1)
}

// hasShares reports whether a holder may have to give places back.
func (p *Pool) hasShares() bool { return p.share > 0 && p.share < 1 }

// entitled reports whether a place, beside those that its holder has and waits for, is within the holder's share; the lock is held. One
// place, whatever its cost, always is.
func (p *Pool) entitled(pl *Place) bool {
	return p.hasShares() && pl.holder.used+pl.holder.waiting+pl.cost <= max(p.fair(pl.holder), pl.cost)
}

// Size returns the number of places.
func (p *Pool) Size() int { return int(p.size) }

// take gives a place to its holder; the lock is held.
func (p *Pool) take(pl *Place) {
	pl.holder.used += pl.cost
	p.used += pl.cost
	pl.at = pl.holder.places.PushBack(pl)
}

// admit gives free places to the waiters, in turn; the lock is held.
func (p *Pool) admit() {
	for at := p.waiting.Front(); at != nil; at = p.waiting.Front() {
		w, _ := at.Value.(*waiter)
		if p.used+w.place.cost > p.size {
			return
		}
		p.waiting.Remove(at)
		w.place.holder.waiting -= w.place.cost
		p.take(w.place)
		close(w.ready)
	}
}

// makeRoom chooses work to end, so that the waiters find room; the lock is held. The newest work of the holder with most above
// a share goes first.
func (p *Pool) makeRoom() (evicted []func()) {
	need := p.used - p.size
	for at := p.waiting.Front(); at != nil; at = at.Next() {
		w, _ := at.Value.(*waiter)
		need += w.place.cost
	}
	over := make(map[*holder]int64)
	for _, h := range p.holders {
		over[h] = h.used - p.fair(h)
		for at := h.places.Front(); at != nil; at = at.Next() {
			if pl, _ := at.Value.(*Place); pl.going {
				need -= pl.cost
				over[h] -= pl.cost
			}
		}
	}
	for need > 0 {
		var most *holder
		for h, n := range over {
			if n > 0 && (most == nil || n > over[most]) {
				most = h
			}
		}
		if most == nil {
			return evicted
		}
		pl := most.newest()
		if pl == nil {
			delete(over, most)
			continue
		}
		pl.going = true
		need -= pl.cost
		over[most] -= pl.cost
		evicted = append(evicted, pl.evict)
	}
	return evicted
}

// newest is the holder's newest place that was not asked to go; nil = there is none.
func (h *holder) newest() *Place {
	for at := h.places.Back(); at != nil; at = at.Prev() {
		if pl, _ := at.Value.(*Place); !pl.going && pl.evict != nil {
			return pl
		}
	}
	return nil
}

// forget drops a holder of nothing; the lock is held.
func (p *Pool) forget(h *holder) {
	if h.used == 0 && h.waiting == 0 && h.places.Len() == 0 {
		delete(p.holders, h.name)
	}
}
