package fetch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/links"
	"github.com/parley-gateway/parley/timeline/seen"
	"github.com/parley-gateway/parley/timeline/window"
)

// ReversePager reads a chat's own messages newest first: Graph orders them, so one chain serves the whole interval page by page.
type ReversePager struct {
	Rest   window.Span // what is left: its end moves down
	query  source.EventQuery
	link   string
	links  links.Set
	pages  int
	last   int           // rows of the last page that had any
	held   []source.Item // rows of the lowest instant of the page before: the next page may hold more of it
	low    time.Time     // oldest row that the chain has shown; zero before its first page
	shown  *seen.Set     // rows that the chain has shown
	passed window.Span   // what earlier calls have handed over
	// unbounded says that Graph does not honour the bounds: what lies outside is left out.
	unbounded bool
	again     bool // the chain has been begun anew once, from Graph
	kept      bool // the page before was a kept one: its link leads on in an old reading
	More      bool // another page follows
}

// NewPager begins a chain that reads a span from its end on. passed is what earlier calls have handed over.
func (r *Reader) NewPager(rest, passed window.Span) *ReversePager {
	from := &ReversePager{Rest: rest, passed: passed}
	from.begin(r)
	return from
}

// NextPage reads the next page of a tail. The block spans from the page's oldest message to the end of what was left.
func (r *Reader) NextPage(ctx context.Context, from *ReversePager) *Result {
	b := &Result{Window: window.Window{Span: from.Rest, Level: window.Hour}}
	rows := newRowset(r, from.Rest)
	defer rows.drop()
	rows.add(from.held)
	rows.rows, rows.duplicates = 0, 0
	reason := failure.None
	page, from, err := r.link(ctx, from, b)
	next := *from
	next.More, next.held = false, nil
	b.Pager = &next
	switch {
	case from.kept && errors.Is(err, cache.ErrNotCached):
		// What was kept ends here. Its link would go on in an old reading: what is left is asked for anew.
		next.begin(r)
		next.More, next.held = true, from.held
		b.Start = from.Rest.End
		return b
	case err != nil:
		f := failure.Classify(err, from.link != "")
		if f.Again && !from.again {
			// Graph forgot the chain: begin anew at what is left.
			return r.restart(b, from, &next)
		}
		b.Failed = &f
	case r.loops(from, page):
		if !from.again {
			// Begin anew at what is left; a circle of kept pages says nothing about Graph.
			if !page.FromCache {
				b.Gaps = append(b.Gaps, window.Gap{Span: from.Rest, Reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP})
			}
			return r.restart(b, from, &next)
		}
		reason = parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	case page.Unordered && from.link == "":
		b.Start, b.Unordered = from.Rest.End, true
		return b
	default:
		if !next.unbounded && next.ignored(r, page.Items) {
			next.unbounded = true
			r.loose.Store(true)
			b.Gaps = append(b.Gaps, window.Gap{Span: from.Rest, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
		}
		rows.unbounded = next.unbounded
		rows.add(next.unseen(r, page.Items, rows))
		next.pages++
		next.kept = page.FromCache && !page.Joined
		next.note(r, page.Items)
		reason = r.turn(&next, page, rows)
	}
	if err := ctx.Err(); err != nil {
		return r.Abandon(b, err)
	}
	if next.More {
		r.holdBack(&next, rows)
	}
	b.Start = from.Rest.Start
	if next.More {
		b.Start = next.Rest.End
	}
	if reason != failure.None {
		b.Gaps = append(b.Gaps, window.Gap{Span: from.Rest, Reason: reason})
	}
	rows.trim, rows.asked, rows.shown = b.Span, b.Span, from.low
	rows.fill(b)
	if rows.doubtful && page != nil && page.FromCache && !from.again {
		next = *from
		return r.restart(&Result{Window: window.Window{Span: from.Rest, Level: window.Hour}, Pager: &next}, from, &next)
	}
	return b
}

// link asks for the page behind the link of a tail. A first page that Graph refuses is asked for from a later time on, which the
// block tells; the tail that it belongs to is then another one.
func (r *Reader) link(ctx context.Context, from *ReversePager, b *Result) (*source.Page[source.Item], *ReversePager, error) {
	switch {
	case from.again:
		ctx = cache.WithoutCached(ctx)
	case from.kept:
		ctx = underWay(ctx)
	}
	page, err := r.page(ctx, from.query, from.link)
	for _, mark := range r.laterAfter(from, err) {
		raised := *from
		raised.Rest.Start, b.Begun = mark, mark
		raised.begin(r)
		from = &raised
		if page, err = r.page(ctx, from.query, ""); r.laterAfter(from, err) == nil {
			break
		}
	}
	return page, from, err
}

// laterAfter are the times from which the first page of a chain is asked for in turn when Graph refused it.
func (r *Reader) laterAfter(from *ReversePager, err error) []time.Time {
	if err == nil || from.link != "" {
		return nil
	}
	f := failure.Classify(err, false)
	return r.later(from.Rest, &ending{failed: &f})
}

// loops reports whether a page was seen before, or links to one that was.
func (r *Reader) loops(from *ReversePager, page *source.Page[source.Item]) bool {
	if page.Next != "" && from.links.Has(page.Next) {
		return true
	}
	for i := range page.Items {
		if !from.known(r, &page.Items[i]) {
			return false
		}
	}
	return len(page.Items) > 0
}

// restart begins a chain again at what is left; the block stays empty.
func (r *Reader) restart(b *Result, from, next *ReversePager) *Result {
	next.begin(r)
	next.again, next.More, next.held = true, true, from.held
	b.Start = from.Rest.End
	return b
}

// begin asks for what is left by a chain of its own.
func (t *ReversePager) begin(r *Reader) {
	t.query, t.link, t.links, t.low, t.kept = r.ask(t.Rest), "", links.Set{}, time.Time{}, false
	t.shown = &seen.Set{Most: seen.MostOfChain}
}

// known reports whether the chain has shown a row already: rows come newest first, so none that is newer than the oldest
// one shown is new.
func (t *ReversePager) known(r *Reader, item *source.Item) bool {
	if item.NoTime || t.low.IsZero() {
		return false
	}
	at := r.timeOf(item)
	return at.After(t.low) || at.Equal(t.low) && t.shown.Has(rowID(item))
}

// rowID names what a row says.
func rowID(item *source.Item) uint64 {
	return chunk.Hash(item.Key, item.Version) ^ chunk.Hash(string(item.Basic), 0)
}

// outside tells whether a row of a first page lies behind what Graph was asked for (1) or, on any page, before it (-1).
func (t *ReversePager) outside(r *Reader, item *source.Item) int {
	from, to := source.RequestBounds(t.query.Start, t.query.End)
	switch at := r.timeOf(item); {
	case t.low.IsZero() && !at.Before(to):
		return 1
	case !r.ByCreate && !r.OpenStart && at.Before(from):
		return -1
	default:
		return 0
	}
}

// ignored reports whether most rows of a page lie outside what Graph was asked for.
func (t *ReversePager) ignored(r *Reader, items []source.Item) bool {
	strange := 0
	for i := range items {
		if !items[i].NoTime && t.outside(r, &items[i]) != 0 {
			strange++
		}
	}
	return strange >= leastStrange && 2*strange > len(items)
}

// unseen are the rows of a page that the chain has not shown before: Graph may repeat rows of earlier pages, which is no doubt.
func (t *ReversePager) unseen(r *Reader, items []source.Item, rows *rowset) []source.Item {
	fresh := make([]source.Item, 0, len(items))
	for i := range items {
		item, id := &items[i], rowID(&items[i])
		if !item.NoTime && !t.low.IsZero() && r.timeOf(item).After(t.low) && t.shown.Has(id) {
			rows.rows++
			rows.duplicates++
			continue
		}
		if !item.NoTime && t.outside(r, item) > 0 && t.passed.Has(r.timeOf(item)) {
			// Rows come newest first: an earlier call has handed it over.
			rows.rows++
			rows.leftOut++
			rows.doubtful = rows.doubtful || !t.unbounded
			continue
		}
		fresh = append(fresh, *item)
	}
	for i := range items {
		t.shown.Add(rowID(&items[i]), false)
	}
	return fresh
}

// note moves low down to the oldest row of a page.
func (t *ReversePager) note(r *Reader, items []source.Item) {
	oldest, found := lowest(r, items)
	if !found || !t.low.IsZero() && oldest.After(t.low) {
		return
	}
	t.low = oldest
}

// turn prepares the page behind this one, if there is one to read. It returns the reason of a doubt.
func (r *Reader) turn(next *ReversePager, page *source.Page[source.Item], rows *rowset) parleyv1.ErrorReason {
	oldest, found := lowest(r, rows.items)
	switch {
	case page.Next == "":
		if page.Rows == 0 && next.last > 0 && r.short(next.last) && !next.again {
			// A short page, then nothing: once more from here; rows that appear now were cut before.
			next.begin(r)
			next.again, next.More, next.last = true, true, 0
		}
		return failure.None
	case (r.ByCreate || next.unbounded) && found && oldest.Before(next.Rest.Start.Add(-2*time.Second)):
		return failure.None // behind the interval, whose start Graph was not told
	case !next.links.Add(page.Next):
		return parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	case next.pages >= r.MaxPages:
		return parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES
	}
	next.link, next.More = page.Next, true
	if page.Rows > 0 {
		next.last = page.Rows
	}
	return failure.None
}

// holdBack keeps back the rows of the oldest instant and moves the end of what is left there.
func (r *Reader) holdBack(next *ReversePager, rows *rowset) {
	oldest, found := lowest(r, rows.items)
	if !found {
		return
	}
	if oldest.Before(next.Rest.Start) {
		oldest = next.Rest.Start
	}
	if !oldest.Before(next.Rest.End) {
		return
	}
	next.Rest.End = oldest.Add(1)
	for i := range rows.items {
		if item := &rows.items[i]; !item.NoTime && r.timeOf(item).Equal(oldest) {
			next.held = append(next.held, *item)
		}
	}
	rows.items = slices.DeleteFunc(rows.items, func(item source.Item) bool {
		return !item.NoTime && r.timeOf(&item).Equal(oldest)
	})
}

// lowest is the oldest time of the rows.
func lowest(r *Reader, items []source.Item) (time.Time, bool) {
	var oldest time.Time
	found := false
	for i := range items {
		if items[i].NoTime || !r.ByCreate && !r.OpenStart && !r.loose.Load() && r.timeOf(&items[i]).Before(r.Start.Add(-2*time.Second)) {
			continue // not in its place in the order
		}
		if at := r.timeOf(&items[i]); !found || at.Before(oldest) {
			oldest, found = at, true
		}
	}
	return oldest, found
}
