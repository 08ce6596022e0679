package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/shares"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/metrics"
)

// admissionWait is how long a call waits for a place, and a stream for room, before it is refused.
const admissionWait = time.Second

// limits bounds what runs at one time and divides it between callers, and refuses calls that come while the server stops.
type limits struct {
	calls, streams *shares.Pool
	drain          *drainer
	memory         Memory
	held           *bytesHeld
	shed           func(cause string) // counts a refusal
	weight         func(ctx context.Context) float64
}

func newLimits(cfg *Config, drain *drainer) *limits {
	share := cfg.CallerShare
	if cfg.mode.open() {
		share = 0 // all callers are one
	}
	return &limits{
		calls: shares.New(cfg.MaxCalls, share), streams: shares.New(cfg.MaxStreams, share),
		drain: drain, memory: cfg.Memory, shed: cfg.Metrics.Shed,
		held: &bytesHeld{ledger: cfg.Ledger, share: share, open: make(map[*ledger.Account]*holding)},
		weight: func(ctx context.Context) float64 {
			if cfg.Policy == nil {
				return 1
			}
			return cfg.Policy.Current().Weight(infoOf(ctx).caller)
		},
	}
}

// enter takes a place for work that costs so much, within the caller's share. evict ends the work.
func (l *limits) enter(ctx context.Context, places *shares.Pool, cost int, evict func()) (*shares.Place, error) {
	noteCaller(ctx)
	if l.drain.begun() {
		return nil, errShuttingDown()
	}
	refuses, cause := l.memory.RefusesCalls, metrics.ShedCalls
	if places == l.streams {
		refuses, cause = l.memory.RefusesStreams, metrics.ShedStreams
	}
	if refuses() {
		l.shed(metrics.ShedMemory)
		return nil, overloaded("the gateway's memory is in use; running calls end first")
	}
	wait, cancel := context.WithTimeout(ctx, admissionWait)
	defer cancel()
	place, err := places.Enter(wait, infoOf(ctx).callerID, l.weight(ctx), cost, evict)
	if err != nil {
		l.shed(cause)
		return nil, overloaded("the gateway is at its limit of calls at one time, of which this caller has a share")
	}
	return place, nil
}

func overloaded(message string) *apierror.Error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, message)
}

// idle waits until no stream runs, or ctx ends.
func (l *limits) idle(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for l.streams.Used() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// rowsOfPlace is how many rows of a page one place stands for.
const rowsOfPlace = 250

// costOf is how many places a call takes: more for large pages, and for filters, which read more than they answer.
func costOf(req any) int {
	cost := 1
	if paged, ok := req.(interface{ GetPageSize() int32 }); ok {
		cost += min(max(int(paged.GetPageSize()), 0), 1000) / rowsOfPlace
	}
	if filtered, ok := req.(interface{ GetFilter() string }); ok && filtered.GetFilter() != "" {
		cost++
	}
	return cost
}

func (l *limits) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	evict := func() {
		cancel(errShare())
		releaseKept(ctx)
	}
	place, err := l.enter(ctx, l.calls, costOf(req), evict)
	if err != nil {
		return nil, err
	}
	keepUntilWritten(ctx, place.Leave)
	answer, err := next(inner, req)
	if err != nil {
		return nil, endedBy(inner, err)
	}
	return answer, l.hold(ctx, answer, evict)
}

// hold counts the bytes of an answer until it is written: over REST also those of its body.
func (l *limits) hold(ctx context.Context, answer any, evict func()) error {
	account := l.held.answer(&holding{caller: infoOf(ctx).callerID, weight: l.weight(ctx), end: evict}, bytesOf(answer))
	if account == nil {
		l.shed(metrics.ShedReadAhead)
		return overloaded("answers that nobody has read yet hold all memory that there is for them, and this caller more than a share of it")
	}
	if call := infoOf(ctx).web; call != nil {
		call.Account = account
	}
	keepUntilWritten(ctx, func() {
		account.Add(-account.Held())
		l.held.leave(account)
	})
	return nil
}

// endedBy is the error of a call, or why it was ended from outside.
func endedBy(ctx context.Context, err error) error {
	if own, ok := errors.AsType[*apierror.Error](context.Cause(ctx)); ok && err != nil {
		return withToken(own, tokenOf(err))
	}
	return err
}

func (l *limits) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if !isAPI(info.FullMethod) {
		if !infoOf(stream.Context()).request.Stay() {
			l.shed(metrics.ShedOpen)
			return overloaded("this connection has as many streams of health and reflection as one may have")
		}
		ctx, release := l.drain.soon(stream.Context())
		defer release()
		return next(srv, &streamWith{stream, ctx})
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	out := &outside{stop: cancel}
	evict := func() {
		out.end(errShare())
		releaseKept(ctx)
	}
	place, err := l.enter(ctx, l.streams, 1, evict)
	if err != nil {
		return err
	}
	defer keepUntilWritten(ctx, place.Leave)
	account := l.held.admit(ctx, &holding{caller: infoOf(ctx).callerID, weight: l.weight(ctx), end: evict})
	if account == nil {
		l.shed(metrics.ShedReadAhead)
		return overloaded("the streams under way may still take all memory that there is for reading ahead")
	}
	// What the stream leaves queued is within what an account may take at any time.
	defer keepUntilWritten(ctx, func() { l.held.leave(account) })
	infoOf(ctx).out = out
	ctx = ledger.With(ctx, account)
	return endedBy(ctx, next(srv, &streamWith{stream, ctx}))
}

// outside lets a stream be ended by who does not know how it ends well.
type outside struct {
	mu    sync.Mutex
	stop  func(reason error)
	ended error
}

// end ends the stream.
func (o *outside) end(reason error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended == nil {
		o.ended = reason
		o.stop(reason)
	}
}

// by says how the stream ends from now on.
func (o *outside) by(stop func(reason error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop = stop; o.ended != nil {
		stop(o.ended)
	}
}

func errShuttingDown() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN)
}

// errShare ends work of a caller who holds more than a share while others wait.
func errShare() *apierror.Error {
	return overloaded("others wait for a place, and this caller holds more than a share; go on from the resume token, if there is one")
}
