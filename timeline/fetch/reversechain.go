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

// ReverseChain reads a chat's own messages newest first. Graph orders them, so one chain of pages serves the whole interval.
type ReverseChain struct {
	// Rest is the span that is left. Its end moves down.
	Rest window.Span
	// More says that another page follows.
	More bool

	query     source.EventQuery
	link      string // link of the next page; empty = the first page
	links     links.Set
	pages     int
	lastRows  int           // rows of the last page that had any
	heldBack  []source.Item // rows of the oldest instant of the page before: the next page may hold more of it
	oldest    time.Time     // oldest row that the chain has shown; zero before its first page
	shown     *seen.Set     // rows that the chain has shown
	delivered window.Span   // span that earlier calls have delivered

	unbounded    bool // Graph does not honour the bounds: rows out of the span are left out
	restarted    bool // the chain was begun anew once, from Graph
	onCachedPage bool // the page before was a cached one: its link belongs to an old reading
}

// NewReverseChain begins a chain that reads a span from its end on. delivered is the span that earlier calls have delivered.
func (r *Reader) NewReverseChain(rest, delivered window.Span) *ReverseChain {
	c := &ReverseChain{Rest: rest, delivered: delivered}
	c.begin(r)
	return c
}

// NextPage reads the next page of a chain. The result spans from the oldest message of the page to the end of the chain's rest.
func (r *Reader) NextPage(ctx context.Context, from *ReverseChain) *Result {
	res := &Result{Window: window.Window{Span: from.Rest, Level: window.Hour}}
	rows := newRowSet(r, from.Rest)
	defer rows.release()
	rows.add(from.heldBack)
	rows.rows, rows.duplicates = 0, 0            // the page before has counted them
	page, from, err := r.askPage(ctx, from, res) // from may begin later now
	next := *from
	next.More, next.heldBack = false, nil
	res.Chain = &next
	reason := failure.None
	switch {
	case r.beginAgain(res, from, &next, page, err):
		return res
	case err != nil:
		f := failure.Classify(err, from.link != "")
		res.Failed = &f
	case r.loops(from, page):
		reason = parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	case page.Unordered && from.link == "": // windows are read in place of the chain
		res.Start, res.Unordered = from.Rest.End, true
		return res
	default:
		reason = r.addPage(&next, page, rows, res)
	}
	if err := ctx.Err(); err != nil {
		return r.Abandon(res, err)
	}
	if next.More {
		r.holdBack(&next, rows)
	}
	res.Start = from.Rest.Start
	if next.More {
		res.Start = next.Rest.End
	}
	if reason != failure.None {
		res.Gaps = append(res.Gaps, window.Gap{Span: from.Rest, Reason: reason})
	}
	rows.trim, rows.asked, rows.newest = res.Span, res.Span, from.oldest
	rows.build(res)
	if rows.doubt && page != nil && page.FromCache && !from.restarted {
		// Perhaps cached pages of different readings do not fit together. A chain from Graph alone decides.
		next = *from
		res = &Result{Window: window.Window{Span: from.Rest, Level: window.Hour}, Chain: &next}
		r.restart(res, from)
	}
	return res
}

// beginAgain begins a chain anew at its rest where its link leads nowhere or into an old reading, and reports whether it does. The
// result stays empty then.
func (r *Reader) beginAgain(res *Result, from, next *ReverseChain, page *source.Page[source.Item], err error) bool {
	switch {
	case from.onCachedPage && errors.Is(err, cache.ErrNotCached):
		next.begin(r)
		next.More, next.heldBack = true, from.heldBack
		res.Start = from.Rest.End
		return true
	case from.restarted:
		return false
	case err != nil:
		if f := failure.Classify(err, from.link != ""); !f.Again {
			return false // Graph did not forget the chain
		}
	case r.loops(from, page):
		if !page.FromCache { // a circle of cached pages says nothing about Graph
			res.Gaps = append(res.Gaps, window.Gap{Span: from.Rest, Reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP})
		}
	default:
		return false
	}
	r.restart(res, from)
	return true
}

// restart begins the chain of a result again at its rest, without cached pages. The result stays empty.
func (r *Reader) restart(res *Result, from *ReverseChain) {
	next := res.Chain
	next.begin(r)
	next.restarted, next.More, next.heldBack = true, true, from.heldBack
	res.Start = from.Rest.End
}

// addPage adds the rows of a page, and prepares the chain for the next one. It returns the reason of a doubt, or none.
func (r *Reader) addPage(next *ReverseChain, page *source.Page[source.Item], rows *rowSet, res *Result) parleyv1.ErrorReason {
	if !next.unbounded && next.ignoresBounds(r, page.Items) {
		next.unbounded = true
		r.boundsIgnored.Store(true)
		res.Gaps = append(res.Gaps, window.Gap{Span: next.Rest, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
	}
	rows.unbounded = next.unbounded
	rows.add(next.unseen(r, page.Items, rows))
	next.pages++
	next.onCachedPage = page.FromCache && !page.Joined
	next.lowerOldest(r, page.Items)
	return r.advance(next, page, rows)
}

// askPage asks for the next page of a chain. A first page that Graph refuses is asked for from a later time on. The result says so,
// and the chain of that later time is returned.
func (r *Reader) askPage(ctx context.Context, from *ReverseChain, res *Result) (*source.Page[source.Item], *ReverseChain, error) {
	switch {
	case from.restarted:
		ctx = cache.WithoutCached(ctx)
	case from.onCachedPage:
		control := cache.ControlOf(ctx)
		control.OnlyUnderWay = true
		ctx = cache.WithControl(ctx, control)
	}
	page, err := r.page(ctx, from.query, from.link)
	for _, mark := range r.laterStartsAfter(from, err) {
		raised := *from
		raised.Rest.Start, res.Begun = mark, mark
		raised.begin(r)
		from = &raised
		if page, err = r.page(ctx, from.query, ""); r.laterStartsAfter(from, err) == nil {
			break
		}
	}
	return page, from, err
}

// laterStartsAfter returns the times from which the first page of a chain is asked for in turn after Graph refused it.
func (r *Reader) laterStartsAfter(from *ReverseChain, err error) []time.Time {
	if err == nil || from.link != "" {
		return nil
	}
	f := failure.Classify(err, false)
	return r.laterStarts(from.Rest, &chainEnd{failed: &f})
}

// loops reports whether the chain has shown a page before, or the page that it links to.
func (r *Reader) loops(from *ReverseChain, page *source.Page[source.Item]) bool {
	if page.Next != "" && from.links.Has(page.Next) {
		return true
	}
	for i := range page.Items {
		if !from.isKnown(r, &page.Items[i]) {
			return false
		}
	}
	return len(page.Items) > 0
}

// begin begins a chain of pages at the rest.
func (c *ReverseChain) begin(r *Reader) {
	c.query, c.link, c.links, c.oldest, c.onCachedPage = r.queryFor(c.Rest), "", links.Set{}, time.Time{}, false
	c.shown = &seen.Set{Most: seen.MostOfChain}
}

// isKnown reports whether the chain has shown a row before. Rows come newest first, so a row that is newer than the oldest one is
// known.
func (c *ReverseChain) isKnown(r *Reader, item *source.Item) bool {
	if item.NoTime || c.oldest.IsZero() {
		return false
	}
	at := r.timeOf(item)
	return at.After(c.oldest) || at.Equal(c.oldest) && c.shown.Has(rowID(item))
}

// rowID identifies a row by its key, version and content.
func rowID(item *source.Item) uint64 {
	return chunk.Hash(item.Key, item.Version) ^ chunk.Hash(string(item.Basic), 0)
}

// outsideBounds returns 1 for a row of a first page that lies after the time that Graph was asked for, -1 for a row of any page that
// lies before it, and 0 for any other.
func (c *ReverseChain) outsideBounds(r *Reader, item *source.Item) int {
	from, to := source.RequestBounds(c.query.Start, c.query.End)
	switch at := r.timeOf(item); {
	case c.oldest.IsZero() && !at.Before(to):
		return 1
	case !r.ByCreate && !r.OpenStart && at.Before(from):
		return -1
	default:
		return 0
	}
}

// ignoresBounds reports whether Graph was not asked for most rows of a page.
func (c *ReverseChain) ignoresBounds(r *Reader, items []source.Item) bool {
	outside := 0
	for i := range items {
		if !items[i].NoTime && c.outsideBounds(r, &items[i]) != 0 {
			outside++
		}
	}
	return outside >= leastOutOfWindow && 2*outside > len(items)
}

// unseen returns the rows of a page that the chain has not shown before. Graph may repeat rows of earlier pages, which is no doubt.
func (c *ReverseChain) unseen(r *Reader, items []source.Item, rows *rowSet) []source.Item {
	unseen := make([]source.Item, 0, len(items))
	for i := range items {
		item, id := &items[i], rowID(&items[i])
		if !item.NoTime && !c.oldest.IsZero() && r.timeOf(item).After(c.oldest) && c.shown.Has(id) {
			rows.rows++
			rows.duplicates++
			continue
		}
		if !item.NoTime && c.outsideBounds(r, item) > 0 && c.delivered.Has(r.timeOf(item)) {
			// Rows come newest first: an earlier call has delivered it.
			rows.rows++
			rows.leftOut++
			rows.doubt = rows.doubt || !c.unbounded
			continue
		}
		unseen = append(unseen, *item)
	}
	for i := range items {
		c.shown.Add(rowID(&items[i]), false)
	}
	return unseen
}

// lowerOldest moves oldest down to the oldest row of a page.
func (c *ReverseChain) lowerOldest(r *Reader, items []source.Item) {
	oldest, found := r.oldestOf(items)
	if !found || !c.oldest.IsZero() && oldest.After(c.oldest) {
		return
	}
	c.oldest = oldest
}

// advance prepares the chain for the page after this one, if there is one to read. It returns the reason of a doubt, or none.
func (r *Reader) advance(next *ReverseChain, page *source.Page[source.Item], rows *rowSet) parleyv1.ErrorReason {
	oldest, found := r.oldestOf(rows.items)
	switch {
	case page.Next == "":
		if page.Rows == 0 && next.lastRows > 0 && r.isShort(next.lastRows) && !next.restarted {
			// A short page, then nothing: once more from here. Rows that appear now were cut before.
			next.begin(r)
			next.restarted, next.More, next.lastRows = true, true, 0
		}
		return failure.None
	case (r.ByCreate || next.unbounded) && found && oldest.Before(next.Rest.Start.Add(-2*time.Second)):
		return failure.None // before the interval, whose start Graph was not told
	case !next.links.Add(page.Next):
		return parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	case next.pages >= r.MaxPages:
		return parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES
	}
	next.link, next.More = page.Next, true
	if page.Rows > 0 {
		next.lastRows = page.Rows
	}
	return failure.None
}

// holdBack keeps the rows of the oldest instant for the next page, and moves the end of the rest there.
func (r *Reader) holdBack(next *ReverseChain, rows *rowSet) {
	oldest, found := r.oldestOf(rows.items)
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
			next.heldBack = append(next.heldBack, *item)
		}
	}
	rows.items = slices.DeleteFunc(rows.items, func(item source.Item) bool {
		return !item.NoTime && r.timeOf(&item).Equal(oldest)
	})
}

// oldestOf returns the oldest time of the rows.
func (r *Reader) oldestOf(items []source.Item) (time.Time, bool) {
	var oldest time.Time
	found := false
	for i := range items {
		if items[i].NoTime || !r.ByCreate && !r.OpenStart && !r.boundsIgnored.Load() && r.timeOf(&items[i]).Before(r.Start.Add(-2*time.Second)) {
			continue // not in its place in the order
		}
		if at := r.timeOf(&items[i]); !found || at.Before(oldest) {
			oldest, found = at, true
		}
	}
	return oldest, found
}
