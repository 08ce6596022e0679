// Package pooltest has a ratelimit.Pool and DayPool in memory for tests, and Contract, the tests that every implementation must pass.
package pooltest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// ErrDown is the error of a Memory that is down.
var ErrDown = errors.New("the pool is down")

// Memory is a Pool of the clients of one process.
type Memory struct {
	mu       sync.Mutex
	budgets  map[string]*budget
	down     bool
	replicas int
	asked    int
	day      time.Time // midnight UTC
	sent     map[string]int
}

// Pools are the limits and the days of processes.
type Pools interface {
	ratelimit.Pool
	ratelimit.DayPool
}

var _ Pools = (*Memory)(nil)

// budget is what a pool knows of a budget.
type budget struct {
	next      time.Time // when a bucket without a burst gives the next slot
	promised  time.Time // when those that have not asked yet may have a slot
	closed    time.Time
	suspected time.Time
	slots     []time.Time // in ascending order, of a budget that counts
}

// NewMemory returns a Pool that says it has so many replicas.
func NewMemory(replicas int) *Memory {
	return &Memory{budgets: map[string]*budget{}, replicas: replicas, sent: map[string]int{}}
}

// Fail makes the pool fail, or answer again.
func (m *Memory) Fail(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// Forget makes the pool forget everything.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.budgets)
}

// Asked is how often Reserve was called.
func (m *Memory) Asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// Up implements ratelimit.Pool.
func (m *Memory) Up() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.down
}

// Replicas implements ratelimit.Pool.
func (m *Memory) Replicas() int { return m.replicas }

// Part implements ratelimit.Pool.
func (m *Memory) Part() float64 { return 1 }

// SetGates implements ratelimit.Pool.
func (m *Memory) SetGates(_ context.Context, gates []ratelimit.Gate) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return ErrDown
	}
	for _, gate := range gates {
		b, until := m.budgets[gate.Name], time.Now().Add(gate.Wait)
		if b == nil {
			b = &budget{}
			m.budgets[gate.Name] = b
		}
		switch {
		case gate.Suspected && gate.Wait <= 0:
			b.suspected = time.Time{}
		case gate.Suspected:
			b.suspected = latest(b.suspected, until)
		default:
			b.closed = latest(b.closed, until)
		}
	}
	return nil
}

// Reserve implements ratelimit.Pool.
func (m *Memory) Reserve(_ context.Context, req ratelimit.PoolRequest) (ratelimit.Grant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.down {
		return ratelimit.Grant{}, ErrDown
	}
	now := time.Now()
	own, ready := make([]*budget, len(req.Budgets)), make([]time.Time, len(req.Budgets))
	for i, limit := range req.Budgets {
		own[i] = m.known(limit, now)
		ready[i] = own[i].ready(limit, now)
	}
	if grant, closed := gate(own, now); closed {
		return grant, nil
	}
	last := len(own) - 1
	slot, blocked, at := ready[last], -1, ready[last].Add(ratelimit.MaxSlotGap)
	for i, b := range own[:last] {
		if !req.Promised {
			ready[i] = latest(ready[i], b.promised)
		}
		slot = latest(slot, ready[i])
		if ready[i].After(at) {
			blocked, at = i, ready[i]
		}
	}
	switch {
	case slot.Sub(now) > req.MaxWait:
		return ratelimit.Grant{Outcome: ratelimit.TooLate, Wait: slot.Sub(now), Budget: max(blocked, 0)}, nil
	case blocked >= 0:
		own[blocked].promised = at.Add(req.Budgets[blocked].Every)
		return ratelimit.Grant{Outcome: ratelimit.Later, Wait: at.Sub(now), Budget: blocked}, nil
	}
	for i, limit := range req.Budgets {
		own[i].take(limit, slot)
	}
	return ratelimit.Grant{Wait: slot.Sub(now), Budget: last}, nil
}

// TakeDay implements ratelimit.DayPool.
func (m *Memory) TakeDay(_ context.Context, caller string, limit int) (remain int, wait time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return 0, 0, ErrDown
	}
	now := time.Now()
	if today := now.UTC().Truncate(24 * hour); !today.Equal(m.day) {
		m.day = today
		clear(m.sent)
	}
	if m.sent[caller] >= limit {
		return 0, m.day.Add(24 * hour).Sub(now), nil
	}
	m.sent[caller]++
	return limit - m.sent[caller], 0, nil
}

// GiveDayBack implements ratelimit.DayPool.
func (m *Memory) GiveDayBack(_ context.Context, caller string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return ErrDown
	}
	m.sent[caller] = max(0, m.sent[caller]-1)
	return nil
}

// known returns what is known of a budget, or what it begins with.
func (m *Memory) known(limit ratelimit.PoolBudget, now time.Time) *budget {
	b := m.budgets[limit.Name]
	if b == nil {
		b = &budget{}
		m.budgets[limit.Name] = b
	}
	if b.next.IsZero() && limit.Cold {
		b.next = now.Add(time.Duration(limit.Burst-1) * limit.Every)
	}
	return b
}

// gate returns the answer of a gate that is closed.
func gate(own []*budget, now time.Time) (ratelimit.Grant, bool) {
	var closed, suspected ratelimit.Grant
	for i, b := range own {
		if wait := b.closed.Sub(now); wait > closed.Wait {
			closed = ratelimit.Grant{Outcome: ratelimit.Closed, Wait: wait, Budget: i}
		}
		if wait := b.suspected.Sub(now); wait > suspected.Wait {
			suspected = ratelimit.Grant{Outcome: ratelimit.Suspected, Wait: wait, Budget: i}
		}
	}
	if closed.Wait > 0 {
		return closed, true
	}
	return suspected, suspected.Wait > 0
}

// ready is when a budget has a slot.
func (b *budget) ready(limit ratelimit.PoolBudget, now time.Time) time.Time {
	if limit.Most > 0 {
		b.slots = slices.DeleteFunc(b.slots, func(at time.Time) bool { return !at.After(now.Add(-limit.Span)) })
		if most := limit.Most - limit.Headroom; len(b.slots) >= most {
			return latest(now, b.slots[len(b.slots)-most].Add(limit.Span))
		}
		return now
	}
	return latest(now, b.next.Add(-time.Duration(limit.Burst-1-limit.Headroom)*limit.Every))
}

// take takes a slot.
func (b *budget) take(limit ratelimit.PoolBudget, at time.Time) {
	if limit.Most > 0 {
		b.slots = append(b.slots, at)
		slices.SortFunc(b.slots, time.Time.Compare)
		return
	}
	b.next = latest(b.next, at).Add(limit.Every)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
