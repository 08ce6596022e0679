package ratelimit

import (
	"strconv"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// State shows the budgets of one Client at one time.
type State struct {
	// Limits are the published limits, in the order of the table.
	Limits []LimitState
	// APIs are the Graph APIs of the table.
	APIs []APIState
}

// LimitState is the use of one published limit.
type LimitState struct {
	// API and Limit name it: the API of its requests, and their kind with the scope, such as messages_tenant.
	API, Limit string
	// Used is the part of the published number that was sent lately; of a limit per user or resource, that of the one who used most.
	// Over longer times clients keep it at 83 %; a burst after a quiet time can take it up to 1.
	Used float64
}

// APIState says how many requests for one Graph API wait, and what for.
type APIState struct {
	API string
	// Queued is the number of requests that wait for their turn, by Priority.
	Queued [2]int
	// Closed is how long Graph's Retry-After still keeps the API, or a part of it, waiting.
	Closed time.Duration
}

// State returns the state of all limits and APIs of the table. A limit that nobody met is unused.
func (s *Budgets) State() State {
	var state State
	limits, apis := map[limitID]*LimitState{}, map[string]*APIState{}
	count := 0
	for _, row := range s.table {
		count += len(row.Limits)
	}
	state.Limits = make([]LimitState, 0, count) // never grown, so that pointers into them stay good
	state.APIs = make([]APIState, 0, len(s.table))
	for i, row := range s.table {
		if apis[row.API] == nil {
			state.APIs = append(state.APIs, APIState{API: row.API})
			apis[row.API] = &state.APIs[len(state.APIs)-1]
		}
		for _, limit := range row.Limits {
			state.Limits = append(state.Limits, LimitState{API: row.API, Limit: s.table.name(i) + "_" + limit.Scope.String()})
			limits[limitID{i, limit.Scope}] = &state.Limits[len(state.Limits)-1]
		}
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, b := range s.all {
		used, queued, closed := b.state(now)
		if key.row < 0 {
			continue // an API that no row describes
		}
		api := apis[s.table[key.row].API]
		api.Queued[graph.Interactive] += queued[graph.Interactive]
		api.Queued[graph.Background] += queued[graph.Background]
		api.Closed = max(api.Closed, closed)
		if limit := limits[limitID{key.row, key.scope}]; limit != nil {
			limit.Used = max(limit.Used, used)
		}
	}
	return state
}

// limitID is a limit of the table.
type limitID struct {
	row   int
	scope Scope
}

// name is the name of a row, or its number.
func (t LimitTable) name(row int) string {
	if t[row].Name != "" {
		return t[row].Name
	}
	return strconv.Itoa(row)
}

// String is the scope as metrics name it.
func (s Scope) String() string {
	return [...]string{PerTenant: "tenant", PerUser: "user", PerResource: "resource"}[s]
}

// state returns the part of a budget in State.
func (b *budget) state(now time.Time) (used float64, queued [2]int, closed time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for priority := range b.queues {
		queued[priority] = b.queues[priority].size
	}
	return b.usage.ratio(now), queued, max(b.until.Sub(now), 0)
}

// minUsageSpan is the shortest time over which the use of a limit is measured: a scrape sees the use of a limit per second only by chance.
const minUsageSpan = 15 * time.Second

// usage measures how much of a published limit was sent in the last span, by two counts of spans that follow each other.
type usage struct {
	span            time.Duration // 0 = there is no published number
	most            float64       // requests that a span may have
	since           time.Time     // when the current span began
	before, current float64
}

// add counts one request.
func (u *usage) add(now time.Time) {
	if u.span <= 0 {
		return
	}
	u.roll(now)
	u.current++
}

// ratio is the part of the limit that was used.
func (u *usage) ratio(now time.Time) float64 {
	if u.span <= 0 {
		return 0
	}
	u.roll(now)
	rest := 1 - now.Sub(u.since).Seconds()/u.span.Seconds()
	return (u.before*max(rest, 0) + u.current) / u.most
}

// roll begins a new span when the current one is over.
func (u *usage) roll(now time.Time) {
	switch past := now.Sub(u.since); {
	case past < u.span:
	case past < 2*u.span:
		u.since, u.before, u.current = u.since.Add(u.span), u.current, 0
	default:
		u.since, u.before, u.current = now, 0, 0
	}
}
