package fetch

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/source/links"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// chainEnd says how a chain of pages ended. Its zero value is a chain that ended with a page without a link, and without a doubt.
type chainEnd struct {
	failed        *failure.Failure
	reason        parleyv1.ErrorReason // reason of a doubt
	split         bool                 // the window holds too much
	boundsIgnored bool                 // most rows lie out of the window
	boundsUnsent  bool                 // the bounds were not sent, so that every window would bring the same rows
	truncated     bool                 // a short page came, then an empty one without a link
}

// refused reports whether Graph did not accept the request for the interval itself.
func (e *chainEnd) refused() bool {
	return e.failed != nil && e.failed.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST && !e.failed.Followed
}

// unavailable reports whether Graph did not answer.
func (e *chainEnd) unavailable() bool {
	return e.failed != nil && e.failed.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE
}

// windowChain follows the links of the pages that answer one query.
type windowChain struct {
	r                   *Reader
	window              window.Window
	rows                *rowSet
	divisible, halvable bool // the window can be split by the grid, or halved
	links               links.Set
	truncation          links.TruncationCheck
}

// readPages adds the rows of pages until one has no link.
func (r *Reader) readPages(ctx context.Context, w window.Window, q source.EventQuery, rows *rowSet) chainEnd {
	c := windowChain{r: r, window: w, rows: rows, links: links.Set{}, divisible: w.IsDivisible()}
	_, _, c.halvable = w.Halves()
	prefetch := source.Prefetcher{
		ReadPage: func(ctx context.Context, link string) (*source.Page[source.Item], error) { return r.page(ctx, q, link) },
		Wanted:   c.mayPrefetch,
	}
	defer prefetch.Stop()
	link := ""
	for n := 1; ; n++ {
		err := r.reserve(ctx, rows)
		var page *source.Page[source.Item]
		if err == nil {
			page, err = prefetch.Page(ctx, link)
		}
		if err != nil {
			f := failure.ClassifyPage(err, link)
			return chainEnd{failed: &f}
		}
		if end, ended := c.add(page, n); ended {
			return end
		}
		link = page.Next
	}
}

// mayPrefetch reports whether the next page may be asked for while rows of the page before it are still coming.
func (c *windowChain) mayPrefetch(next string, more int) bool {
	r, rows := c.r, c.rows
	weight := r.Weigh(rows.received+more, rows.size+r.pageBytes.Load())
	split := !rows.unbounded && (c.divisible && c.window.Level.TooMuch(c.truncation.Filled+1, weight) || c.halvable && r.needsHalves(rows))
	return r.Query.Conversation == "" && more > 0 && !split && !c.links.Has(next) && r.reserveAhead(rows)
}

// add adds the rows of page n, and reports whether the chain ends with it.
func (c *windowChain) add(page *source.Page[source.Item], n int) (end chainEnd, ended bool) {
	r, rows := c.r, c.rows
	if rows.repeated(page.Items) {
		return chainEnd{reason: parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP}, true
	}
	rows.add(page.Items)
	if reason := rows.addPage(page); reason != failure.None {
		return chainEnd{reason: reason}, true
	}
	truncated := c.truncation.Add(page.Next, page.Rows, r.isShort)
	if rows.boundsIgnored() {
		return chainEnd{boundsIgnored: true}, true
	}
	more, doubt := c.links.Follow(page.Next, n, r.MaxPages)
	switch {
	case page.Next == "":
		return chainEnd{truncated: truncated}, true
	case page.Unbounded && n == 1 && rows.mayReread && !rows.wantUnbounded:
		return chainEnd{boundsUnsent: true}, true
	case doubt != parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP && !rows.unbounded &&
		(c.divisible && r.needsPieces(c.window, c.truncation.Filled, rows) || c.halvable && r.needsHalves(rows)):
		return chainEnd{split: true}, true
	default:
		return chainEnd{reason: doubt}, !more
	}
}

// Windows of one chat are judged by their first pages: by more than one, since a page says little, and not by later ones, since most of the
// window is read by then.
const fewestJudged, mostJudged = 2, 8

// needsPieces reports whether a window that has another page is split. A chat's own messages come newest first and one page at a time,
// so that splitting saves no time. Such a window is read on unless its first pages promise more than may be held.
func (r *Reader) needsPieces(w window.Window, pages int, rows *rowSet) bool {
	weight := r.Weigh(rows.received, rows.size)
	if r.account.LedgerScarce() && weight >= window.TargetRows/2 {
		return true // smaller windows give memory back earlier
	}
	limit := float64(r.Weigh(0, r.account.Each()))
	if r.Query.Conversation == "" || limit <= 0 {
		return w.Level.TooMuch(pages, weight)
	}
	if float64(weight) >= limit {
		return true
	}
	if pages < fewestJudged || pages > mostJudged {
		return false
	}
	fraction := r.readFraction(w, rows)
	return fraction > 0 && float64(weight)/fraction > limit*3/4
}

// readFraction returns the part of a chat's window that was read: from its end back to the oldest row; 0 = unknown.
func (r *Reader) readFraction(w window.Window, rows *rowSet) float64 {
	oldest, found := r.oldestOf(rows.items)
	if !found || !oldest.Before(w.End) {
		return 0
	}
	start := w.Start
	for _, later := range r.LaterStarts {
		if later.Before(oldest) {
			start = window.Later(start, later) // hardly anything is older
		}
	}
	return float64(w.End.Sub(oldest)) / float64(w.End.Sub(start))
}

// needsHalves reports whether even an hour is split: its rows are few, but take much more memory than a window is planned for.
func (r *Reader) needsHalves(rows *rowSet) bool {
	return rows.mayReread && r.rowUnit > 0 && r.Query.Conversation == "" && rows.size >= r.rowUnit*window.TargetRows*5/2
}
