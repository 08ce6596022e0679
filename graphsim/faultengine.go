package graphsim

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// faultEngine decides which faults strike a request. It counts requests per fault and pages per walk.
type faultEngine struct {
	seed  uint64
	now   func() time.Time
	mu    sync.Mutex
	since int64 // ms, when the faults were set
	rules []*faultRule
	walks map[string]*walk
}

type faultRule struct {
	Fault
	seen, struck int
	asked        map[uint64]int // how often each request was made, for the dice
}

// walk is one chain of pages: the links in the order in which they were first asked for, and the rows of the last page.
type walk struct {
	links []string
	last  data.List
}

const (
	maxWalks = 1024
	maxAsked = 1 << 16
)

func newFaultEngine(faults []Fault, seed uint64, now func() time.Time) (*faultEngine, error) {
	e := &faultEngine{seed: seed, now: now}
	if err := e.set(faults); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *faultEngine) set(faults []Fault) error {
	rules := make([]*faultRule, 0, len(faults))
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		rules = append(rules, &faultRule{Fault: f, asked: map[uint64]int{}})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules, e.walks, e.since = rules, map[string]*walk{}, e.now().UnixMilli()
	return nil
}

func (e *faultEngine) list() []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Fault, 0, len(e.rules))
	for _, r := range e.rules {
		out = append(out, r.Fault)
	}
	return out
}

// walkKey is the request without its page token; the token stands apart.
func (x *exchange) walkKey() (key, token string) {
	path := strings.ToLower(x.r.URL.Path)
	path = strings.NewReplacer("('", "/", "')", "").Replace(path)
	var parts []string
	for part := range strings.SplitSeq(x.r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name == "$skiptoken" || strings.EqualFold(name, "%24skiptoken") {
			token = value
			continue
		}
		if q, err := parseQuery(part); err == nil && len(q) == 1 {
			part = q[0].name + "=" + q[0].value
		}
		parts = append(parts, part)
	}
	return path + "?" + strings.Join(parts, "&"), token
}

// page counts the request's page in its walk; called with the lock held.
func (e *faultEngine) page(x *exchange) int {
	key, token := x.walkKey()
	w := e.walks[key]
	if w == nil || token == "" {
		if len(e.walks) >= maxWalks {
			clear(e.walks)
		}
		w = &walk{links: []string{""}}
		e.walks[key] = w
	}
	i := slices.Index(w.links, token)
	if i < 0 {
		w.links = append(w.links, token)
		i = len(w.links) - 1
	}
	return i + 1
}

func (r *faultRule) matches(x *exchange) bool {
	if r.User != "" && !x.about(r.User) {
		return false
	}
	if r.Match == "" || r.Match == "*" || strings.EqualFold(r.Match, x.source) {
		return true
	}
	return strings.Contains(strings.ToLower(x.r.URL.Path), strings.ToLower(r.Match))
}

// due tells whether the schedule includes a time, in milliseconds since the faults were set.
func (r *faultRule) due(at int64) bool {
	return at >= r.FromMS && (r.UntilMS == 0 || at < r.UntilMS)
}

// falls throws the dice for a request. The same request falls alike in every run, in whatever order requests come.
func (r *faultRule) falls(seed uint64, rule int, x *exchange) bool {
	id := data.HashString(seed, x.r.URL.EscapedPath()+"?"+x.r.URL.RawQuery)
	if len(r.asked) >= maxAsked {
		clear(r.asked)
	}
	r.asked[id]++
	d := data.Dice(data.Hash4(seed, uint64(rule), id, uint64(r.asked[id])))
	return d.Unit() < r.Rate
}

// strike answers the faults for a request, in the order in which they were given.
func (e *faultEngine) strike(x *exchange) []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.rules) == 0 {
		return nil
	}
	page, now := e.page(x), e.now().UnixMilli()
	var out []Fault
	for i, r := range e.rules {
		if !r.matches(x) || (r.Page > 0 && r.Page != page) || !r.due(now-e.since) {
			continue
		}
		r.seen++
		n := r.seen - r.After
		switch {
		case n <= 0, r.Times > 0 && r.struck >= r.Times, r.Every > 1 && n%r.Every != 0:
			continue
		case r.Rate > 0 && !r.falls(e.seed, i, x):
			continue
		}
		r.struck++
		out = append(out, r.Fault)
	}
	return out
}

// about tells whether a request is about a user: in its path, or for calls in its filter.
func (x *exchange) about(user string) bool {
	named := x.params["user"]
	if strings.EqualFold(named, user) || named == "" && strings.Contains(strings.ToLower(x.r.URL.RawQuery), strings.ToLower(user)) {
		return true
	}
	if x.world == nil {
		return false
	}
	a, knownA := x.world.People.Find(named)
	b, knownB := x.world.People.Find(user)
	return knownA && knownB && a == b
}

// previousLink is the address of the page before in the request's walk; false for the first one.
func (e *faultEngine) previousLink(x *exchange) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, token := x.walkKey()
	w := e.walks[key]
	if w == nil {
		return "", false
	}
	i := slices.Index(w.links, token)
	if i < 1 {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(x.r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if name != "$skiptoken" && !strings.EqualFold(name, "%24skiptoken") {
			parts = append(parts, part)
		}
	}
	if before := w.links[i-1]; before != "" {
		parts = append(parts, "$skiptoken="+before)
	}
	return x.base() + x.r.URL.EscapedPath() + "?" + strings.Join(parts, "&"), true
}

// remember keeps a page's rows, so that the next page of the walk can repeat them. An empty page is none to repeat: nobody
// could tell the repetition from an honest empty page.
func (e *faultEngine) remember(x *exchange, rows data.List) {
	if len(rows) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.ContainsFunc(e.rules, func(r *faultRule) bool { return r.Kind == FaultRepeatPage }) {
		return
	}
	key, _ := x.walkKey()
	if w := e.walks[key]; w != nil {
		w.last = rows
	}
}

func (e *faultEngine) previousRows(x *exchange, rows data.List) data.List {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, _ := x.walkKey()
	if w := e.walks[key]; w != nil && w.last != nil {
		return w.last
	}
	return rows
}
