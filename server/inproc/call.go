// Package inproc calls gRPC services inside the process: an Invoker is a grpc.ClientConnInterface whose calls run the handlers of
// registered services behind interceptors, as a grpc.Server does, without a transport and without encoding.
//
// A call takes its deadline and its cancellation from the context of its caller, and the outgoing metadata of that context is
// its incoming metadata. Handlers run on the goroutine of the caller: Invoke returns when the handler has returned, and the
// handler of a stream runs while its caller waits for a message. Whoever opens a stream ends it with Call.End, which waits
// for the handler; an Invoker owns no goroutine.
package inproc

import (
	"context"
	"crypto/tls"
)

// Call carries facts between the caller and the handler of one call that messages and metadata do not carry.
type Call struct {
	// TLS is the state of the connection that the request came over; nil = none. Handlers see it as their peer's.
	TLS *tls.ConnectionState
	// Answer is the value that the handler and the interceptors returned, or that the handler sent last. It may be of another type than
	// the method's message, such as an answer whose parts are encoded already; the reply of the call then stays empty. The value that a
	// stream sent is valid until the next message is asked for.
	Answer any

	// Reconnect is set where the caller comes back to a stream with the last token that it saw.
	Reconnect bool

	// Unchanged is set where the caller has the answer already, so that it is not sent again. An interceptor sets it.
	Unchanged bool

	// AbortWrite makes the writing of the answer fail, now and from now on; nil = it cannot be aborted. It is called from any goroutine.
	AbortWrite func()

	// Account counts the bytes that the caller renders from the answer, which live until the call ends; nil = nobody counts them.
	// The handler sets it.
	Account interface{ Add(bytes int64) }

	stop func()   // ends the stream
	last []func() // run when the answer is written
}

// OnEnd has a function run when the call ends, which is after its answer is written.
func (c *Call) OnEnd(do func()) { c.last = append(c.last, do) }

type callKey struct{}

// NewContext returns a context for one call.
func NewContext(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// FromContext returns the call of a context, or nil.
func FromContext(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

// End ends the call's stream, if there is one, and waits for its handler. The context of the call must have ended before, or
// the handler must have returned, else a handler that waits for something else holds End up.
func (c *Call) End() {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	for _, do := range c.last {
		do()
	}
	c.last = nil
}
