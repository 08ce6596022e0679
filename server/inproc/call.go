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

// Call is one call as its caller sees it, beside the messages and the metadata.
type Call struct {
	// TLS is the state of the connection that the request came over; nil = none. Handlers see it as their peer's.
	TLS *tls.ConnectionState
	// Request is the request message of the call, after it was handed over.
	Request any
	// Answer is the value that the handler and the interceptors returned, or that the handler sent last. It may be of another type than
	// the method's message, such as an answer whose parts are encoded already; the reply of the call then stays empty. The value that a
	// stream sent is valid until the next message is asked for.
	Answer any

	stop func() // ends the stream; nil = there is none
}

// End ends the call's stream, if there is one, and waits for its handler. The context of the call must have ended before, or
// the handler must have returned, else a handler that waits for something else holds End up.
func (c *Call) End() {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// CallKey is the key of a context under which its *Call stands.
type CallKey struct{}

// NewContext returns a context for one call.
func NewContext(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, CallKey{}, call)
}

// FromContext returns the call of a context, or nil.
func FromContext(ctx context.Context) *Call {
	call, _ := ctx.Value(CallKey{}).(*Call)
	return call
}
