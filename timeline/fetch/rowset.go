package fetch

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// rowRef refers to a row of the set: its index, and the number of the latest chain that brought the row.
type rowRef struct{ item, chain int }

// rowSet collects the rows of one window. It keeps the newest version of each row.
type rowSet struct {
	rowBounds
	rowTally
	rowMemory

	r             *Reader
	items         []source.Item
	byKey         map[string]rowRef
	ambiguous     map[string]bool // keys of several rows that say different things
	verified      bool            // the participants of every row name the user
	chain         int             // number of the current chain
	boundsDoubted bool            // a row came that Graph was not asked for
	gaps          []window.Gap    // of single rows
}

// rowBounds says which rows the result of a reading holds, and which ones Graph was asked for.
type rowBounds struct {
	mayReread     bool        // the reading may end in a Reread: it is the first one of a whole window, no page of an ordered chain, and not compareHalves
	span          window.Span // span of the rows that the result holds: the window, or the part of a chain that a page shows
	wantUnbounded bool        // the request says so (Request.Unbounded): the window is everything that is left of the source
	unbounded     bool        // wantUnbounded, or a page said so: rows out of the span are expected and left out
	// newestExpected is the time of the oldest row that earlier pages of an ordered chain had: a newer row breaks the order. Zero = there
	// was no such row.
	newestExpected time.Time
}

// rowTally counts what Graph sent.
type rowTally struct {
	received, duplicates, pages int
	outOfWindow                 int       // rows out of the window
	trimmed                     int       // rows that were not added: earlier calls have delivered them
	oldestRead                  time.Time // time when the oldest page was read
}

func newRowSet(r *Reader, w window.Span) *rowSet {
	return &rowSet{r: r, rowBounds: rowBounds{span: w}, byKey: map[string]rowRef{}}
}

// nextChain begins another chain. Its pages may repeat the rows of earlier chains.
func (s *rowSet) nextChain() { s.chain++ }

// repeated reports whether this chain brought all rows of a page before, in the same or a newer version.
func (s *rowSet) repeated(items []source.Item) bool {
	for i := range items {
		at, known := s.lookUp(&items[i])
		if !known || at.chain != s.chain || items[i].Version > s.items[at.item].Version {
			return false
		}
	}
	return len(items) > 0
}

// lookUp returns the reference to a row. Among rows of one key it is the row that says the same.
func (s *rowSet) lookUp(item *source.Item) (rowRef, bool) {
	at, known := s.byKey[item.Key]
	if !known {
		return at, false
	}
	if have := &s.items[at.item]; s.unbounded && len(have.Basic) == 0 {
		return at, known // a row that was left out
	} else if s.ambiguous[item.Key] || have.Version == item.Version && differ(have, item) {
		at, known = s.byKey[ambiguousKey(item)]
	}
	return at, known
}

// add adds the rows of a page.
func (s *rowSet) add(items []source.Item) {
	s.received += len(items)
	s.count(items)
	for i := range items {
		item := &items[i]
		if item.IsZero() {
			continue
		}
		at, known := s.lookUp(item)
		if !known {
			s.put(*item)
			continue
		}
		s.duplicates++
		s.boundsDoubted = s.boundsDoubted || s.mayReread && !s.unbounded && !item.NoTime && s.isOutOfWindow(s.r.timeOf(item))
		have := &s.items[at.item]
		if at.chain != s.chain {
			s.byKey[have.Key] = rowRef{at.item, s.chain}
		}
		if item.Version > have.Version {
			key := have.Key
			*have = *item
			have.Key = key
		}
	}
}

// leastOutOfWindow is the number of rows out of their window from which on Graph is taken not to honour its bounds. Fewer rows may
// be dated wrongly.
const leastOutOfWindow = 10

// boundsIgnored reports whether most rows lie out of the window.
func (s *rowSet) boundsIgnored() bool {
	return s.mayReread && !s.unbounded && !s.r.ByCreate && s.outOfWindow >= leastOutOfWindow && 2*s.outOfWindow > len(s.items)
}

// addPage counts a page. It returns the reason of a doubt about the whole of it, or none.
func (s *rowSet) addPage(page *source.Page[source.Item]) (reason parleyv1.ErrorReason) {
	s.verified = page.Verified && (s.verified || s.pages == 0)
	s.pages++
	s.noteRead(page.ReadAt)
	s.unbounded = s.unbounded || page.Unbounded
	for _, doubt := range page.Doubts {
		if doubt.At.IsZero() {
			reason = doubt.Reason
			continue
		}
		s.gaps = window.AddGap(s.gaps, instantGap(doubt.At, doubt.Reason))
	}
	return reason
}

// noteRead notes when a page was read.
func (s *rowSet) noteRead(at time.Time) {
	if s.oldestRead.IsZero() || at.Before(s.oldestRead) {
		s.oldestRead = at
	}
}

// instantGap is the gap of one row.
func instantGap(at time.Time, reason parleyv1.ErrorReason) window.Gap {
	at = at.Truncate(time.Millisecond)
	return window.Gap{Span: window.Span{Start: at, End: at.Add(time.Millisecond)}, Reason: reason}
}

// equal reports whether both sets hold the same versions of the same rows of the window.
func (s *rowSet) equal(o *rowSet) bool {
	return s.isSubset(o) && o.isSubset(s)
}

// isSubset reports whether the other set holds the same version of each row of the window.
func (s *rowSet) isSubset(o *rowSet) bool {
	for i := range s.items {
		if s.items[i].NoTime || !s.span.Has(s.r.timeOf(&s.items[i])) {
			continue
		}
		at, known := o.byKey[s.items[i].Key]
		if !known || o.items[at.item].Version != s.items[i].Version {
			return false
		}
	}
	return true
}

// join adds the rows of the other set that are new or newer.
func (s *rowSet) join(o *rowSet) {
	duplicates, rows := s.duplicates, s.received
	s.verified = s.verified && o.verified
	s.add(o.items)
	s.duplicates, s.received = duplicates, rows
}

// build makes the chunk of the rows, sorted in the direction of the walk, and the entries of a result. The chunk holds everything
// that was asked for. The entries are the part of it that lies in the window, which may end earlier.
func (s *rowSet) build(res *Result) {
	entries, edge := s.entries(res)
	for _, gap := range s.gaps {
		if s.span.Has(gap.Start) {
			res.Gaps = append(res.Gaps, gap)
		}
	}
	if s.boundsDoubted {
		res.Gaps = append(res.Gaps, window.Gap{Span: s.span, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
	}
	slices.SortFunc(entries, func(x, y chunk.Entry) int { return s.r.Compare(&x, &y) })
	c := chunk.New(entries)
	c.Edge = edge
	c.Rows, c.Duplicates, c.Pages = s.received, s.duplicates, s.pages
	res.Trimmed += s.trimmed
	c.AcceptedStart, c.Trimmed = res.AcceptedStart, res.Trimmed
	c.ReadAt, c.Unfiltered = s.oldestRead, s.r.unfiltered.Load()
	if s.verified {
		c.Participants.Verify()
	}
	res.Chunk = c
	res.clip(s.r.Desc)
}

// entries makes the entries of the rows. The rows of the edge are returned as edge. The rows out of the window are counted, but for those without
// a time, which are marked like them.
func (s *rowSet) entries(res *Result) (entries []chunk.Entry, edge []chunk.Stamp) {
	chunkSpan := s.span
	chunkSpan.End = window.Later(chunkSpan.End, s.r.queryFor(s.span).End)
	if s.r.OpenStart && s.span.Start.Equal(s.r.Start) {
		chunkSpan.Start = time.Time{}
	}
	entries = make([]chunk.Entry, 0, len(s.items))
	for i := range s.items {
		item := &s.items[i]
		e := chunk.Entry{Time: s.r.timeOf(item), Key: chunk.OrderKey(item.Key), Version: item.Version, Basic: item.Basic, Unmapped: item.Unmapped}
		e.Hash = chunk.Hash(e.Key, e.Version)
		switch {
		case item.NoTime:
			e.Time = res.Start
			e.MarkOutOfWindow(&res.Start)
		case chunkSpan.Has(e.Time):
		case s.isOutOfWindow(e.Time):
			if s.unbounded || s.r.ByCreate && e.Time.Before(s.span.Start) {
				res.Trimmed++ // not asked for
				continue
			}
			e.MarkOutOfWindow(nil)
			s.boundsDoubted = true
			res.OutOfWindow++
		default:
			edge = append(edge, chunk.Stamp{Time: e.Time, Hash: e.Hash})
			continue
		}
		entries = append(entries, e)
	}
	return entries, edge
}

// isOutOfWindow reports whether Graph was not asked for a time.
func (s *rowSet) isOutOfWindow(at time.Time) bool {
	from, _ := source.RequestBounds(s.span.Start, s.span.End)
	return at.Before(from) && !s.r.beforeOpenStart(s.span, at) || !at.Before(s.upperBound())
}

// upperBound is the first instant after the window that Graph was not asked for.
func (s *rowSet) upperBound() time.Time {
	if !s.newestExpected.IsZero() {
		return s.newestExpected.Add(1)
	}
	_, to := source.RequestBounds(s.span.Start, s.r.queryFor(s.span).End)
	return to
}
