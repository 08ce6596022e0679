package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is a context with a deadline of its own whose timer is made when somebody waits for it: a call that is answered
// from memory needs none.
type deadline struct {
	context.Context //nolint:containedctx // it is one itself

	at    time.Time
	timed atomic.Pointer[timed] // nil until somebody waits

	mu    sync.Mutex
	ended bool
}

// timed is the same context with a timer.
type timed struct {
	context.Context //nolint:containedctx // it is one itself

	cancel context.CancelFunc
}

var _ context.Context = (*deadline)(nil)

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.wait().Done() }

// Err implements context.Context.
func (d *deadline) Err() error {
	if t := d.timed.Load(); t != nil {
		return t.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return d.wait().Err() // Done then says the same
	}
	return nil
}

// Value implements context.Context. Contexts made of this one find the timer's and need no goroutine.
func (d *deadline) Value(key any) any {
	if t := d.timed.Load(); t != nil {
		return t.Value(key)
	}
	return d.Context.Value(key)
}

func (d *deadline) wait() *timed {
	if t := d.timed.Load(); t != nil {
		return t
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.timed.Load()
	if t == nil {
		ctx, cancel := context.WithDeadline(d.Context, d.at)
		t = &timed{ctx, cancel}
		d.timed.Store(t)
		if d.ended {
			cancel()
		}
	}
	return t
}

// end releases the timer; who still waits finds the context canceled.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if t := d.timed.Load(); t != nil {
		t.cancel()
	}
}
