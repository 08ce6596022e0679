package server

import (
	"context"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
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
// caller's own deadline or the bound of Close comes first, or the reader takes too long.
type streamEnd struct {
	cancel context.CancelCauseFunc
	cut    func(err error) // ends the stream although it waits for its reader
	stall  time.Duration   // that a reader may take nothing

	mu       sync.Mutex
	stopping error  // why it ends; nil = it does not
	open     bool   // a batch is out and its checkpoint is not
	over     bool   // it has ended
	token    string // of the last checkpoint
	late     *time.Timer
}

// hardAfter is how long a stream that is to make room may take to its next checkpoint.
const hardAfter = 300 * time.Millisecond

// watch returns the context of a stream that ends when the server stops, when the stream or its connection is old, or when
// others need its place. The caller calls release when the stream is over.
func (s *streams) watch(ctx context.Context) (_ context.Context, end *streamEnd, release func()) {
	info := infoOf(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	end = &streamEnd{cancel: cancel, cut: info.cutStream, stall: s.stall}
	unhook := context.AfterFunc(s.drain.ctx, func() { end.stop(errStreamEnded("the gateway is stopping")) })
	age := time.AfterFunc(s.age, func() { end.stopSoon(errStreamEnded("the stream has reached its age")) })
	settle := s.ages.retire(info.hold, end)
	if info.out != nil {
		info.out.by(end.stopSoon)
	}
	return ctx, end, func() {
		unhook()
		age.Stop()
		settle()
		end.finish()
		cancel(nil)
	}
}

// errStreamEnded is a planned end: the caller goes on at once.
func errStreamEnded(why string) *apierror.Error {
	err := apierror.New(parleyv1.ErrorReason_ERROR_REASON_STREAM_ENDED, why+"; go on from the resume token")
	err.RetryNow = true
	return err
}

// finish calls everything off that would still end the stream.
func (e *streamEnd) finish() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if e.late != nil {
		e.late.Stop()
	}
}

// stop ends the stream for a reason, as soon as it may end.
func (e *streamEnd) stop(reason error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping == nil {
		e.stopping = reason
	}
	if !e.open {
		e.cancel(reason)
	}
}

// stopSoon ends the stream for a reason within a second, at the next checkpoint if that comes sooner.
func (e *streamEnd) stopSoon(reason error) {
	e.stop(reason)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.late == nil && !e.over {
		e.late = time.AfterFunc(hardAfter, func() { e.force(reason) })
	}
}

// force ends the stream for a reason wherever it stands, even if it waits for its reader.
func (e *streamEnd) force(reason error) {
	e.mu.Lock()
	if e.stopping == nil {
		e.stopping = reason
	}
	reason = withToken(e.stopping, e.token)
	over := e.over
	e.mu.Unlock()
	if !over {
		e.cancel(reason)
		e.cut(reason)
	}
}

// send runs what hands a frame to the transport. A reader who takes nothing for too long is given up.
func (e *streamEnd) send(frame func() error) error {
	if e.stall > 0 {
		stalled := time.AfterFunc(e.stall, func() { e.force(errStreamEnded("the reader took nothing for " + e.stall.String())) })
		defer stalled.Stop()
	}
	return frame()
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

// result is the stream's error: where the server ended it, its reason, and always with the last token.
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
