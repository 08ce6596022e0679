package lifetime

import (
	"context"
	"errors"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline/failure"
)

// StreamCloser ends one stream at a place from which it can be resumed: never between a batch and its checkpoint, unless the
// caller's own deadline or the bound of Close comes first, or the reader takes too long.
type StreamCloser struct {
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

// closeWithin is how long a stream that is to make room may take to its next checkpoint.
const closeWithin = 300 * time.Millisecond

// Streams are what ends the streams of a server.
type Streams struct {
	Shutdown *Shutdown
	Conns    *ConnAges
	// MaxAge is when a stream ends with its token.
	MaxAge time.Duration
	// Stall is how long a reader may take nothing; 0 = for ever.
	Stall time.Duration
}

// Watch returns a context for a stream. The context ends when the server stops, when the stream or its connection is old, or when
// other callers need the place. The function cut ends the stream even while it waits for its reader; hold and eviction belong to the call.
// The caller calls release when the stream is over.
func (s *Streams) Watch(ctx context.Context, cut func(error), hold *Hold, eviction *Eviction) (_ context.Context, closer *StreamCloser, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	closer = &StreamCloser{cancel: cancel, cut: cut, stall: s.Stall}
	unhook := context.AfterFunc(s.Shutdown.ctx, func() { closer.stop(ErrStreamEnded("the gateway is stopping")) })
	age := time.AfterFunc(s.MaxAge, func() { closer.stopSoon(ErrStreamEnded("the stream has reached its age")) })
	settle := s.Conns.endBeforeCut(hold, closer)
	eviction.OnEvict(closer.stopSoon)
	return ctx, closer, func() {
		unhook()
		age.Stop()
		settle()
		closer.finish()
		cancel(nil)
	}
}

// ErrStreamEnded is a planned end: the caller goes on at once.
func ErrStreamEnded(why string) *apierror.Error {
	err := apierror.New(parleyv1.ErrorReason_ERROR_REASON_STREAM_ENDED, why+"; go on from the resume token")
	err.RetryNow = true
	return err
}

// finish stops the timer that would still end the stream.
func (c *StreamCloser) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.late != nil {
		c.late.Stop()
	}
}

// stop ends the stream for a reason, as soon as it may end.
func (c *StreamCloser) stop(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping == nil {
		c.stopping = reason
	}
	if !c.open {
		c.cancel(reason)
	}
}

// Stop ends the stream for a reason at its next checkpoint, or soon before it.
func (c *StreamCloser) Stop(reason error) { c.stopSoon(reason) }

// stopSoon ends the stream for a reason at its next checkpoint, or after closeWithin if that is sooner.
func (c *StreamCloser) stopSoon(reason error) {
	c.stop(reason)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late == nil && !c.over {
		c.late = time.AfterFunc(closeWithin, func() { c.force(reason) })
	}
}

// force ends the stream for a reason wherever it stands, even if it waits for its reader.
func (c *StreamCloser) force(reason error) {
	c.mu.Lock()
	if c.stopping == nil {
		c.stopping = reason
	}
	reason = WithToken(c.stopping, c.token)
	over := c.over
	c.mu.Unlock()
	if !over {
		c.cancel(reason)
		c.cut(reason)
	}
}

// SendFrame sends a frame. Token is that of a checkpoint or summary. An error ends the stream.
func (c *StreamCloser) SendFrame(part Part, token string, send func() error) error {
	if err := c.before(part); err != nil {
		return err
	}
	if err := c.Send(send); err != nil || token == "" {
		return err
	}
	return c.after(part, token)
}

// Send runs send, which hands a part to the transport. If that waits for the reader longer than the stall, the stream ends.
func (c *StreamCloser) Send(send func() error) error {
	if c.stall > 0 {
		stalled := time.AfterFunc(c.stall, func() { c.force(ErrStreamEnded("the reader took nothing for " + c.stall.String())) })
		defer stalled.Stop()
	}
	return send()
}

func (c *StreamCloser) before(part Part) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping != nil && !c.open && part != Summary {
		return c.stopping
	}
	c.open = c.open || part == Content
	return nil
}

func (c *StreamCloser) after(part Part, token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.open = token, false
	if c.stopping != nil && part != Summary {
		return c.stopping
	}
	return nil
}

// Result returns the error of the stream, with its last token. If the server ended the stream, its reason replaces err.
func (c *StreamCloser) Result(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping != nil {
		err = c.stopping
	}
	return WithToken(err, c.token)
}

// WithToken adds a resume token to an error that has none.
func WithToken(err error, token string) error {
	var known *failure.StreamError
	if token == "" || errors.As(err, &known) {
		return err
	}
	return &failure.StreamError{Err: err, ResumeToken: token}
}

// TokenOf returns the resume token of an error, or "".
func TokenOf(err error) string {
	if known, ok := errors.AsType[*failure.StreamError](err); ok {
		return known.ResumeToken
	}
	return ""
}
