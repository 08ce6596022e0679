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
// caller's own deadline or the bound of Stop comes first, or the client takes too long.
type StreamCloser struct {
	cancel context.CancelCauseFunc
	abort  func(err error) // ends the stream although it waits for its client
	stall  time.Duration   // that a client may take nothing

	mu         sync.Mutex
	stopping   error  // why it ends; nil = it does not
	midBatch   bool   // a batch is out and its checkpoint is not
	ended      bool   // it has ended
	token      string // of the last checkpoint
	forceTimer *time.Timer
}

// closeWithin is how long a stopped stream may take to its next checkpoint, and a client to take an answer, before either is ended all the
// same.
const closeWithin = 300 * time.Millisecond

// Streams decides when the streams of a server end.
type Streams struct {
	Shutdown *Shutdown
	Conns    *GRPCConns
	// MaxAge is when a stream ends with its token.
	MaxAge time.Duration
	// Stall is how long a client may take nothing; 0 = for ever.
	Stall time.Duration
}

// Watch returns a context for a stream. The context ends when the server stops, when the stream or its connection is old, or when
// other callers need the place. The function abort ends the stream even while it waits for its client; hold and eviction belong to the call.
// The caller calls release when the stream is over.
func (s *Streams) Watch(ctx context.Context, abort func(error), hold *Hold, eviction *Eviction) (_ context.Context, closer *StreamCloser, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	closer = &StreamCloser{cancel: cancel, abort: abort, stall: s.Stall}
	unwatchShutdown := context.AfterFunc(s.Shutdown.ctx, func() { closer.stopAtCheckpoint(ErrStreamEnded("the gateway is stopping")) })
	age := time.AfterFunc(s.MaxAge, func() { closer.Stop(ErrStreamEnded("the stream has reached its age")) })
	releaseConn := s.Conns.endWithinGrace(hold, closer)
	eviction.OnEvict(closer.Stop)
	return ctx, closer, func() {
		unwatchShutdown()
		age.Stop()
		releaseConn()
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
	c.ended = true
	if c.forceTimer != nil {
		c.forceTimer.Stop()
	}
}

// stopAtCheckpoint ends the stream for a reason at its next checkpoint; at once where nothing was sent after the last one.
func (c *StreamCloser) stopAtCheckpoint(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping == nil {
		c.stopping = reason
	}
	if !c.midBatch {
		c.cancel(reason)
	}
}

// Stop ends the stream for a reason at its next checkpoint, or after closeWithin if that is sooner.
func (c *StreamCloser) Stop(reason error) {
	c.stopAtCheckpoint(reason)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forceTimer == nil && !c.ended {
		c.forceTimer = time.AfterFunc(closeWithin, func() { c.force(reason) })
	}
}

// force ends the stream for a reason wherever it stands, even if it waits for its client.
func (c *StreamCloser) force(reason error) {
	c.mu.Lock()
	if c.stopping == nil {
		c.stopping = reason
	}
	reason = WithToken(c.stopping, c.token)
	over := c.ended
	c.mu.Unlock()
	if !over {
		c.cancel(reason)
		c.abort(reason)
	}
}

// SendFrame sends a frame. Token is that of a checkpoint or summary. An error ends the stream.
func (c *StreamCloser) SendFrame(part Part, token string, send func() error) error {
	if err := c.beforeSend(part); err != nil {
		return err
	}
	if err := c.Send(send); err != nil || token == "" {
		return err
	}
	return c.afterSend(part, token)
}

// Send runs send, which hands a part to the transport. If that waits for the client longer than the stall, the stream ends.
func (c *StreamCloser) Send(send func() error) error {
	if c.stall > 0 {
		stalled := time.AfterFunc(c.stall, func() { c.force(ErrStreamEnded("the client took nothing for " + c.stall.String())) })
		defer stalled.Stop()
	}
	return send()
}

// beforeSend returns why a part must not be sent; nil = it may be.
func (c *StreamCloser) beforeSend(part Part) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping != nil && !c.midBatch && part != Summary {
		return c.stopping
	}
	c.midBatch = c.midBatch || part == Content
	return nil
}

// afterSend notes the token of a part, and returns why the stream ends at it; nil = it goes on.
func (c *StreamCloser) afterSend(part Part, token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.midBatch = token, false
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
