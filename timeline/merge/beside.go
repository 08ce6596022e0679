package merge

import (
	"time"
)

// The first window of a walk that begins beside another one.
const (
	minPages     = 0.8            // pages of Graph that its rows fill, at least
	maxPages     = 2.5            // pages of Graph that its rows fill, at most: a window that fills four is split
	rowMargin    = 1.25           // rows to expect in it for each row of a List's page
	unknownReach = 24 * time.Hour // its length where the other walk met no event of a chat
)

// PlanBeside plans the first window of each source so that it holds the page of a List, by the density of another walk, which ends where
// this one begins. Graph sends the newest rows of a window first, and the page needs the oldest, so that the window must be read whole.
// Call PlanBeside after Listing.
func (m *Merger) PlanBeside(other *Merger) {
	for i, r := range m.readers {
		if i < len(other.readers) && other.readers[i].src == r.src {
			r.planBeside(other.readers[i])
		}
	}
}

// planBeside plans the first window by the rows and events that the reader of the other walk has met.
func (r *sourceReader) planBeside(other *sourceReader) {
	if r.finished || r.resumeFrom != nil {
		return // nothing is left to plan, or the token says which window is the first
	}
	hours := other.interval.End.Sub(other.last).Hours()
	switch {
	case other.counts.Events > 1 && hours > 0:
		page := float64(r.fetch.PageSize)
		rows := min(max(float64(r.pageRows)*rowMargin, page*minPages), page*maxPages)
		// Under a filter, there are fewer events than rows: the estimate by rows is the higher one.
		r.density.LimitNextByRows(rows, max(float64(other.counts.Events)/hours, other.density.RowsPerHour()))
	case r.fetch.Query.Conversation != "":
		r.density.LimitNext(unknownReach)
	default: // the other walk met nothing: one window up to the present may be empty, too
	}
}
