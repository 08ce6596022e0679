package ratelimit

import (
	"context"
	"math"
	"time"
)

// Pool keeps the limits of one application in one tenant for several processes. It says when a request may be sent; which one goes next
// is for each process to say, so that priorities and the turns of callers need not be known to all. Its clock is its own. It is safe for
// concurrent use. After an error a process goes on by itself.
type Pool interface {
	// Reserve takes the next slot that all the budgets of a request have, or none.
	Reserve(ctx context.Context, req PoolRequest) (Grant, error)
	// SetGates changes gates for all processes.
	SetGates(ctx context.Context, gates []Gate) error
	Presence
}

// Presence tells a process of the others that share its pool.
type Presence interface {
	// Up reports whether the pool is worth asking.
	Up() bool
	// Replicas is the number of processes that were last seen, this one included; 0 = none ever was.
	Replicas() int
	// Part is the part of each limit that is kept in the pool under the names of this process, above 0 and at most 1. The rest belongs to
	// processes that make other names, as those with other seal keys do: their slots are not seen here.
	Part() float64
}

// PoolRequest describes a request to a Pool.
type PoolRequest struct {
	// Budgets are those that count the request, the narrowest first.
	Budgets []PoolBudget
	// MaxWait is how long the request can wait.
	MaxWait time.Duration
	// Promised says that the request comes at the time that a Grant told it to come again.
	Promised bool
}

// PoolBudget is one budget in a Pool.
type PoolBudget struct {
	// Name names it in the pool.
	Name string
	// Every is the time between two requests at the steady rate, and Burst how many may come at once; Every 0 = there is a gate alone.
	Every time.Duration
	Burst int
	// Most, if above 0, is how many requests any Span may have; it takes the place of Every and Burst.
	Most int
	Span time.Duration
	// Headroom is how many requests this one leaves to others.
	Headroom int
	// Cold says that a budget which the pool does not know begins with one request and not with the whole burst: the pool may have
	// forgotten what was sent.
	Cold bool
}

// Gate is the gate of one budget in a Pool.
type Gate struct {
	Name string
	// Wait is how long it is closed from now on; never for a shorter time than it is already.
	Wait time.Duration
	// Suspected marks a gate that is closed as a precaution. With a Wait of 0 it is open again; other gates end by time alone.
	Suspected bool

	budget int // its place in the plan
}

// Outcome is the answer of a Pool. The numbers are those of the script of package redisstore.
type Outcome int

// Answers of a Pool.
const (
	// Granted: the slots are taken; the request is sent after the Wait.
	Granted Outcome = iota
	// Closed and Suspected: the gate of a budget is closed for the Wait. Nothing is taken.
	Closed
	Suspected
	// Later: a narrow budget has no slot as soon as the widest one. Nothing is taken; the request comes again after the Wait, when it
	// goes before those that have not asked yet.
	Later
	// TooLate: the Wait is longer than the request can wait. Nothing is taken.
	TooLate
)

// Grant is the answer of a Pool to a request.
type Grant struct {
	Outcome Outcome
	Wait    time.Duration
	// Budget is the place in PoolRequest.Budgets of the one that makes it wait.
	Budget int
}

// MaxSlotGap is how much later than the widest budget's slot that of a narrow one may be if both are taken together.
const MaxSlotGap = 20 * time.Millisecond

// transitSpread is how far the times at which requests reach Graph may differ from their slots. The burst in a pool is smaller by what may
// come meanwhile, so that the published number is kept for all that.
const transitSpread = 100 * time.Millisecond

// poolBudget describes a part of the limit for a Pool.
func (l Limit) poolBudget(name string, part float64) PoolBudget {
	b := PoolBudget{Name: name, Burst: 1, Cold: l.Scope == PerTenant}
	perSecond, burst := l.rate(part)
	switch {
	case perSecond <= 0:
	case l.Per >= time.Minute:
		b.Span, b.Most = l.Per, l.most(part)
	default:
		b.Every = time.Duration(float64(time.Second) / perSecond)
		b.Burst = max(1, burst-int(math.Ceil(perSecond*transitSpread.Seconds())))
	}
	return b
}

// backgroundHeadroom returns how many requests a background one leaves to others.
func (b PoolBudget) backgroundHeadroom() int {
	if b.Most > 0 {
		return b.Most / 10
	}
	return b.Burst / 4
}
