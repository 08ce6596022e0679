// Package coalesce lets callers who want the same value at the same time share one call that makes it.
//
// A caller who gives up leaves the others alone. A call is cancelled when the last of its callers has left, unless Start has begun
// or joined it, or it lingers. Nothing is remembered: whoever comes after the end of a call begins the next one.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	// ErrClosed is the error of a Group that was closed; it is a context.Canceled.
	ErrClosed = fmt.Errorf("coalesce: closed: %w", context.Canceled)
	// ErrNoCall is the answer to Join when no call is under way.
	ErrNoCall = errors.New("coalesce: no call is under way")
)

// Group holds the calls under way, at most one for each key that newcomers join. The zero value is ready; Close it.
type Group[K comparable, V any] struct {
	mu     sync.Mutex
	calls  map[K]*Call[K, V]        // for newcomers
	live   map[*Call[K, V]]struct{} // calls, and those that newer ones took the place of
	tasks  sync.WaitGroup
	closed bool
}

// Options say how a caller takes part in a call. With the zero value the caller joins whatever is under way, or begins a call
// that ends with its last caller.
type Options struct {
	// Since is the earliest beginning of a call that the caller joins; zero = any. An older call goes on beside the new one.
	Since time.Time
	// Urgent is closed when the caller needs the value next; nil = at once. The call learns by the function Urgent when
	// anybody does. Whoever joins a call does.
	Urgent <-chan struct{}
	// Linger is asked when the time of the last caller was up, and returns for how long the call goes on for whoever comes
	// next; nil = not at all. A call whose callers were cancelled ends at once. The Linger of whoever began counts.
	Linger func() time.Duration
}

// Call is a call under way, or one that has ended.
type Call[K comparable, V any] struct {
	group *Group[K, V]
	key   K
	began time.Time
	// detached calls go on although nobody waits.
	detached bool
	linger   func() time.Duration
	cancel   context.CancelFunc

	// Of the group's lock.
	waiters  map[*waiter]struct{}
	isUrgent bool
	lingerer *time.Timer // ends a call that lingers; nil while somebody waits

	urgent chan struct{} // closed when somebody needs the value next
	ended  chan struct{}
	value  V
	err    error
}

// waiter is a caller of a call.
type waiter struct{ ctx context.Context } //nolint:containedctx // it is the caller's

// Do returns the value of the call for a key and begins it by do unless one is under way. joined reports whether it was.
//
// The context of do holds the values of the first caller, ends when nobody waits any more, and has the latest deadline of all
// who wait; see also Urgent and Waiters.
func (g *Group[K, V]) Do(
	ctx context.Context, key K, opts Options, do func(context.Context) (V, error),
) (value V, joined bool, err error) {
	if err := ctx.Err(); err != nil {
		return value, false, err
	}
	c, w, joined, err := g.enter(ctx, key, opts, do)
	if err != nil {
		return value, false, err
	}
	urgent := opts.Urgent
	for {
		select {
		case <-c.ended:
			return c.value, joined, c.err
		case <-ctx.Done():
			g.leave(c, w, errors.Is(ctx.Err(), context.DeadlineExceeded))
			return value, joined, ctx.Err()
		case <-urgent:
			urgent = nil
			g.mu.Lock()
			c.markUrgent()
			g.mu.Unlock()
		}
	}
}

// Join returns the value of the call that is under way for a key; without one it returns ErrNoCall.
func (g *Group[K, V]) Join(ctx context.Context, key K, opts Options) (V, error) {
	value, _, err := g.Do(ctx, key, opts, nil)
	return value, err
}

// enter makes the caller a waiter of a call.
func (g *Group[K, V]) enter(
	ctx context.Context, key K, opts Options, do func(context.Context) (V, error),
) (c *Call[K, V], w *waiter, joined bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, nil, false, ErrClosed
	}
	c, joined = g.calls[key]
	joined = joined && !c.began.Before(opts.Since)
	switch {
	case joined:
		if c.lingerer != nil {
			c.lingerer.Stop()
			c.lingerer = nil
		}
		c.markUrgent()
	case do == nil:
		return nil, nil, false, ErrNoCall
	default:
		c = g.begin(context.WithoutCancel(ctx), key, do)
		c.linger = opts.Linger
	}
	w = &waiter{ctx}
	c.waiters[w] = struct{}{}
	if opts.Urgent == nil {
		c.markUrgent()
	}
	return c, w, joined, nil
}

// Start begins a call that goes on whether or not anybody waits, unless one is under way, and returns it. Its context has no
// values and no deadline and ends when the Group is closed.
func (g *Group[K, V]) Start(key K, do func(context.Context) (V, error)) *Call[K, V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c := &Call[K, V]{ended: make(chan struct{}), err: ErrClosed}
		close(c.ended)
		return c
	}
	c, underWay := g.calls[key]
	if !underWay {
		c = g.begin(context.Background(), key, do)
	}
	c.detached = true
	c.markUrgent()
	return c
}

// Wait returns the value of a call that Start began, or the error of a context that ends before.
func (c *Call[K, V]) Wait(ctx context.Context) (value V, err error) {
	select {
	case <-c.ended:
		return c.value, c.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// UnderWay reports whether a call for the key is under way that began at since or later.
func (g *Group[K, V]) UnderWay(key K, since time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.calls[key]
	return ok && !c.began.Before(since)
}

// Close cancels all calls and waits for them.
func (g *Group[K, V]) Close() {
	g.mu.Lock()
	g.closed = true
	for c := range g.live {
		c.cancel()
	}
	g.mu.Unlock()
	g.tasks.Wait()
}

// begin starts a call. The lock is held.
func (g *Group[K, V]) begin(parent context.Context, key K, do func(context.Context) (V, error)) *Call[K, V] {
	ctx, cancel := context.WithCancel(parent)
	c := &Call[K, V]{
		group: g, key: key, began: time.Now(), cancel: cancel, waiters: map[*waiter]struct{}{},
		urgent: make(chan struct{}), ended: make(chan struct{}),
	}
	if g.calls == nil {
		g.calls, g.live = map[K]*Call[K, V]{}, map[*Call[K, V]]struct{}{}
	}
	g.calls[key] = c
	g.live[c] = struct{}{}
	g.tasks.Go(func() {
		defer cancel()
		value, err := do(&callContext[K, V]{ctx, c})
		g.mu.Lock()
		c.value, c.err = value, err
		delete(g.live, c)
		g.replace(c)
		if c.lingerer != nil {
			c.lingerer.Stop()
		}
		g.mu.Unlock()
		close(c.ended)
	})
	return c
}

// leave takes a waiter away from a call, which the last one ends.
func (g *Group[K, V]) leave(c *Call[K, V], w *waiter, timeUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(c.waiters, w)
	if len(c.waiters) > 0 || c.detached {
		return
	}
	var linger time.Duration
	if timeUp && g.calls[c.key] == c && c.linger != nil {
		linger = c.linger()
	}
	if linger <= 0 {
		g.end(c)
		return
	}
	var lingerer *time.Timer
	lingerer = time.AfterFunc(linger, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if c.lingerer == lingerer {
			g.end(c)
		}
	})
	c.lingerer = lingerer
}

// end cancels a call that nobody waits for. The lock is held.
func (g *Group[K, V]) end(c *Call[K, V]) {
	c.cancel()
	g.replace(c)
}

// replace has the next caller of the key begin anew. The lock is held.
func (g *Group[K, V]) replace(c *Call[K, V]) {
	if g.calls[c.key] == c {
		delete(g.calls, c.key)
	}
}

// markUrgent notes that somebody needs the value next. The lock is held.
func (c *Call[K, V]) markUrgent() {
	if !c.isUrgent {
		c.isUrgent = true
		close(c.urgent)
	}
}
