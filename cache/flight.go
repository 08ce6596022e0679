package cache

import (
	"context"
	"sync"
	"time"
)

// Flight lets callers who want the same thing at the same time share one piece of work. A caller who gives up leaves the
// others alone; the work is cancelled when the last one has left.
type Flight[V any] struct {
	mu    sync.Mutex
	calls map[string]*work[V]
	group sync.WaitGroup
	done  bool
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
}

// NewFlight returns an empty Flight; Close it.
func NewFlight[V any]() *Flight[V] {
	return &Flight[V]{calls: map[string]*work[V]{}}
}

// Do returns what do returns for key, starting it unless it is under way. joined is true for a caller who found it under
// way. do's context carries the values of the first caller, ends when nobody waits any more, and has the latest deadline
// of all who wait.
func (f *Flight[V]) Do(ctx context.Context, key string, do func(context.Context) (V, error)) (value V, joined bool, err error) {
	if err := ctx.Err(); err != nil {
		return value, false, err
	}
	f.mu.Lock()
	if f.done {
		f.mu.Unlock()
		return value, false, context.Canceled
	}
	w, joined := f.calls[key]
	if !joined {
		w = f.begin(ctx, key, do)
	}
	w.next++
	me := w.next
	w.waiters[me] = ctx //nolint:fatcontext // each waiter keeps its own
	f.mu.Unlock()

	select {
	case <-w.ended:
		return w.value, joined, w.err
	case <-ctx.Done():
		f.leave(key, w, me)
		return value, joined, ctx.Err()
	}
}

// begin starts the work; the lock is held.
func (f *Flight[V]) begin(ctx context.Context, key string, do func(context.Context) (V, error)) *work[V] {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &work[V]{mu: &f.mu, waiters: map[int]context.Context{}, cancel: cancel, ended: make(chan struct{})}
	f.calls[key] = w
	f.group.Go(func() {
		defer cancel()
		value, err := do(deadlines[V]{inner, w})
		f.mu.Lock()
		w.value, w.err = value, err
		if f.calls[key] == w {
			delete(f.calls, key)
		}
		f.mu.Unlock()
		close(w.ended)
	})
	return w
}

// leave takes a waiter away; the last one ends the work, and a later caller begins anew.
func (f *Flight[V]) leave(key string, w *work[V], me int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(w.waiters, me)
	if len(w.waiters) > 0 {
		return
	}
	w.cancel()
	if f.calls[key] == w {
		delete(f.calls, key)
	}
}

// Close cancels all work and waits for it. Do then answers context.Canceled.
func (f *Flight[V]) Close() {
	f.mu.Lock()
	f.done = true
	for _, w := range f.calls {
		w.cancel()
	}
	f.mu.Unlock()
	f.group.Wait()
}

// deadlines is the context of a piece of work: its deadline follows those who wait.
type deadlines[V any] struct {
	context.Context //nolint:containedctx // it is a context itself

	w *work[V]
}

// Deadline is the latest of all waiters; none if one of them has none.
func (d deadlines[V]) Deadline() (time.Time, bool) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	var latest time.Time
	for _, ctx := range d.w.waiters {
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
