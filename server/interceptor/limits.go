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

// LimitsConfig has the dependencies of Limits.
type LimitsConfig struct {
	// MaxCalls and MaxStreams bound the calls and streams that run at one time.
	MaxCalls, MaxStreams int
	// Share is the part of them that a caller may hold while others wait, times the weight of Policy; 0 or less, or 1 or more = as
	// much as there is.
	Share  float64
	Policy authz.PolicySource
	// Memory and Ledger bound the memory of calls; the ledger may be nil.
	Memory MemoryGate
	Ledger *ledger.Ledger
	// Shutdown is the signal after which new streams are refused, and other new calls too unless Announced is set. Announced says that
	// balancers had time to notice the stop before it: calls that still come were on their way, and are served.
	Shutdown  *lifetime.Shutdown
	Announced bool
	// Shed counts a refusal by its cause.
	Shed func(cause string)
}

// Limits bounds the calls and streams that run at one time, divides their places between callers, and refuses calls that come while the
// server stops. Two things are bounded: places (places.go) and bytes (byteaccounts.go, divided by byteshares.go). Streams of health and
// reflection have bounds of their own (healthlimits.go).
type Limits struct {
	LimitsConfig

	calls, streams *shares.Pool
	bytes          *byteShares
}

// NewLimits makes limits; no place is taken.
func NewLimits(cfg LimitsConfig) *Limits {
	l := &Limits{
		LimitsConfig: cfg, calls: shares.New(cfg.MaxCalls, cfg.Share), streams: shares.New(cfg.MaxStreams, cfg.Share),
		bytes: &byteShares{ledger: cfg.Ledger, share: cfg.Share, calls: make(map[*ledger.Account]*accountedCall)},
	}
	l.calls.MaxWait, l.streams.MaxWait = admissionWait, admissionWait
	return l
}

// unary runs a call within the limits. The call has a place and an account of bytes until its answer is written.
func (l *Limits) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	info := callinfo.FromContext(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	evict := func() {
		cancel(errShare())
		info.EndSoon()
	}
	place, err := l.enter(ctx, info, l.calls, costOf(req), evict)
	if err != nil {
		return nil, err
	}
	info.OnWritten(place.Leave)
	account, err := l.openAnswer(info, req, evict)
	if err != nil {
		return nil, err
	}
	info.OnWritten(account.close)
	answer, err := next(ctx, req)
	if err != nil {
		return nil, evictionOr(ctx, err)
	}
	if err := account.countAnswer(answer, info.HTTP); err != nil {
		return nil, err
	}
	return answer, nil
}

// stream runs a stream within the limits. The stream has a place and an account of what it reads ahead until its last frame is written.
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
	// Deferred, unlike in unary: a stream over REST has no hold, so that OnWritten gives the place back at once. It is written when next has
	// returned.
	defer info.OnWritten(place.Leave)
	account, err := l.openReadAhead(ctx, info, evict)
	if err != nil {
		return err
	}
	// The bytes that the stream leaves queued are within the bound of an account.
	defer info.OnWritten(func() { l.bytes.leave(account) })
	ctx = ledger.With(ctx, account)
	return evictionOr(ctx, next(srv, &streamWith{stream, ctx}))
}

// Places shows by metrics how many places are taken and how many there are.
func (l *Limits) Places(to *metrics.Metrics) error {
	return errors.Join(to.Places(metrics.KindCall, l.calls.Used, l.calls.Size()), to.Places(metrics.KindStream, l.streams.Used, l.streams.Size()))
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

// evictionOr returns the error of an eviction, with the token of err, if the call was evicted; err otherwise.
func evictionOr(ctx context.Context, err error) error {
	if evicted, ok := errors.AsType[*apierror.Error](context.Cause(ctx)); ok && err != nil {
		return lifetime.WithToken(evicted, lifetime.TokenOf(err))
	}
	return err
}

func errShuttingDown() *apierror.Error {
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN)
}

// errShare is the error of a call that ends because others wait for its place or its memory and its caller holds more than a share.
func errShare() *apierror.Error {
	return overloaded("others wait for a place or memory, and this caller holds more than a share; go on from the resume token, if there is one")
}
