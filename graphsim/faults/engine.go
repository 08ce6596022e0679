package faults

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Engine decides which faults strike a request. It counts requests by fault and pages by chain.
type Engine struct {
	seed   uint64
	now    func() time.Time
	mu     sync.Mutex
	since  int64 // ms, when the faults were set
	rules  []*rule
	chains map[string]*chain // by the request without its page token
}

// Request is a request as faults see it.
type Request interface {
	// Source is the API that is asked: SourceChat …, "token" or "download".
	Source() string
	// URL is what is asked for.
	URL() *url.URL
	// About reports whether the request is about a user, whom an object id or a user principal name names.
	About(user string) bool
}

// rule is a fault with its counts.
type rule struct {
	Fault
	seen, struck int            // matching requests, and strikes among them
	asked        map[uint64]int // how often each request was made, for the dice
}

// chain is the pages of one query, which link to each other.
type chain struct {
	tokens []string  // of its pages, in the order in which they were first asked for; "" = the first page
	last   data.List // rows of the last page that had any
}

const (
	maxChains = 1024
	maxAsked  = 1 << 16
)

// New returns an engine with faults. The seed decides where chance does, now is the clock of schedules.
func New(faults []Fault, seed uint64, now func() time.Time) (*Engine, error) {
	e := &Engine{seed: seed, now: now}
	if err := e.Set(faults); err != nil {
		return nil, err
	}
	return e, nil
}

// Set replaces all faults and forgets their counts. An unknown kind is an error and changes nothing.
func (e *Engine) Set(faults []Fault) error {
	rules := make([]*rule, 0, len(faults))
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		rules = append(rules, &rule{Fault: f, asked: map[uint64]int{}})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules, e.chains, e.since = rules, map[string]*chain{}, e.now().UnixMilli()
	return nil
}

// List returns the faults in their order.
func (e *Engine) List() []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Fault, 0, len(e.rules))
	for _, r := range e.rules {
		out = append(out, r.Fault)
	}
	return out
}

// chainKey returns the request without its page token, and the token.
func chainKey(asked *url.URL) (key, token string) {
	path := strings.ToLower(asked.Path)
	path = strings.NewReplacer("('", "/", "')", "").Replace(path)
	var parts []string
	for part := range strings.SplitSeq(asked.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if isPageToken(name) {
			token = value
			continue
		}
		parts = append(parts, normal(part))
	}
	return path + "?" + strings.Join(parts, "&"), token
}

// isPageToken reports whether a query option, as it was sent, is the token of a page.
func isPageToken(name string) bool {
	return name == "$skiptoken" || strings.EqualFold(name, "%24skiptoken")
}

// normal returns a query option decoded, with its name in lower case; an option that cannot be decoded is returned as it is.
func normal(option string) string {
	name, value, _ := strings.Cut(option, "=")
	name, badName := url.QueryUnescape(name)
	value, badValue := url.QueryUnescape(value)
	if option == "" || badName != nil || badValue != nil {
		return option
	}
	return strings.ToLower(name) + "=" + value
}

// pageNumber returns which page of its chain a request asks for, from 1. It begins the chain at the first page, and adds a page that was not
// asked for before. The caller holds the lock.
func (e *Engine) pageNumber(r Request) int {
	key, token := chainKey(r.URL())
	c := e.chains[key]
	if c == nil || token == "" {
		if len(e.chains) >= maxChains {
			clear(e.chains)
		}
		c = &chain{tokens: []string{""}}
		e.chains[key] = c
	}
	i := slices.Index(c.tokens, token)
	if i < 0 {
		c.tokens = append(c.tokens, token)
		i = len(c.tokens) - 1
	}
	return i + 1
}

// matches reports whether a request is about the user and the source or path of the fault.
func (r *rule) matches(asked Request) bool {
	if r.User != "" && !asked.About(r.User) {
		return false
	}
	if r.Match == "" || r.Match == "*" || strings.EqualFold(r.Match, asked.Source()) {
		return true
	}
	return strings.Contains(strings.ToLower(asked.URL().Path), strings.ToLower(r.Match))
}

// due reports whether the schedule includes a time, in milliseconds since the faults were set.
func (r *rule) due(at int64) bool {
	return at >= r.FromMS && (r.UntilMS == 0 || at < r.UntilMS)
}

// strikesByChance throws the dice for a request. The result is the same in every run, in whatever order requests come.
func (r *rule) strikesByChance(seed uint64, number int, asked *url.URL) bool {
	id := data.HashString(seed, asked.EscapedPath()+"?"+asked.RawQuery)
	if len(r.asked) >= maxAsked {
		clear(r.asked)
	}
	r.asked[id]++
	d := data.Dice(data.Hash4(seed, uint64(number), id, uint64(r.asked[id])))
	return d.Unit() < r.Rate
}

// Strike returns the faults for a request, in the order in which they were given.
func (e *Engine) Strike(asked Request) []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.rules) == 0 {
		return nil
	}
	page, now := e.pageNumber(asked), e.now().UnixMilli()
	var out []Fault
	for i, r := range e.rules {
		if !r.matches(asked) || (r.Page > 0 && r.Page != page) || !r.due(now-e.since) {
			continue
		}
		r.seen++
		n := r.seen - r.After
		switch {
		case n <= 0, r.Times > 0 && r.struck >= r.Times, r.Every > 1 && n%r.Every != 0:
			continue
		case r.Rate > 0 && !r.strikesByChance(e.seed, i, asked.URL()):
			continue
		}
		r.struck++
		out = append(out, r.Fault)
	}
	return out
}

// previousPage returns path and query of the page before in the chain of a request; ok is false for the first page.
func (e *Engine) previousPage(r Request) (uri string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, token := chainKey(r.URL())
	c := e.chains[key]
	if c == nil {
		return "", false
	}
	i := slices.Index(c.tokens, token)
	if i < 1 {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(r.URL().RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if !isPageToken(name) {
			parts = append(parts, part)
		}
	}
	if before := c.tokens[i-1]; before != "" {
		parts = append(parts, "$skiptoken="+before)
	}
	return r.URL().EscapedPath() + "?" + strings.Join(parts, "&"), true
}

// remember keeps the rows of a page, so that the next page of the chain can repeat them. An empty page is none to repeat: nobody
// could tell the repetition from an honest empty page.
func (e *Engine) remember(r Request, rows data.List) {
	if len(rows) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.ContainsFunc(e.rules, func(r *rule) bool { return r.Kind == RepeatPage }) {
		return
	}
	key, _ := chainKey(r.URL())
	if c := e.chains[key]; c != nil {
		c.last = rows
	}
}

// previousRows returns the rows of the page before in the chain of a request; for the first page the given rows.
func (e *Engine) previousRows(r Request, rows data.List) data.List {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, _ := chainKey(r.URL())
	if c := e.chains[key]; c != nil && c.last != nil {
		return c.last
	}
	return rows
}
