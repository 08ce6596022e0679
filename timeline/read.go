package timeline

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

const (
	tolerance = time.Second // windows are asked this much wider than they are
	maxKey    = 64          // longest key that orders by itself; longer ones by their digest
)

// entry is one event of a window.
type entry struct {
	time  time.Time
	key   string
	stray bool // exempt from order: goes out behind the window's other events
	event *parleyv1.Event
}

// hash names one version of one event.
func (e *entry) hash() uint64 { return hashOf(e.key, e.event.GetVersion()) }

// gap is a span with a doubt.
type gap struct {
	span
	reason string
}

// block is what reading one window brought.
type block struct {
	window
	entries    []entry
	gaps       []gap
	failed     *failure // why the window was not read to its end
	split      bool     // it held too much and must be read in pieces; nothing else is set
	tail       *tail    // how to go on reading a single chain
	unordered  bool     // the chain does not come in order: read windows instead
	rows       int
	duplicates int
	strays     int
}

// reading reads the windows of one source. Its counters are shared by the windows that are read at the same time.
type reading struct {
	src      parleyv1.Source
	reader   source.EventReader
	query    source.EventQuery // without interval
	byCreate bool
	desc     bool
	maxPages int
	nominal  int       // page size that is asked for
	openEnd  time.Time // a pinned end, asked up to the next whole minute so that pages can be shared; zero = none

	pages, fromCache, requests atomic.Int64
	largest, full              atomic.Int64 // rows of the largest page; how many pages with a link had as many
	buffered                   atomic.Int64 // rows read and not yet handed over
	gate                       gate
}

// gate holds windows back that are read ahead while too many rows lie ready.
type gate struct {
	limit int64 // rows; 0 = none
	mu    sync.Mutex
	moved chan struct{} // closed when rows were handed over
}

// pass waits until there is room for another page, or the window is the next one that is wanted.
func (r *reading) pass(ctx context.Context, wanted <-chan struct{}) error {
	for r.gate.limit > 0 && r.buffered.Load() >= r.gate.limit {
		r.gate.mu.Lock()
		if r.gate.moved == nil {
			r.gate.moved = make(chan struct{})
		}
		moved := r.gate.moved
		r.gate.mu.Unlock()
		if r.buffered.Load() < r.gate.limit {
			return nil
		}
		select {
		case <-moved:
		case <-wanted:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// release notes that rows were handed over or dropped.
func (r *reading) release(rows int) {
	r.buffered.Add(-int64(rows))
	r.gate.mu.Lock()
	defer r.gate.mu.Unlock()
	if r.gate.moved != nil {
		close(r.gate.moved)
		r.gate.moved = nil
	}
}

// ask returns the query for a span.
func (r *reading) ask(s span) source.EventQuery {
	q := r.query
	q.Start, q.End = s.start, s.end
	if !r.openEnd.IsZero() && s.end.Equal(r.openEnd) {
		q.End = s.end.Truncate(time.Minute).Add(time.Minute)
	}
	return q
}

// page asks for one page and counts it.
func (r *reading) page(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	page, err := r.reader.Events(ctx, q, link)
	if err != nil {
		r.requests.Add(int64(graphRequests(err)))
		return nil, err
	}
	r.pages.Add(1)
	if page.FromCache {
		r.fromCache.Add(1)
	} else {
		r.requests.Add(int64(page.Requests))
	}
	if rows := int64(page.Rows); page.Next != "" && rows > 0 {
		switch largest := r.largest.Load(); {
		case rows > largest:
			r.largest.Store(rows)
			r.full.Store(1)
		case rows == largest:
			r.full.Add(1)
		}
	}
	return page, nil
}

// short tells whether a page of so many rows is smaller than the source's pages are.
func (r *reading) short(rows int) bool {
	if r.full.Load() >= 2 {
		return rows < int(r.largest.Load())
	}
	return rows < max(r.nominal, int(r.largest.Load()))
}

// window reads one window to its end and decides what the doubts on the way mean.
func (r *reading) window(ctx context.Context, w window, wanted <-chan struct{}) *block {
	b := &block{window: w}
	rows := newRowset(r, w.span)
	rows.wanted = wanted
	end := r.chain(ctx, w, r.ask(w.span), rows)
	if end.failed != nil && end.failed.again {
		// Graph forgot the chain: once more from the start; what was read stays.
		rows.forget()
		end = r.chain(ctx, w, r.ask(w.span), rows)
	}
	if end.split {
		b.split = true
		r.release(rows.rows)
		return b
	}
	b.failed = end.failed
	reason := end.reason
	if end.suspect && rows.rows > 0 {
		reason = r.halves(ctx, w, rows, b)
	}
	if reason != "" {
		b.gaps = append(b.gaps, gap{w.span, reason})
	}
	rows.fill(b)
	return b
}

// halves settles whether a chain that ended with an empty page had been cut: the same window in two halves must hold the
// same. It returns the reason of a doubt, or "".
func (r *reading) halves(ctx context.Context, w window, whole *rowset, b *block) string {
	middle := w.start.Add(w.end.Sub(w.start) / 2).Truncate(time.Second)
	if !middle.After(w.start) {
		return ReasonTruncated
	}
	again := newRowset(r, w.span)
	again.wanted = whole.wanted
	defer func() { r.release(again.rows) }()
	for _, half := range []span{{w.start, middle}, {middle, w.end}} {
		again.forget()
		again.asked = half
		end := r.chain(ctx, window{half, hour}, r.ask(half), again)
		if end.failed != nil {
			b.failed = end.failed
			return ""
		}
		if end.reason != "" {
			whole.join(again)
			return end.reason
		}
	}
	if whole.equal(again) {
		return ""
	}
	whole.join(again)
	return ReasonTruncated
}

// ending tells how a chain of pages ended: by itself (all fields zero, or suspect), or why not.
type ending struct {
	failed  *failure
	reason  string // of a doubt
	split   bool
	suspect bool // a short page, then an empty one without a link
}

// chain reads pages until one has no link.
func (r *reading) chain(ctx context.Context, w window, q source.EventQuery, rows *rowset) ending {
	_, divisible := w.finer()
	links := linkset{}
	link, last, filled := "", 0, 0
	for n := 1; ; n++ {
		err := r.pass(ctx, rows.wanted)
		var page *source.Page[source.Item]
		if err == nil {
			page, err = r.page(ctx, q, link)
		}
		if err != nil {
			f := classify(r.src, err, link != "")
			return ending{failed: &f}
		}
		if rows.repeated(page.Items) {
			return ending{reason: ReasonPagingLoop}
		}
		rows.add(page.Items)
		rows.unbounded = rows.unbounded || page.Unbounded
		if page.Next == "" {
			return ending{suspect: n > 1 && page.Rows == 0 && last > 0 && r.short(last)}
		}
		if page.Rows > 0 {
			last = page.Rows
			filled++
		}
		switch {
		case !links.add(page.Next):
			return ending{reason: ReasonPagingLoop}
		case divisible && !rows.unbounded && w.level.tooMuch(filled, rows.rows):
			return ending{split: true}
		case n >= r.maxPages:
			return ending{reason: ReasonTooManyPages}
		}
		link = page.Next
	}
}

// linkset remembers links by digest.
type linkset map[[16]byte]struct{}

// add reports whether the link is new.
func (s linkset) add(link string) bool {
	sum := sha256.Sum256([]byte(link))
	id := [16]byte(sum[:16])
	if _, seen := s[id]; seen {
		return false
	}
	s[id] = struct{}{}
	return true
}

// rowset collects the rows of one window: newest version of each, trimmed.
type rowset struct {
	r          *reading
	trim       span // what is kept
	asked      span // what was asked for
	byKey      map[string]int
	items      []source.Item
	current    map[string]bool // keys that the current chain brought
	wanted     <-chan struct{} // closed when the window is the next one that is wanted
	rows       int
	duplicates int
	doubtful   bool // a row lay far outside
	unbounded  bool // the source was asked without the interval: rows outside are expected
	strict     bool // nothing at or behind the end was asked for
}

func newRowset(r *reading, w span) *rowset {
	return &rowset{r: r, trim: w, asked: w, byKey: map[string]int{}, current: map[string]bool{}}
}

// forget begins another chain: its pages may repeat what earlier chains brought.
func (s *rowset) forget() { clear(s.current) }

// repeated reports whether a page consists of rows that this chain brought before, with the same content.
func (s *rowset) repeated(items []source.Item) bool {
	if len(items) == 0 {
		return false
	}
	for i := range items {
		at, known := s.byKey[items[i].Key]
		if !known || !s.current[items[i].Key] || !proto.Equal(s.items[at].Event, items[i].Event) {
			return false
		}
	}
	return true
}

func (s *rowset) add(items []source.Item) {
	s.rows += len(items)
	s.r.buffered.Add(int64(len(items)))
	for i := range items {
		item := &items[i]
		if item.Event == nil {
			continue
		}
		s.current[item.Key] = true
		at, known := s.byKey[item.Key]
		if !known {
			s.byKey[item.Key] = len(s.items)
			s.items = append(s.items, *item)
			continue
		}
		s.duplicates++
		if item.Event.GetVersion() > s.items[at].Event.GetVersion() {
			s.items[at] = *item
		}
	}
}

// equal reports whether both hold the same versions of the same rows inside the window.
func (s *rowset) equal(o *rowset) bool {
	return s.within(o) && o.within(s)
}

func (s *rowset) within(o *rowset) bool {
	for i := range s.items {
		if s.items[i].NoTime || !s.trim.has(s.r.timeOf(&s.items[i])) {
			continue
		}
		at, known := o.byKey[s.items[i].Key]
		if !known || o.items[at].Event.GetVersion() != s.items[i].Event.GetVersion() {
			return false
		}
	}
	return true
}

// join takes over what the other set has more or newer.
func (s *rowset) join(o *rowset) {
	duplicates, rows := s.duplicates, s.rows
	s.add(o.items)
	s.r.release(len(o.items))
	s.duplicates, s.rows = duplicates, rows
}

// timeOf is the time that the walk is ordered by.
func (r *reading) timeOf(item *source.Item) time.Time {
	if r.byCreate && item.Event.GetCreateTime().IsValid() && item.Event.GetCreateTime() != nil {
		return item.Event.GetCreateTime().AsTime()
	}
	return item.Time
}

// fill turns the rows into the entries of a block, sorted in the direction of the walk.
func (s *rowset) fill(b *block) {
	b.entries = make([]entry, 0, len(s.items))
	for i := range s.items {
		item := &s.items[i]
		e := entry{time: s.r.timeOf(item), key: orderKey(item.Key), event: item.Event}
		switch {
		case item.NoTime:
			e.time, e.stray = b.start, true
			e.event = outside(item.Event, &b.start)
		case s.trim.has(e.time):
		case e.time.Before(s.trim.start.Add(-tolerance)) || !e.time.Before(s.limit()):
			if s.unbounded || s.r.byCreate && e.time.Before(s.trim.start) {
				continue // not asked for
			}
			e.stray = true
			e.event = outside(item.Event, nil)
			s.doubtful = true
			b.strays++
		default:
			continue
		}
		b.entries = append(b.entries, e)
	}
	if s.doubtful {
		b.gaps = append(b.gaps, gap{b.span, ReasonNotHonoured})
	}
	slices.SortFunc(b.entries, func(x, y entry) int { return s.r.compare(&x, &y) })
	b.rows, b.duplicates = s.rows, s.duplicates
}

// limit is the first instant that counts as far behind the window.
func (s *rowset) limit() time.Time {
	if s.strict {
		return s.trim.end
	}
	return s.r.ask(s.trim).End.Add(tolerance)
}

// compare orders the entries of one window of one source.
func (r *reading) compare(x, y *entry) int {
	if x.stray != y.stray {
		if y.stray {
			return -1
		}
		return 1
	}
	order := x.time.Compare(y.time)
	if order == 0 || x.stray {
		order = strings.Compare(x.key, y.key)
	}
	if r.desc && !x.stray {
		return -order
	}
	return order
}

// outside returns a copy that is marked as exempt from order; at, if given, stands in for a missing event time.
func outside(event *parleyv1.Event, at *time.Time) *parleyv1.Event {
	marked := proto.CloneOf(event)
	marked.OutOfWindow = true
	if at != nil && marked.GetEventTime() == nil {
		marked.EventTime = timestamppb.New(*at)
	}
	return marked
}

// orderKey bounds the length of a key, so that positions fit into a token.
func orderKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}
