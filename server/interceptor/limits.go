package interceptor

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/shares"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
)

// admissionWait is how long a call waits for a place, and a stream for room, before it is refused.
const admissionWait = time.Second

// MemoryGate decides whether there is enough memory for new work. Each call asks it.
type MemoryGate interface {
	// RefusesStreams and RefusesCalls report whether new streams and other new calls are to be refused.
	RefusesStreams() bool
	RefusesCalls() bool
}

// LimitsConfig is what Limits depends on.
type LimitsConfig struct {
	// MaxCalls and MaxStreams bound what runs at one time.
	MaxCalls, MaxStreams int
	// Share is the part of them that a caller may hold while others wait, times the weight of Policy; 0 or less, or 1 or more = as
	// much as there is.
	Share  float64
	Policy authz.Source
	// Memory and Ledger bound the memory of calls; the ledger may be nil.
	Memory MemoryGate
	Ledger *ledger.Ledger
	// Shutdown begins when new calls are to be refused. Shed counts a refusal by its cause.
	Shutdown *lifetime.Shutdown
	Shed     func(cause string)
}

// Limits bounds what runs at one time and divides it between callers, and refuses calls that come while the server stops.
type Limits struct {
	LimitsConfig

	calls, streams *shares.Pool
	bytes          *byteShares
}

// NewLimits makes limits; no place is taken.
func NewLimits(cfg LimitsConfig) *Limits {
	return &Limits{
		LimitsConfig: cfg, calls: shares.New(cfg.MaxCalls, cfg.Share), streams: shares.New(cfg.MaxStreams, cfg.Share),
		bytes: &byteShares{ledger: cfg.Ledger, share: cfg.Share, open: make(map[*ledger.Account]*openCall)},
	}
}

// Idle waits until no stream runs, or ctx ends.
func (l *Limits) Idle(ctx context.Context) {
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

// enter takes cost places of a pool, within the caller's share. The pool calls evict to end the work for others.
func (l *Limits) enter(ctx context.Context, info *callinfo.Info, places *shares.Pool, cost int, evict func()) (*shares.Place, error) {
	info.Hold.NoteCaller(info.CallerID)
	if l.Shutdown.Begun() {
		return nil, errShuttingDown()
	}
	refuses, cause := l.Memory.RefusesCalls, metrics.ShedCalls
	if places == l.streams {
		refuses, cause = l.Memory.RefusesStreams, metrics.ShedStreams
	}
	if refuses() {
		l.Shed(metrics.ShedMemory)
		return nil, overloaded("the gateway's memory is in use; running calls end first")
	}
	wait, cancel := context.WithTimeout(ctx, admissionWait)
	defer cancel()
	place, err := places.Enter(wait, info.CallerID, l.weight(info), cost, evict)
	if err != nil {
		l.Shed(cause)
		return nil, overloaded("the gateway is at its limit of calls at one time, of which this caller has a share")
	}
	return place, nil
}

// weight is how many shares the caller of a call has.
func (l *Limits) weight(info *callinfo.Info) float64 { return l.Policy.Current().Weight(info.Caller) }

func overloaded(message string) *apierror.Error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_OVERLOADED, message)
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

func (l *Limits) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	info := callinfo.FromContext(ctx)
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	evict := func() {
		cancel(errShare())
		info.EndSoon()
	}
	place, err := l.enter(ctx, info, l.calls, costOf(req), evict)
	if err != nil {
		return nil, err
	}
	room, err := l.expect(info, req, evict)
	if err != nil {
		place.Leave()
		return nil, err
	}
	info.UntilWritten(func() {
		place.Leave()
		room.release()
	})
	answer, err := next(inner, req)
	if err != nil {
		return nil, evictionOr(inner, err)
	}
	if err := room.answered(answer); err != nil {
		return nil, err
	}
	if info.HTTP != nil {
		info.HTTP.Account = room.account // counts the body too
	}
	return answer, nil
}

// callBytes are the bytes of a unary call: first what its answer is expected to take, then what it takes.
type callBytes struct {
	limits   *Limits
	call     *openCall
	account  *ledger.Account
	expected int64
}

// expect opens the account of a call, with the bytes that its answer is expected to take.
func (l *Limits) expect(info *callinfo.Info, req any, evict func()) (*callBytes, error) {
	b := &callBytes{limits: l, call: &openCall{caller: info.CallerID, weight: l.weight(info), end: evict}, expected: expectedOf(req)}
	if b.account = l.bytes.admitCall(b.call, b.expected); b.account == nil {
		return nil, l.noRoom()
	}
	return b, nil
}

// answered puts the bytes of the answer into the place of the expected ones. It fails where they leave no room.
func (b *callBytes) answered(answer any) error {
	if b.account.Add(bytesOf(answer) - b.expected); !b.limits.bytes.room(b.call) {
		return b.limits.noRoom()
	}
	return nil
}

// release closes the account.
func (b *callBytes) release() {
	b.account.Add(-b.account.Held())
	b.limits.bytes.leave(b.account)
}

// noRoom is the error of a caller whose own answers leave no memory for more.
func (l *Limits) noRoom() error {
	l.Shed(metrics.ShedReadAhead)
	return overloaded("calls and answers that nobody has read yet hold all memory that there is for them, and this caller more than a share of it")
}

// evictionOr returns the error of an eviction, with the token of err, if the call was evicted; err otherwise.
func evictionOr(ctx context.Context, err error) error {
	if evicted, ok := errors.AsType[*apierror.Error](context.Cause(ctx)); ok && err != nil {
		return lifetime.WithToken(evicted, lifetime.TokenOf(err))
	}
	return err
}

func (l *Limits) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	info := callinfo.FromContext(stream.Context())
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	info.Eviction = lifetime.NewEviction(cancel)
	evict := func() {
		info.Eviction.Evict(errShare())
		info.EndSoon()
	}
	place, err := l.enter(ctx, info, l.streams, 1, evict)
	if err != nil {
		return err
	}
	defer info.UntilWritten(place.Leave)
	account := l.bytes.admitStream(ctx, &openCall{caller: info.CallerID, weight: l.weight(info), end: evict})
	if account == nil {
		l.Shed(metrics.ShedReadAhead)
		return overloaded("the streams under way may still take all memory that there is for reading ahead")
	}
	// What the stream leaves queued is within what an account may take at any time.
	defer info.UntilWritten(func() { l.bytes.leave(account) })
	ctx = ledger.With(ctx, account)
	return evictionOr(ctx, next(srv, &streamWith{stream, ctx}))
}

// open bounds the streams that need no caller: health and reflection. They end when the server stops, which they would hold up.
func (l *Limits) open(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if callinfo.IsAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	if !callinfo.FromContext(stream.Context()).Request.AddWatch() {
		l.Shed(metrics.ShedOpen)
		return overloaded("this connection has as many streams of health and reflection as one may have")
	}
	ctx, release := l.Shutdown.AfterBegin(stream.Context())
	defer release()
	return next(srv, &streamWith{stream, ctx})
}

func errShuttingDown() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN)
}

// errShare ends work of a caller who holds more than a share while others wait.
func errShare() *apierror.Error {
	return overloaded("others wait for a place, and this caller holds more than a share; go on from the resume token, if there is one")
}
