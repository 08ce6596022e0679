package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/metrics"
)

// limits bounds what runs at one time, and refuses calls that come while the server stops.
type limits struct {
	calls, streams chan struct{}
	drain          *drainer
	memory         Memory
	ledger         *ledger.Ledger
	shed           func(cause string) // counts a refusal
}

func newLimits(cfg *Config, drain *drainer) *limits {
	return &limits{
		make(chan struct{}, cfg.MaxCalls), make(chan struct{}, cfg.MaxStreams), drain, cfg.Memory, cfg.Ledger, cfg.Metrics.Shed,
	}
}

// enter takes a place; leave gives it back.
func (l *limits) enter(places chan struct{}) error {
	if l.drain.begun() {
		return errShuttingDown()
	}
	refuses, cause := l.memory.RefusesCalls, metrics.ShedCalls
	if places == l.streams {
		refuses, cause = l.memory.RefusesStreams, metrics.ShedStreams
	}
	if refuses() {
		l.shed(metrics.ShedMemory)
		return overloaded("the gateway's memory is in use; running calls end first")
	}
	select {
	case places <- struct{}{}:
		return nil
	default:
		l.shed(cause)
		return overloaded("the gateway is at its limit of calls at one time")
	}
}

func leave(places chan struct{}) { <-places }

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
	if !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	if err := l.enter(l.calls); err != nil {
		return nil, err
	}
	defer leave(l.calls)
	return next(ctx, req)
}

func (l *limits) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !isAPI(info.FullMethod) {
		ctx, release := l.drain.soon(stream.Context())
		defer release()
		return next(srv, &streamWith{stream, ctx})
	}
	if err := l.enter(l.streams); err != nil {
		return err
	}
	defer leave(l.streams)
	account := l.admit(stream.Context())
	if account == nil {
		l.shed(metrics.ShedReadAhead)
		return overloaded("the streams under way may still take all memory that there is for reading ahead")
	}
	defer account.Close()
	return next(srv, &streamWith{stream, ledger.With(stream.Context(), account)})
}

// admit opens the account of a stream. It waits for a moment: those who leave are not noticed at once, and those who read ahead
// make room.
func (l *limits) admit(ctx context.Context) *ledger.Account {
	ctx, cancel := context.WithTimeout(ctx, retrySoon)
	defer cancel()
	return l.ledger.Admit(ctx)
}

func errShuttingDown() *fault.Error {
	return &fault.Error{
		Code: codes.Unavailable, Reason: fault.ReasonShuttingDown, RetryAfter: retrySoon,
		Message: "the gateway is stopping; go on from the resume token, if there is one",
	}
}
