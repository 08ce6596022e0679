package lifetime

import (
	"context"
	"time"
)

// Shutdown is the signal to calls and streams that the server stops.
type Shutdown struct {
	ctx   context.Context //nolint:containedctx // its end is the signal
	begin context.CancelFunc
}

// NewShutdown makes the signal of a shutdown that has not begun.
func NewShutdown() *Shutdown {
	ctx, cancel := context.WithCancel(context.Background())
	return &Shutdown{ctx, cancel}
}

// Begin begins the shutdown.
func (s *Shutdown) Begin() { s.begin() }

// Begun reports whether the server stops.
func (s *Shutdown) Begun() bool { return s.ctx.Err() != nil }

// watchGrace is how long a health watch lives on, so that it can report NOT_SERVING.
const watchGrace = 200 * time.Millisecond

// AfterBegin returns a context that ends a moment after the server begins to stop: for health watches, which would hold it up.
func (s *Shutdown) AfterBegin(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.ctx, func() {
		timer := time.NewTimer(watchGrace)
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
