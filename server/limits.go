package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/server/fault"
)

// limits bounds what runs at one time, and refuses calls that come while the server stops.
type limits struct {
	calls, streams chan struct{}
	drain          *drainer
	memory         *memory
}

func newLimits(calls, streams int, drain *drainer) *limits {
	return &limits{make(chan struct{}, calls), make(chan struct{}, streams), drain, newMemory()}
}

// enter takes a place; the result gives it back.
func (l *limits) enter(places chan struct{}, method string) (leave func(), err error) {
	if !isAPI(method) {
		return func() {}, nil
	}
	if l.drain.begun() {
		return nil, errShuttingDown()
	}
	share := callShare
	if places == l.streams {
		share = streamShare
	}
	if l.memory.full(share) {
		return nil, overloaded("the gateway's memory is in use; running calls end first")
	}
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, overloaded("the gateway is at its limit of calls at one time")
	}
}

func overloaded(message string) *fault.Error {
	return &fault.Error{Code: codes.Unavailable, Reason: fault.ReasonOverloaded, RetryAfter: retrySoon, Message: message}
}

// idle waits until no stream runs, or ctx ends. It may be called once, and only when new ones are refused.
func (l *limits) idle(ctx context.Context) {
	for range cap(l.streams) {
		select {
		case l.streams <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func (l *limits) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	leave, err := l.enter(l.calls, info.FullMethod)
	if err != nil {
		return nil, err
	}
	defer leave()
	return next(ctx, req)
}

func (l *limits) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !isAPI(info.FullMethod) {
		ctx, release := l.drain.soon(stream.Context())
		defer release()
		return next(srv, &streamWith{stream, ctx})
	}
	leave, err := l.enter(l.streams, info.FullMethod)
	if err != nil {
		return err
	}
	defer leave()
	return next(srv, stream)
}

func errShuttingDown() *fault.Error {
	return &fault.Error{
		Code: codes.Unavailable, Reason: fault.ReasonShuttingDown, RetryAfter: retrySoon,
		Message: "the gateway is stopping; go on from the resume token, if there is one",
	}
}
