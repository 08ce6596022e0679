package ratelimit

import (
	"sync"
	"time"
)

// minSweep is the number of budgets below which none is dropped.
const minSweep = 1024

// budgetKey names one budget: a row of the table (or an API without one),
// a scope and the id it is counted for.
type budgetKey struct {
	row   int
	api   string
	scope Scope
	id    string
}

// Budgets holds the budgets of one Client, made when first used and dropped
// when a fresh one would behave the same.
type Budgets struct {
	table LimitTable
	share float64
	pool  Pool // nil = none

	mu              sync.Mutex
	all             map[budgetKey]*budget
	sweepAt         int
	pooled          bool      // the pool was there
	poolPausedUntil time.Time // until then it is left alone
}

// NewBudgets returns the budgets of a table, of which share may be used, above 0
// and at most 1.
func NewBudgets(table LimitTable, share float64) *Budgets {
	return &Budgets{table: table, share: share, all: make(map[budgetKey]*budget), sweepAt: minSweep}
}

// plan returns the budgets that count a request, the narrowest first and the
// tenant's last, each in use until done is called, and their names in a Pool.
func (s *Budgets) plan(call Call) (plan []*budget, names []string, done func()) {
	r, row := call.Request, s.table.row(call)
	var limits []Limit
	if row >= 0 {
		limits = s.table[row].Limits
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	for _, scope := range []Scope{PerResource, PerUser, PerTenant} {
		id := ""
		switch scope {
		case PerResource:
			id = r.Resource
		case PerUser:
			id = r.User
		case PerTenant:
		}
		limit, found := limitOf(limits, scope)
		if scope != PerTenant && (!found || id == "") {
			continue
		}
		key := budgetKey{row: row, scope: scope, id: id}
		if row < 0 {
			key.api = r.API
		}
		b := s.all[key]
		if b == nil {
			b = limit.budget(s.part())
			b.oneAtATime = s.pooled && limit.tenantWide()
			s.all[key] = b
		}
		b.refs++
		plan = append(plan, b)
		if s.pool != nil {
			names = append(names, s.table.poolName(r.API, key))
		}
	}
	return plan, names, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, b := range plan {
			b.refs--
		}
	}
}

// poolName is the name of a budget in a Pool, which all builds have to agree on.
func (t LimitTable) poolName(api string, key budgetKey) string {
	row := ""
	if key.row >= 0 {
		row = t.name(key.row)
	}
	return api + " " + row + " " + key.scope.String() + " " + key.id
}

func limitOf(limits []Limit, scope Scope) (Limit, bool) {
	for _, l := range limits {
		if l.Scope == scope {
			return l, true
		}
	}
	return Limit{}, false
}

// sweep drops what is idle once the number has doubled.
func (s *Budgets) sweep() {
	if len(s.all) < s.sweepAt {
		return
	}
	now := time.Now()
	for key, b := range s.all {
		if b.refs == 0 && b.idle(now) {
			delete(s.all, key)
		}
	}
	s.sweepAt = max(minSweep, 2*len(s.all))
}

// close closes the gates that a throttled answer may speak of. Graph does not
// say which limit was hit: the narrowest one is closed for the time told, the
// wider ones for a while as a precaution, which ends when a request that was sent
// after the throttled one is answered. When another narrow gate of the same row is
// throttled already, the answer is about a wider limit: that of the user, if both
// gates are of one user who has a limit, else that of the whole tenant.
// close returns the gates, without names.
func (s *Budgets) close(call Call, plan []*budget, wait time.Duration, sent time.Time) []Gate {
	last := len(plan) - 1
	narrow, wide := plan[0], plan[last]
	user := s.table.userOf(call)
	closed := narrow.close(wait, user)
	gates := []Gate{{Wait: closed}}
	if narrow == wide {
		return gates
	}
	ofUser, ofOthers := s.othersThrottled(s.table.row(call), narrow, user)
	if ofOthers {
		return append(gates, Gate{budget: last, Wait: wide.close(wait, user)})
	}
	about := 0 // the widest budget that the answer is known to be about
	if ofUser && last == 2 {
		about = 1
		closed = plan[about].close(wait, user)
		gates = append(gates, Gate{budget: about, Wait: closed})
	}
	if plan[about].knownAlone() {
		return gates
	}
	for i := about + 1; i <= last; i++ {
		plan[i].closeAsPrecaution(plan[about], closed, sent)
		gates = append(gates, Gate{budget: i, Wait: min(closed, maxPrecaution), Suspected: true})
	}
	return gates
}

// othersThrottled reports which other narrow gates of a row are throttled: gates of the user, and gates of others. In a row without limits per
// user, all are those of others.
func (s *Budgets) othersThrottled(row int, than *budget, user string) (ofUser, ofOthers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, b := range s.all {
		if key.row != row || key.scope == PerTenant || b == than {
			continue
		}
		if by, throttled := b.isThrottled(); throttled && user != "" && by == user {
			ofUser = true
		} else if throttled {
			ofOthers = true
		}
	}
	return ofUser, ofOthers
}
