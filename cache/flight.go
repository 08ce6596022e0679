package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-gateway/parley/source"
)

// Flight lets callers who want the same thing at the same time share one piece of work. A caller who gives up leaves the
// others alone; the work is cancelled when the last one has left.
type Flight[V any] struct {
	mu     sync.Mutex
	calls  map[string]*work[V]
	live   map[*work[V]]struct{} // calls, and those that newer ones took the place of
	group  sync.WaitGroup
	closed bool
}

// Share says how a caller takes part in a piece of work. The zero value is that of Flight.Do.
type Share struct {
	// Wanted is closed when the caller needs the value next; nil = at once. Wanted tells the work when anybody does.
	Wanted <-chan struct{}
	// Since is the earliest beginning of work that the caller joins; zero = any.
	Since time.Time
	// Join is true for a caller who begins no work: what is not under way is ErrNotCached.
	Join bool
	// Linger is how long work goes on for whoever comes next after the time of its last caller was up, as long as Stuck, if
	// set, reports true then. Work whose callers were cancelled ends at once.
	Linger time.Duration
	Stuck  func() bool
}

// work is one piece of work and those who wait for it.
type work[V any] struct {
	mu      *sync.Mutex // the Flight's
	waiters map[int]context.Context
	next    int
	cancel  context.CancelFunc
	ended   chan struct{}
	value   V
	err     error

	began   time.Time
	wanted  chan struct{}   // closed when somebody needs the value next
	told    <-chan struct{} // the same, for the work
	pressed bool

	how  Share       // of whoever began
	late *time.Timer // ends work that lingers; nil while somebody waits
}

// press notes that somebody needs the value next; the lock is held.
func (w *work[V]) press() {
	if !w.pressed {
		w.pressed = true
		close(w.wanted)
	}
}

// NewFlight returns an empty Flight; Close it.
func NewFlight[V any]() *Flight[V] {
	return &Flight[V]{calls: map[string]*work[V]{}, live: map[*work[V]]struct{}{}}
}

// Do returns what do returns for key, starting it unless it is under way. joined is true for a caller who found it under
// way. do's context carries the values of the first caller, ends when nobody waits any more, and has the latest deadline
// and the highest priority of all who wait.
func (f *Flight[V]) Do(ctx context.Context, key string, do func(context.Context) (V, error)) (value V, joined bool, err error) {
	return f.Share(ctx, key, Share{}, do)
}

// Share is Do for a caller who says more.
func (f *Flight[V]) Share(ctx context.Context, key string, how Share, do func(context.Context) (V, error)) (value V, joined bool, err error) {
	if err := ctx.Err(); err != nil {
		return value, false, err
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return value, false, context.Canceled
	}
	w, joined := f.calls[key]
	if joined && w.began.Before(how.Since) {
		joined = false
	}
	switch {
	case joined:
		if w.late != nil {
			w.late.Stop()
			w.late = nil
		}
		w.press() // who joins does not wait for the room of whoever began
	case how.Join:
		f.mu.Unlock()
		return value, false, ErrNotCached
	default:
		w = f.begin(ctx, key, do)
		w.how = how
	}
	w.next++
	me := w.next
	w.waiters[me] = ctx //nolint:fatcontext // each waiter keeps its own
	if how.Wanted == nil {
		w.press()
	}
	f.mu.Unlock()

	for {
		select {
		case <-w.ended:
			return w.value, joined, w.err
		case <-ctx.Done():
			f.leave(key, w, me, errors.Is(ctx.Err(), context.DeadlineExceeded))
			return value, joined, ctx.Err()
		case <-how.Wanted:
			how.Wanted = nil
			f.mu.Lock()
			w.press()
			f.mu.Unlock()
		}
	}
}

// begin starts the work; the lock is held.
func (f *Flight[V]) begin(ctx context.Context, key string, do func(context.Context) (V, error)) *work[V] {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &work[V]{
		mu: &f.mu, waiters: map[int]context.Context{}, cancel: cancel, ended: make(chan struct{}),
		began: time.Now(), wanted: make(chan struct{}),
	}
	w.told = w.wanted
	f.calls[key] = w
	f.live[w] = struct{}{}
	f.group.Go(func() {
		defer cancel()
		value, err := do(sharing[V]{inner, w})
		f.mu.Lock()
		w.value, w.err = value, err
		delete(f.live, w)
		if f.calls[key] == w {
			delete(f.calls, key)
		}
		if w.late != nil {
			w.late.Stop()
		}
		f.mu.Unlock()
		close(w.ended)
	})
	return w
}

// leave takes a waiter away. The last one ends the work, and a later caller begins anew; work that lingers ends later.
func (f *Flight[V]) leave(key string, w *work[V], me int, timeUp bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(w.waiters, me)
	if len(w.waiters) > 0 {
		return
	}
	if timeUp && f.calls[key] == w && w.how.Linger > 0 && (w.how.Stuck == nil || w.how.Stuck()) {
		var late *time.Timer
		late = time.AfterFunc(w.how.Linger, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if w.late == late {
				f.end(key, w)
			}
		})
		w.late = late
		return
	}
	f.end(key, w)
}

// end cancels work that nobody waits for; the lock is held.
func (f *Flight[V]) end(key string, w *work[V]) {
	w.cancel()
	if f.calls[key] == w {
		delete(f.calls, key)
	}
}

// UnderWay reports whether work for key is being done that began at since or later.
func (f *Flight[V]) UnderWay(key string, since time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, ok := f.calls[key]
	return ok && !w.began.Before(since)
}

// Close cancels all work and waits for it. Do then answers context.Canceled.
func (f *Flight[V]) Close() {
	f.mu.Lock()
	f.closed = true
	for w := range f.live {
		w.cancel()
	}
	f.mu.Unlock()
	f.group.Wait()
}

// sharing is the context of a piece of work: its deadline and priority follow those who wait.
type sharing[V any] struct {
	context.Context //nolint:containedctx // it is a context itself

	w *work[V]
}

type wantedKey struct{}

// Wanted is closed when somebody needs the work of this context next. nil = it is no work of a Flight's.
func Wanted(ctx context.Context) <-chan struct{} {
	wanted, _ := ctx.Value(wantedKey{}).(<-chan struct{})
	return wanted
}

// Deadline is the latest of all waiters; none if one of them has none.
func (s sharing[V]) Deadline() (time.Time, bool) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var latest time.Time
	for _, ctx := range s.w.waiters {
		deadline, ok := ctx.Deadline()
		if !ok {
			return time.Time{}, false
		}
		if deadline.After(latest) {
			latest = deadline
		}
	}
	return latest, !latest.IsZero()
}

// Value implements context.Context.
func (s sharing[V]) Value(key any) any {
	switch key.(type) {
	case wantedKey:
		return s.w.told
	case source.PriorityKey:
		return s.priority()
	}
	return s.Context.Value(key)
}

// priority is the highest of all waiters.
func (s sharing[V]) priority() source.Priority {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	priority := source.Background
	for _, ctx := range s.w.waiters {
		priority = min(priority, source.PriorityOf(ctx))
	}
	return priority
}
