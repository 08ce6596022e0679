package ratelimit

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// noDeadlineWait is the MaxWait of a request that may wait for as long as it takes.
const noDeadlineWait = 24 * time.Hour

// poolPause is how long a pool that has failed is left alone at least, so that one which fails now and then is not asked in between: some
// processes would keep their part while others use the whole limit.
const poolPause = time.Second

// recheckAfter is how long a gate that another process closed as a precaution is taken for closed before the pool is asked again.
const recheckAfter = time.Second

// UsePool makes the budgets take their slots from a Pool. It is called before the first request. While the pool is not there each process
// keeps its part of the limits: one of as many as were last seen or, where none ever was, the share of NewBudgets.
func (s *Budgets) UsePool(pool Pool) { s.pool = pool }

// followPool takes over whether the pool is there, and adjusts the budgets when that has changed.
func (s *Budgets) followPool() (pooled bool) {
	if s.pool == nil {
		return false
	}
	up := s.pool.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	up = up && !time.Now().Before(s.poolPausedUntil)
	if up == s.pooled {
		return up
	}
	s.pooled = up
	for _, b := range s.all {
		b.adjust(s.part(), up)
	}
	return up
}

// pausePool leaves the pool alone for a while after it has failed.
func (s *Budgets) pausePool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.poolPausedUntil = time.Now().Add(poolPause)
}

// part is the fraction of each limit that the budgets of this process keep by themselves: 1 while the pool is there, which does the dividing
// then. Pool.Part is another one, that of all replicas with the same names. The lock is held.
func (s *Budgets) part() float64 {
	switch {
	case s.pool == nil:
		return s.share
	case s.pooled:
		return 1
	}
	if n := s.pool.Replicas(); n > 0 {
		return 1 / float64(n)
	}
	return s.share
}

// adjust makes a budget keep another part of its limit, in the pool or without it. A budget that leaves the pool begins with nothing: the pool
// may have given its burst away.
func (b *budget) adjust(part float64, pooled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.oneAtATime = pooled && b.limit.tenantWide()
	if perSecond, burst := b.limit.rate(part); perSecond > 0 {
		b.limiter, b.headroom = rate.NewLimiter(rate.Limit(perSecond), burst), float64(burst/4)
		if !pooled {
			b.limiter.ReserveN(now, burst)
		}
	}
	if b.sliding != nil {
		b.count(part)
	}
	b.pump(now)
}

// headroomFor returns how many requests one of this priority leaves to others: a background one, while no other waits here.
func (b *budget) headroomFor(priority graph.Priority, of PoolBudget) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if priority == graph.Background && b.queues[graph.Interactive].size == 0 {
		return of.backgroundHeadroom()
	}
	return 0
}

// waited learns how long the pool let a turn wait.
func (b *budget) waited(wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pace = wait
}

// takeSlot waits for the Pool's slot, once every budget of the plan has given its turn. acquired = false: turns were given back, and enter
// waits for them again.
func (t *Turn) takeSlot(ctx context.Context) (acquired bool, err error) {
	if t.budgets.followPool() != t.pooled {
		t.giveBack(0) // they were given by another rule
		return false, nil
	}
	if !t.pooled {
		return true, nil
	}
	widest := t.plan[len(t.plan)-1]
	grant, there := t.reserve(ctx)
	t.promised = false // a promise holds for one request to the pool
	if ctx.Err() != nil {
		return false, graph.Canceled(ctx)
	}
	if !there {
		t.giveBack(0)
		return false, nil
	}
	switch grant.Outcome {
	case Granted:
		widest.waited(grant.Wait)
		return true, pause(ctx, grant.Wait)
	case TooLate:
		return false, outlasting(t.plan[grant.Budget], grant.Wait)
	case Later:
		t.giveBack(len(t.plan) - 1) // others go on at the widest budget meanwhile
		t.promised = true
		return false, pause(ctx, grant.Wait)
	case Closed:
		t.giveBack(0)
		t.plan[grant.Budget].closeByPool(grant.Wait, t.budgets.table.userOf(t.call))
	case Suspected:
		t.giveBack(0)
		t.plan[grant.Budget].closeAsPrecaution(nil, min(grant.Wait, recheckAfter), time.Now())
	}
	return false, nil
}

// reserve asks the pool, and leaves it alone for a while when it fails.
func (t *Turn) reserve(ctx context.Context) (grant Grant, there bool) {
	grant, err := t.budgets.pool.Reserve(ctx, t.poolRequest(ctx))
	if err != nil && ctx.Err() == nil {
		t.budgets.pausePool()
	}
	return grant, err == nil
}

// poolRequest describes the request of a turn to the pool.
func (t *Turn) poolRequest(ctx context.Context) PoolRequest {
	req := PoolRequest{MaxWait: noDeadlineWait, Promised: t.promised}
	priority, part := t.call.Request.Priority, t.budgets.pool.Part()
	for i, b := range t.plan {
		own := b.limit.poolBudget(t.names[i], part)
		own.Headroom = b.headroomFor(priority, own)
		req.Budgets = append(req.Budgets, own)
		if priority == graph.Interactive || own.Most > 0 {
			req.MaxWait = MaxWait
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		req.MaxWait = time.Until(deadline)
	}
	return req
}

// giveBack returns the turns of plan[from:].
func (t *Turn) giveBack(from int) {
	for i := from; i < t.granted; i++ {
		t.plan[i].giveBack(t.probes[i])
		t.probes[i] = false
	}
	t.granted = min(t.granted, from)
}

// shareGates changes gates of the plan for all processes. A pool that is not there hears nothing: each process meets its own 429 then.
func (t *Turn) shareGates(ctx context.Context, gates []Gate) {
	if len(gates) == 0 || !t.budgets.followPool() {
		return
	}
	for i := range gates {
		gates[i].Name = t.names[gates[i].budget]
	}
	_ = t.budgets.pool.SetGates(context.WithoutCancel(ctx), gates)
}

// pause waits.
func pause(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return graph.Canceled(ctx)
	}
}
