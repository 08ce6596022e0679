package ratelimit

import (
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// Scope says what one budget is counted for, always within one Client, that
// is one application in one tenant.
type Scope int

// The scopes of a limit, widest first.
const (
	PerTenant   Scope = iota // all requests of the row
	PerUser                  // requests with the same Request.User
	PerResource              // requests with the same Request.Resource
)

// Limit is a published limit: at most Requests within Per.
type Limit struct {
	Scope    Scope
	Requests int
	Per      time.Duration
}

// LimitRow holds the limits of one kind of request. The first row that
// matches a request counts it.
type LimitRow struct {
	// Name is the kind of request in metrics.
	Name string
	// API is Request.API.
	API string
	// Suffix is how the path ends, in any case; empty matches all.
	Suffix string
	// Resource restricts the row to requests that name a resource.
	Resource bool
	// Download restricts the row to Client.Download.
	Download bool
	// Limits may be empty: Retry-After alone rules then.
	Limits []Limit
}

// LimitTable is every budget of a Client. Requests that no row matches have a
// Retry-After gate per API and no budget.
type LimitTable []LimitRow

// DefaultLimits are Microsoft's published numbers per application and tenant
// (throttling limits of Teams, call records and reports, 2026). Over longer
// times clients use 83 % of them, which is what Teams enforces; see Limit.rate.
func DefaultLimits() LimitTable {
	const second = time.Second
	return LimitTable{
		{Name: "history", API: graph.APICopilot, Limits: []Limit{{PerTenant, 30, second}}},

		{Name: "messages", API: graph.APIChat, Suffix: "/messages", Limits: []Limit{{PerTenant, 20, second}, {PerResource, 1, second}}},
		{Name: "content", API: graph.APIChat, Suffix: "/$value", Limits: []Limit{{PerTenant, 60, second}, {PerResource, 1, second}}},
		{Name: "message", API: graph.APIChat, Resource: true, Limits: []Limit{{PerTenant, 30, second}, {PerResource, 1, second}}},
		{Name: "export", API: graph.APIChat, Limits: []Limit{{PerTenant, 200, second}}},

		{Name: "members", API: graph.APIConversations, Suffix: "/members", Limits: []Limit{{PerTenant, 30, second}, {PerResource, 1, second}, {PerUser, 1, second}}},
		{Name: "chat", API: graph.APIConversations, Resource: true, Limits: []Limit{{PerTenant, 200, second}, {PerResource, 1, second}, {PerUser, 5, second}}},
		{Name: "list", API: graph.APIConversations, Limits: []Limit{{PerTenant, 20, second}, {PerUser, 1, second}}},

		{Name: "record", API: graph.APICall, Resource: true, Limits: []Limit{{PerTenant, 1500, 20 * second}, {PerResource, 40, 20 * second}}},
		{Name: "list", API: graph.APICall, Limits: []Limit{{PerTenant, 40, 20 * second}}},

		{Name: "download", API: graph.APIUsage, Download: true, Limits: []Limit{{PerTenant, 14, 10 * time.Minute}}},
		{Name: "report", API: graph.APIUsage, Limits: []Limit{{PerTenant, 100, 10 * time.Minute}}},

		// Directory reads have no fixed number; Retry-After rules them.
		{Name: "directory", API: graph.APIUsers},
	}
}

// tenantWide reports whether the limit is a published one for all requests of its row.
func (l Limit) tenantWide() bool { return l.Scope == PerTenant && l.Requests > 0 }

// sustained is the part of a published limit that is used.
const sustained = 0.83

// rate is the steady rate per second and the burst above it, within a part of the
// limit. Over the limit's own time the two, in whole requests, add up to no more
// than that part of the published number rounded up. Limits
// counted over minutes are kept by counting instead: with a burst that small a
// third download would wait for most of a minute.
func (l Limit) rate(part float64) (perSecond float64, burst int) {
	if l.Requests <= 0 || l.Per <= 0 {
		return 0, 1
	}
	n := float64(l.Requests) * part
	return n * sustained / l.Per.Seconds(), max(1, int(n*(1-sustained)))
}

// most is how many requests a span may have, of a limit that is kept by counting within a part.
func (l Limit) most(part float64) int {
	return max(1, int(float64(l.Requests)*part*sustained))
}

// budget makes the budget that keeps a part of the limit. The use of the limit is
// measured against the published number all the same.
func (l Limit) budget(part float64) *budget {
	b := newBudget(l.rate(part))
	b.limit = l
	if l.Requests > 0 && l.Per > 0 {
		b.usage.span = max(l.Per, minUsageSpan)
		b.usage.most = float64(l.Requests) * b.usage.span.Seconds() / l.Per.Seconds()
	}
	if l.Per >= time.Minute && l.Requests > 0 {
		b.sliding = &slidingWindow{span: l.Per}
		b.count(part)
	}
	return b
}

// count makes a budget that counts keep a part of its limit.
func (b *budget) count(part float64) {
	b.sliding.most = b.limit.most(part)
	b.headroom = float64(b.sliding.most / 10) // what is left is used up only once a span
}

// row finds the row of a call: its index, or -1.
func (t LimitTable) row(call Call) int {
	r := call.Request
	path, _, _ := strings.Cut(call.URI, "?")
	for i, row := range t {
		if row.API == r.API && (!row.Download || call.Download) && (!row.Resource || r.Resource != "") && hasSuffixFold(path, row.Suffix) {
			return i
		}
	}
	return -1
}

// userOf is the user of a call where users have a limit of their own in its row; else empty.
func (t LimitTable) userOf(call Call) string {
	row := t.row(call)
	if row < 0 {
		return ""
	}
	if _, limited := limitOf(t[row].Limits, PerUser); !limited {
		return ""
	}
	return call.Request.User
}

// Route names the kind of request that a call is: its row, or its API where no row matches.
func (t LimitTable) Route(call Call) string {
	row := t.row(call)
	if row < 0 {
		return call.Request.API
	}
	return call.Request.API + " " + strconv.Itoa(row)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
