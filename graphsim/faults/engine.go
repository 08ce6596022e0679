package faults

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Engine decides which faults strike a request. It counts requests per fault and pages per walk.
type Engine struct {
	seed  uint64
	now   func() time.Time
	mu    sync.Mutex
	since int64 // ms, when the faults were set
	rules []*rule
	walks map[string]*walk
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

type rule struct {
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
	e.rules, e.walks, e.since = rules, map[string]*walk{}, e.now().UnixMilli()
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

// walkKey is the request without its page token; the token stands apart.
func walkKey(asked *url.URL) (key, token string) {
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

// normal is a query option decoded, its name in lower case; one that cannot be decoded stays as it is.
func normal(option string) string {
	name, value, _ := strings.Cut(option, "=")
	name, badName := url.QueryUnescape(name)
	value, badValue := url.QueryUnescape(value)
	if option == "" || badName != nil || badValue != nil {
		return option
	}
	return strings.ToLower(name) + "=" + value
}

// page counts the request's page in its walk; called with the lock held.
func (e *Engine) page(r Request) int {
	key, token := walkKey(r.URL())
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

// falls throws the dice for a request. The same request falls alike in every run, in whatever order requests come.
func (r *rule) falls(seed uint64, number int, asked *url.URL) bool {
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
	page, now := e.page(asked), e.now().UnixMilli()
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
		case r.Rate > 0 && !r.falls(e.seed, i, asked.URL()):
			continue
		}
		r.struck++
		out = append(out, r.Fault)
	}
	return out
}

// previousPage is the path and query of the page before in the request's walk; false for the first one.
func (e *Engine) previousPage(r Request) (uri string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, token := walkKey(r.URL())
	w := e.walks[key]
	if w == nil {
		return "", false
	}
	i := slices.Index(w.links, token)
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
	if before := w.links[i-1]; before != "" {
		parts = append(parts, "$skiptoken="+before)
	}
	return r.URL().EscapedPath() + "?" + strings.Join(parts, "&"), true
}

// remember keeps a page's rows, so that the next page of the walk can repeat them. An empty page is none to repeat: nobody
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
	key, _ := walkKey(r.URL())
	if w := e.walks[key]; w != nil {
		w.last = rows
	}
}

// previousRows returns the rows of the page before in the request's walk; for the first one those given.
func (e *Engine) previousRows(r Request, rows data.List) data.List {
	e.mu.Lock()
	defer e.mu.Unlock()
	key, _ := walkKey(r.URL())
	if w := e.walks[key]; w != nil && w.last != nil {
		return w.last
	}
	return rows
}
