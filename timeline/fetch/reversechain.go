package fetch

import (
	"time"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/seen"
	"github.com/parley-gateway/parley/timeline/window"
)

// ReverseChain is the chain of pages of a chat's own messages, newest first. Graph orders them, so one chain serves the whole interval.
// The value is the chain between two pages: NextPage reads one page, and its result has the chain after it.
type ReverseChain struct {
	// Rest is the span that is left. Its end moves down.
	Rest window.Span

	state chainState

	// The request for the next page.
	query source.EventQuery
	link  string // link of the next page; empty = the first page

	// The pages so far: pages of the chain from its first beginning on, the rest since it was begun, or begun again.
	links    links.Set
	pages    int
	lastRows int       // rows of the last page that had any
	oldest   time.Time // oldest row that the chain has shown; zero before its first page
	shown    *seen.Set // rows that the chain has shown

	// The rows between two results.
	heldBack  []source.Item // rows of the oldest instant of the page before: the next page may hold more of it
	delivered window.Span   // span that earlier calls have delivered
	unbounded bool          // Graph does not honour the bounds: rows out of the span are left out
}

// chainState says where the next page of a chain may come from, or why there is none.
//
// Cached pages may be of different readings, between which rows have moved. They are good for as long as they fit together. When they
// do not, the chain begins again: it asks for the first page of its rest, from Graph alone. It does so once.
//
//	anyPage     → anyPage         a page came from Graph
//	anyPage     → cachedPages     a cached page came
//	cachedPages → cachedPages     a cached page came
//	cachedPages → anyPage         a page came that another call was just asking for
//	cachedPages → anyPage         the page is not cached: the chain begins again
//	these two   → graphPages      the chain begins again, because Graph does not know the link any more, the chain has shown the page
//	                              or its link, a cached page does not fit the ones before, or an empty last page came after a short one
//	graphPages  → graphPages      a page came
//	graphPages  → chainEnded      the chain has shown the page or its link: the rest is a gap
//	these three → chainEnded      the last page came, an error, one page too many, or a page that reaches before the interval
//	first page  → windowsInstead  it is not in order
type chainState int

// The states of a chain. It begins in anyPage.
const (
	anyPage        chainState = iota // the page may come from the cache or from Graph
	cachedPages                      // from the cache: the page before was cached, so its link belongs to an old reading
	graphPages                       // from Graph: the chain was begun again
	chainEnded                       // no page follows
	windowsInstead                   // Graph does not send the pages in order: windows are read in place of the chain
)

// More reports whether another page follows.
func (c *ReverseChain) More() bool { return c.state != chainEnded && c.state != windowsInstead }

// Unordered reports whether windows are read in place of the chain, because Graph does not send its pages in order.
func (c *ReverseChain) Unordered() bool { return c.state == windowsInstead }

// NewReverseChain begins a chain that reads a span from its end on. delivered is the span that earlier calls have delivered.
func (r *Reader) NewReverseChain(rest, delivered window.Span) *ReverseChain {
	c := &ReverseChain{Rest: rest, delivered: delivered}
	c.begin(r, anyPage)
	return c
}

// begin has the chain ask for the first page of its rest.
func (c *ReverseChain) begin(r *Reader, state chainState) {
	c.state = state
	c.query, c.link, c.links, c.oldest = r.queryFor(c.Rest), "", links.Set{}, time.Time{}
	c.shown = &seen.Set{Most: seen.MostOfChain}
}

// loops reports whether the chain has shown a page before, or the page that it links to.
func (c *ReverseChain) loops(r *Reader, page *source.Page[source.Item]) bool {
	if page.Next != "" && c.links.Has(page.Next) {
		return true
	}
	for i := range page.Items {
		if !c.isKnown(r, &page.Items[i]) {
			return false
		}
	}
	return len(page.Items) > 0
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

// isAfterBounds reports whether a row of a first page lies after the time that Graph was asked for. Pages after it go on where it ends.
func (c *ReverseChain) isAfterBounds(r *Reader, item *source.Item) bool {
	_, to := source.RequestBounds(c.query.Start, c.query.End)
	return c.oldest.IsZero() && !r.timeOf(item).Before(to)
}

// isBeforeBounds reports whether a row lies before the time that Graph was asked for.
func (c *ReverseChain) isBeforeBounds(r *Reader, item *source.Item) bool {
	from, _ := source.RequestBounds(c.query.Start, c.query.End)
	return !r.ByCreate && !r.OpenStart && r.timeOf(item).Before(from)
}

// ignoresBounds reports whether Graph was not asked for most rows of a page.
func (c *ReverseChain) ignoresBounds(r *Reader, items []source.Item) bool {
	outside := 0
	for i := range items {
		if item := &items[i]; !item.NoTime && (c.isAfterBounds(r, item) || c.isBeforeBounds(r, item)) {
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
			rows.received++
			rows.duplicates++
			continue
		}
		if !item.NoTime && c.isAfterBounds(r, item) && c.delivered.Has(r.timeOf(item)) {
			// Rows come newest first: an earlier call has delivered it.
			rows.received++
			rows.trimmed++
			rows.boundsDoubted = rows.boundsDoubted || !c.unbounded
			continue
		}
		unseen = append(unseen, *item)
	}
	for i := range items {
		c.shown.Add(rowID(&items[i]))
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
