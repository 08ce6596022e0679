// Package fetch reads one window of one source to its last page: it follows the links, de-duplicates and sorts the rows, trims
// them to the window, and turns what Graph does wrong on the way into gaps. A chat's own messages come page by page instead,
// newest first. Calls at the same time share the reading of a window, and whole readings are cached.
package fetch

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/links"
	"github.com/parley-gateway/parley/timeline/window"
)

// Result is what reading one window brought.
type Result struct {
	window.Window
	Chunk       *chunk.Chunk  // holds the events of the entries that are not apart
	Entries     []chunk.Entry // of the sheet, all or some; shared like it
	CacheKey    string        // key that the sheet was found under; "" = it was read for this call
	Gaps        []window.Gap
	Failed      *failure.Failure // why the window was not read to its end
	Split       bool             // it held too much and must be read in pieces; nothing else is set
	Ignored     bool             // Graph did not honour its bounds; nothing else is set
	Unsent      bool             // beside ignored: they were not sent
	Halve       bool             // beside split: the pieces are its halves, since it did not fit into a call
	extra       int64            // bytes that it takes beside its sheet
	Pager       *ReversePager    // how to go on reading a single chain
	Unordered   bool             // the chain does not come in order: read windows instead
	Begun       time.Time        // Graph refused to be asked from the window's start on, and was asked from here on; zero = it did not
	Unverified  bool             // it holds calls that could not be read whole to see whether they belong here
	Took        time.Duration    // to read it
	Rows        int
	Duplicates  int
	OutOfWindow int
	Trimmed     int // rows that Graph sent from where nobody asked
}

// Reader reads the windows of one source. Its counters are shared by the windows that are read at the same time.
type Reader struct {
	Source    parleyv1.Source
	Events    source.EventReader
	Store     cache.Windows     // keeps what is made of pages; nil = nothing is kept
	Query     source.EventQuery // without interval
	ByCreate  bool
	Desc      bool
	MaxPages  int
	PageSize  int         // page size that is asked for
	Start     time.Time   // where the interval begins
	OpenStart bool        // what is older than that belongs to its first window
	Marks     []time.Time // where it may begin if Graph refuses that
	OpenEnd   time.Time   // a pinned end, asked up to the next whole minute so that pages can be shared; zero = none

	pages, fromCache, requests atomic.Int64
	largest                    atomic.Int64 // rows of the largest page that had a link
	pageBytes                  atomic.Int64 // what the largest page takes
	loose                      atomic.Bool  // Graph does not honour the bounds of a chat's own messages
	unfiltered                 atomic.Bool  // Graph did not evaluate (all of) the clause
	account                    *ledger.Account
	unit                       int64 // bytes that count as a row when it is found out how much a window holds; 0 = none
}

// CountRequests adds requests that Graph saw beside those for pages.
func (r *Reader) CountRequests(n int) { r.requests.Add(int64(n)) }

// Counts are the pages that were read, how many of them were kept ones, and the requests that Graph saw.
func (r *Reader) Counts() (pages, fromCache, requests int64) {
	return r.pages.Load(), r.fromCache.Load(), r.requests.Load()
}

// IgnoresClause reports whether Graph did not evaluate all of the clause.
func (r *Reader) IgnoresClause() bool { return r.unfiltered.Load() }

// Probe asks for the first page of a span as somebody else and without a clause, and returns how many rows came.
func (r *Reader) Probe(ctx context.Context, s window.Span, user string) (rows int, err error) {
	q := r.ask(s)
	q.User, q.Clause = user, source.Clause{}
	page, err := r.Events.Events(ctx, q, "")
	if err != nil {
		r.CountRequests(failure.GraphRequests(err))
		return 0, err
	}
	if !page.FromCache {
		r.CountRequests(page.Requests)
	}
	return page.Rows, nil
}

// ask returns the query for a span.
func (r *Reader) ask(s window.Span) source.EventQuery {
	q := r.Query
	q.Start, q.End = s.Start, s.End
	if !r.OpenEnd.IsZero() && s.End.Equal(r.OpenEnd) {
		q.End = s.End.Truncate(time.Minute).Add(time.Minute)
	}
	return q
}

// page asks for one page and counts it.
func (r *Reader) page(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	page, err := r.Events.Events(ctx, q, link)
	if err != nil {
		r.requests.Add(int64(failure.GraphRequests(err)))
		return nil, err
	}
	r.pages.Add(1)
	if page.Unfiltered {
		r.unfiltered.Store(true)
	}
	if page.FromCache {
		r.fromCache.Add(1)
	} else {
		r.requests.Add(int64(page.Requests))
	}
	if rows := int64(page.Rows); page.Next != "" && rows > 0 {
		for largest := r.largest.Load(); rows > largest && !r.largest.CompareAndSwap(largest, rows); {
			largest = r.largest.Load()
		}
	}
	return page, nil
}

// short tells whether a page of so many rows is smaller than was asked for, or than another page was. That all pages are
// is no reason to believe in the end of a chain: it ends with an empty page once in so many windows, and then the halves say so.
func (r *Reader) short(rows int) bool { return rows < max(r.PageSize, int(r.largest.Load())) }

// once reads one window and decides what the doubts on the way mean. unbounded says that Graph does not honour bounds, so that
// rows outside are to be left out.
func (r *Reader) once(ctx context.Context, w window.Window, wanted <-chan struct{}, unbounded bool) *Result {
	b := &Result{Window: w}
	rows := newRowset(r, w.Span)
	rows.unbounded, rows.whole = unbounded, unbounded
	defer rows.drop()
	rows.wanted, rows.window = wanted, true
	end := r.chain(ctx, w, r.ask(w.Span), rows)
	for _, mark := range r.later(w.Span, &end) {
		b.Begun = mark
		if end = r.chain(ctx, w, r.ask(window.Span{Start: mark, End: w.End}), rows); !end.refused() {
			break
		}
	}
	if end.failed != nil && end.failed.Again {
		// Graph forgot the chain: once more from the start; what was read stays.
		rows.forget()
		end = r.chain(ctx, w, r.ask(window.Span{Start: window.Later(w.Start, b.Begun), End: w.End}), rows)
	}
	if end.failed != nil {
		b.Begun = time.Time{}
	}
	if err := ctx.Err(); err != nil {
		return r.Abandon(b, err)
	}
	if end.ignored || end.unsent {
		b.Ignored, b.Unsent = true, end.unsent
		return b
	}
	if end.split {
		b.Split = true
		if r.Query.Conversation == "" {
			r.keep(w, &chunk.Chunk{Split: true, Read: rows.read, Begun: b.Begun})
		}
		return b
	}
	if end.failed != nil && end.failed.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE && w.Level == window.Era {
		// Perhaps it was too much to ask at a time, and a year that cannot be read is a smaller gap.
		b.Split = true
		return b
	}
	b.Failed = end.failed
	reason := end.reason
	if end.suspect && rows.rows > 0 {
		reason = r.halves(ctx, w, rows, b)
		if err := ctx.Err(); err != nil {
			return r.Abandon(b, err)
		}
	}
	if reason != failure.None {
		b.Gaps = append(b.Gaps, window.Gap{Span: w.Span, Reason: reason})
	}
	rows.fill(b)
	if b.Failed == nil && len(b.Gaps) == 0 && b.OutOfWindow == 0 {
		r.keep(w, b.Chunk)
	}
	return b
}

// underWay asks for pages that are kept or just being asked for, and for no others.
func underWay(ctx context.Context) context.Context {
	control := cache.ControlOf(ctx)
	control.OnlyUnderWay = true
	return cache.WithControl(ctx, control)
}

// Abandon is the block of a window that nobody waits for any more. Nothing is made of its rows: sorting and copying them
// would cost more memory than the reader who has left did.
func (r *Reader) Abandon(b *Result, err error) *Result {
	f := failure.Classify(err, false)
	return &Result{Window: b.Window, Pager: b.Pager, Failed: &f}
}

// later are the times from which Graph is asked in turn when it refused to be asked from the beginning of the whole interval on.
func (r *Reader) later(s window.Span, end *ending) []time.Time {
	if !end.refused() || !s.Start.Equal(r.Start) && !slices.ContainsFunc(r.Marks, s.Start.Equal) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Marks), func(mark time.Time) bool { return !mark.After(s.Start) || !mark.Before(s.End) })
}

// older reports whether a time lies before a span that nothing bounds below.
func (r *Reader) older(s window.Span, at time.Time) bool {
	return r.OpenStart && s.Start.Equal(r.Start) && at.Before(s.Start)
}

// halves settles whether a chain that ended with an empty page had been cut: the same window in two halves must hold the
// same. It returns the reason of a doubt, or none.
func (r *Reader) halves(ctx context.Context, w window.Window, whole *rowset, b *Result) parleyv1.ErrorReason {
	middle := w.Start.Add(w.End.Sub(w.Start) / 2).Truncate(time.Second)
	if !middle.After(w.Start) {
		return parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION
	}
	again := newRowset(r, w.Span)
	again.wanted, again.unbounded = whole.wanted, whole.unbounded
	defer again.drop()
	for _, half := range []window.Span{{Start: w.Start, End: middle}, {Start: middle, End: w.End}} {
		again.forget()
		again.asked = half
		end := r.chain(ctx, window.Window{Span: half, Level: window.Hour}, r.ask(half), again)
		if end.failed != nil {
			b.Failed = end.failed
			return failure.None
		}
		if end.reason != failure.None {
			whole.join(again)
			return end.reason
		}
	}
	if whole.equal(again) {
		return failure.None
	}
	whole.join(again)
	return parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION
}

// ending tells how a chain of pages ended: by itself (all fields zero, or suspect), or why not.
type ending struct {
	failed  *failure.Failure
	reason  parleyv1.ErrorReason // of a doubt
	split   bool
	ignored bool // most rows lie far outside
	unsent  bool // the bounds were not sent, so that every window would bring the same rows
	suspect bool // a short page, then an empty one without a link
}

// refused reports whether Graph did not accept the request for the interval itself.
func (e *ending) refused() bool {
	return e.failed != nil && e.failed.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST && !e.failed.Followed
}

// chain reads pages until one has no link.
func (r *Reader) chain(ctx context.Context, w window.Window, q source.EventQuery, rows *rowset) ending {
	_, divisible := w.Finer()
	_, _, halvable := w.Halves()
	links := links.Set{}
	link, last, filled := "", 0, 0
	ahead := source.Prefetcher{
		Read: func(ctx context.Context, link string) (*source.Page[source.Item], error) { return r.page(ctx, q, link) },
		Wanted: func(next string, more int) bool {
			load := r.Load(rows.rows+more, rows.size+r.pageBytes.Load())
			split := !rows.unbounded && (divisible && w.Level.TooMuch(filled+1, load) || halvable && r.tooLarge(rows))
			return r.Query.Conversation == "" && more > 0 && !split && !links.Has(next) && r.passAhead(rows)
		},
	}
	defer ahead.Stop()
	for n := 1; ; n++ {
		err := r.pass(ctx, rows)
		var page *source.Page[source.Item]
		if err == nil {
			page, err = ahead.Page(ctx, link)
		}
		if err != nil {
			f := failure.Classify(err, link != "")
			return ending{failed: &f}
		}
		if rows.repeated(page.Items) {
			return ending{reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}
		}
		rows.add(page.Items)
		rows.note(page)
		if page.Next == "" {
			if rows.ignored() {
				return ending{ignored: true}
			}
			return ending{suspect: n > 1 && page.Rows == 0 && last > 0 && r.short(last)}
		}
		if page.Rows > 0 {
			last = page.Rows
			filled++
		}
		switch {
		case rows.ignored():
			return ending{ignored: true}
		case page.Unbounded && n == 1 && rows.window && !rows.whole:
			return ending{unsent: true}
		case !links.Add(page.Next):
			return ending{reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}
		case !rows.unbounded && (divisible && r.tooMuch(w, filled, rows) || halvable && r.tooLarge(rows)):
			return ending{split: true}
		case n >= r.MaxPages:
			return ending{reason: parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES}
		}
		link = page.Next
	}
}

// tooMuch tells when to split a window that goes on. A chat's own messages come newest first and one page at a time, so
// that splitting gains no time: the window is read on unless its first pages promise more than may lie ready.
func (r *Reader) tooMuch(w window.Window, pages int, rows *rowset) bool {
	load := r.Load(rows.rows, rows.size)
	if r.account.Overdrawn() && load >= window.MaxRows/2 {
		return true // the smaller, the sooner there is room again
	}
	limit := float64(r.Load(0, r.account.Each()))
	if r.Query.Conversation == "" || limit <= 0 {
		return w.Level.TooMuch(pages, load)
	}
	if float64(load) >= limit {
		return true
	}
	const sample = 8
	oldest, found := lowest(r, rows.items)
	if pages < 2 || pages > sample || !found || !oldest.Before(w.End) {
		return false
	}
	start := w.Start
	for _, mark := range r.Marks {
		if mark.Before(oldest) {
			start = window.Later(start, mark) // hardly anything is older
		}
	}
	covered := float64(w.End.Sub(oldest)) / float64(w.End.Sub(start))
	return float64(load)/covered > limit*3/4
}

// tooLarge tells when to cut even an hour: its rows are few, but take much more memory than a window is planned for.
func (r *Reader) tooLarge(rows *rowset) bool {
	return rows.window && r.unit > 0 && r.Query.Conversation == "" && rows.size >= r.unit*window.MaxRows*5/2
}
