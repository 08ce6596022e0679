package merge

import (
	"time"
)

// Bounds of the first window of a walk that begins beside another one.
const (
	leastShare   = 0.8            // pages of Graph that it is to hold, at least
	mostShare    = 2.5            // pages of Graph that it is to hold, at most: it is cut when it holds four
	unknownReach = 24 * time.Hour // its length where the other walk met no event of a chat
)

// Beside plans the first window of each source so that it holds a page, by the density of a walk that ends where this one begins. Graph
// sends the newest rows of a window first, and the page wants the oldest, so that a window is read whole. It follows Listing.
func (m *Merger) Beside(other *Merger) {
	for i, r := range m.readers {
		if i < len(other.readers) && other.readers[i].src == r.src {
			r.planBeside(other.readers[i])
		}
	}
}

// planBeside plans the first window by what the reader of the other walk has met.
func (r *sourceReader) planBeside(other *sourceReader) {
	page := float64(r.fetch.PageSize)
	rows := min(max(float64(r.pageRows)*1.25, page*leastShare), page*mostShare)
	span := other.interval.End.Sub(other.last).Hours()
	switch {
	case r.finished || r.resumeFrom != nil:
	case other.counts.Events > 1 && span > 0:
		// Under a filter there are more rows than events.
		r.density.Seek(rows, max(float64(other.counts.Events)/span, float64(other.density.Rate())/10))
	case r.fetch.Query.Conversation != "":
		r.density.Reach(unknownReach)
	default: // one window may be empty up to the present
	}
}
