package server

import (
	"context"
	"sync"
	"time"
)

// drainer tells open streams that the server stops.
type drainer struct {
	ctx   context.Context //nolint:containedctx // its end is the signal
	start context.CancelFunc
}

func newDrainer() *drainer {
	ctx, cancel := context.WithCancel(context.Background())
	return &drainer{ctx, cancel}
}

// begun says whether the server stops.
func (d *drainer) begun() bool { return d.ctx.Err() != nil }

// farewell is how long a health watch lives on, so that it can tell its end.
const farewell = 200 * time.Millisecond

// soon returns a context that ends a moment after the server begins to stop: for health watches, which would hold it up.
func (d *drainer) soon(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(d.ctx, func() {
		timer := time.NewTimer(farewell)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		unhook()
		cancel()
	}
}

// streamEnd ends one stream at a place from which it can be resumed: never between a batch and its checkpoint, unless the
// caller's own deadline or the bound of Close comes first.
type streamEnd struct {
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	stopping error  // why it ends; nil = it does not
	open     bool   // a batch is out and its checkpoint is not
	token    string // of the last checkpoint
}

// watch returns the context of a stream that ends when the server stops. The caller calls release when the stream is over.
func (d *drainer) watch(ctx context.Context) (_ context.Context, end *streamEnd, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	end = &streamEnd{cancel: cancel}
	unhook := context.AfterFunc(d.ctx, func() { end.stop(errShuttingDown()) })
	return ctx, end, func() {
		unhook()
		cancel(nil)
	}
}

// stop ends the stream for a reason, as soon as it may end.
func (e *streamEnd) stop(reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopping = reason
	if !e.open {
		e.cancel(reason)
	}
}

// before is called with each frame before it is sent; an error ends the stream.
func (e *streamEnd) before(batch, final bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping != nil && !e.open && !final {
		return e.stopping
	}
	e.open = e.open || batch
	return nil
}

// after is called when a frame with a token has been sent; an error ends the stream.
func (e *streamEnd) after(token string, final bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.token, e.open = token, false
	if e.stopping != nil && !final {
		return e.stopping
	}
	return nil
}

// result is the stream's error: where the server ended it, SHUTTING_DOWN, and always with the last token.
func (e *streamEnd) result(err error) error {
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping != nil {
		err = e.stopping
	}
	return withToken(err, e.token)
}
