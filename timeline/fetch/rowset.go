package fetch

import (
	"slices"
	"sort"
	"strings"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// place is where a row is, and the number of the latest chain that brought it.
type place struct{ item, chain int }

// rowset collects the rows of one window: newest version of each, trimmed.
type rowset struct {
	r          *Reader
	trim       window.Span // what is kept
	asked      window.Span // what was asked for
	byKey      map[string]place
	twins      map[string]bool // keys that several rows have which differ in what they say
	items      []source.Item
	chain      int             // number of the current chain
	wanted     <-chan struct{} // closed when the window is the next one that is wanted
	rows       int
	size       int64 // bytes of the rows
	room       int64 // bytes that were taken for the page that is being read
	ahead      int64 // and for the one behind it
	duplicates int
	pages      int
	read       time.Time    // when the oldest page was read
	doubtful   bool         // a row lay far outside
	doubts     []window.Gap // of single rows
	strange    int          // rows that lay far outside
	leftOut    int          // rows that were not taken in
	window     bool         // a whole window is read, not a page of an ordered chain
	whole      bool         // all that is left of the source is read
	unbounded  bool         // the source was asked without the interval: rows outside are expected
	shown      time.Time    // oldest row of earlier pages of an ordered chain: what is newer breaks the order
}

func newRowset(r *Reader, w window.Span) *rowset {
	return &rowset{r: r, trim: w, asked: w, byKey: map[string]place{}}
}

// forget begins another chain: its pages may repeat what earlier chains brought.
func (s *rowset) forget() { s.chain++ }

// repeated reports whether a page consists of rows that this chain brought before: nothing in it is new or newer.
func (s *rowset) repeated(items []source.Item) bool {
	for i := range items {
		at, known := s.find(&items[i])
		if !known || at.chain != s.chain || items[i].Version > s.items[at.item].Version {
			return false
		}
	}
	return len(items) > 0
}

// find returns where a row is: the very one, if others have its key.
func (s *rowset) find(item *source.Item) (place, bool) {
	at, known := s.byKey[item.Key]
	if !known {
		return at, false
	}
	if have := &s.items[at.item]; s.unbounded && len(have.Basic) == 0 {
		return at, known // one that was left out
	} else if s.twins[item.Key] || have.Version == item.Version && differ(have, item) {
		at, known = s.byKey[twinKey(item)]
	}
	return at, known
}

func (s *rowset) add(items []source.Item) {
	s.rows += len(items)
	s.weigh(items)
	for i := range items {
		item := &items[i]
		if item.IsZero() {
			continue
		}
		at, known := s.find(item)
		if !known {
			s.put(*item)
			continue
		}
		s.duplicates++
		s.doubtful = s.doubtful || s.window && !s.unbounded && !item.NoTime && s.far(s.r.timeOf(item))
		have := &s.items[at.item]
		if at.chain != s.chain {
			s.byKey[have.Key] = place{at.item, s.chain}
		}
		if item.Version > have.Version {
			key := have.Key
			*have = *item
			have.Key = key
		}
	}
}

// weigh counts the rows of a page in place of the room that was taken for it.
func (s *rowset) weigh(items []source.Item) {
	size := int64(0)
	for i := range items {
		size += int64(len(items[i].Basic)+len(items[i].Unmapped)+len(items[i].Key)) + rowBytes
	}
	s.r.account.Add(size - s.room)
	s.size += size
	s.room, s.ahead = s.ahead, 0
	for most := s.r.pageBytes.Load(); size > most && !s.r.pageBytes.CompareAndSwap(most, size); {
		most = s.r.pageBytes.Load()
	}
}

// drop gives back what the rows took: they are in the sheet now, or nobody wants them.
func (s *rowset) drop() {
	s.r.account.Add(-s.size - s.room - s.ahead)
	s.size, s.room, s.ahead = 0, 0, 0
}

// leastStrange is how many rows must lie far outside before Graph is taken not to honour its bounds; fewer may be dated wrongly.
const leastStrange = 10

// ignored reports whether most rows of the window lie far outside.
func (s *rowset) ignored() bool {
	return s.window && !s.unbounded && !s.r.ByCreate && s.strange >= leastStrange && 2*s.strange > len(s.items)
}

// note takes over what is said of a page as a whole.
func (s *rowset) note(page *source.Page[source.Item]) {
	s.pages++
	if s.read.IsZero() || page.Read.Before(s.read) {
		s.read = page.Read
	}
	s.unbounded = s.unbounded || page.Unbounded
}

// equal reports whether both hold the same versions of the same rows inside the window.
func (s *rowset) equal(o *rowset) bool {
	return s.within(o) && o.within(s)
}

func (s *rowset) within(o *rowset) bool {
	for i := range s.items {
		if s.items[i].NoTime || !s.trim.Has(s.r.timeOf(&s.items[i])) {
			continue
		}
		at, known := o.byKey[s.items[i].Key]
		if !known || o.items[at.item].Version != s.items[i].Version {
			return false
		}
	}
	return true
}

// join takes over what the other set has more or newer.
func (s *rowset) join(o *rowset) {
	duplicates, rows := s.duplicates, s.rows
	s.add(o.items)
	s.duplicates, s.rows = duplicates, rows
}

// timeOf is the time that the walk is ordered by.
func (r *Reader) timeOf(item *source.Item) time.Time {
	if r.ByCreate && !item.Created.IsZero() {
		return item.Created
	}
	return item.Time
}

// fill turns the rows into the sheet and the entries of a block, sorted in the direction of the walk. The sheet holds what
// was asked for; the block's entries are what lies in the window, which may end earlier.
func (s *rowset) fill(b *Result) {
	asked := s.trim
	asked.End = window.Later(asked.End, s.r.ask(s.trim).End)
	if s.r.OpenStart && s.trim.Start.Equal(s.r.Start) {
		asked.Start = time.Time{}
	}
	entries := make([]chunk.Entry, 0, len(s.items))
	var edge []chunk.Stamp
	for i := range s.items {
		item := &s.items[i]
		e := chunk.Entry{Time: s.r.timeOf(item), Key: chunk.OrderKey(item.Key), Version: item.Version, Basic: item.Basic, Unmapped: item.Unmapped}
		e.Hash = chunk.Hash(e.Key, e.Version)
		switch {
		case item.NoTime:
			e.Time = b.Start
			e.MarkOutOfWindow(&b.Start)
		case asked.Has(e.Time):
		case s.far(e.Time):
			if s.unbounded || s.r.ByCreate && e.Time.Before(s.trim.Start) {
				b.Trimmed++ // not asked for
				continue
			}
			e.MarkOutOfWindow(nil)
			s.doubtful = true
			b.OutOfWindow++
		default:
			edge = append(edge, chunk.Stamp{Time: e.Time, Hash: e.Hash})
			continue
		}
		entries = append(entries, e)
	}
	for _, doubt := range s.doubts {
		if s.trim.Has(doubt.Start) {
			b.Gaps = append(b.Gaps, doubt)
		}
	}
	if s.doubtful {
		b.Gaps = append(b.Gaps, window.Gap{Span: s.asked, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
	}
	slices.SortFunc(entries, func(x, y chunk.Entry) int { return s.r.Compare(&x, &y) })
	b.Chunk = chunk.New(entries)
	b.Chunk.Edge = edge
	b.Chunk.Rows, b.Chunk.Duplicates, b.Chunk.Pages = s.rows, s.duplicates, s.pages
	b.Trimmed += s.leftOut
	b.Chunk.Begun, b.Chunk.Trimmed = b.Begun, b.Trimmed
	b.Chunk.Read, b.Chunk.Unfiltered = s.read, s.r.unfiltered.Load()
	b.show(s.r.Desc)
}

// show makes the entries of the sheet that lie in the window those of the block.
func (b *Result) show(desc bool) {
	b.Entries = b.Chunk.Entries
	b.Rows, b.Duplicates, b.Begun, b.Trimmed = b.Chunk.Rows, b.Chunk.Duplicates, b.Chunk.Begun, b.Chunk.Trimmed
	late := func(i int) bool { return !b.Entries[i].OutOfWindow && !b.Entries[i].Time.Before(b.End) }
	if !desc {
		ordered := sort.Search(len(b.Entries), func(i int) bool { return b.Entries[i].OutOfWindow })
		if to := sort.Search(ordered, late); to == ordered {
			return
		} else if ordered == len(b.Entries) {
			b.Entries = b.Entries[:to]
		} else {
			b.Entries = slices.Concat(b.Entries[:to], b.Entries[ordered:])
		}
		return
	}
	b.Entries = b.Entries[sort.Search(len(b.Entries), func(i int) bool { return !late(i) }):]
}

// far reports whether a time lies outside what Graph was asked for.
func (s *rowset) far(at time.Time) bool {
	from, _ := source.RequestBounds(s.trim.Start, s.trim.End)
	return at.Before(from) && !s.r.older(s.trim, at) || !at.Before(s.limit())
}

// limit is the first instant that counts as far behind the window.
func (s *rowset) limit() time.Time {
	if !s.shown.IsZero() {
		return s.shown.Add(1)
	}
	_, to := source.RequestBounds(s.trim.Start, s.r.ask(s.trim).End)
	return to
}

// Compare orders the entries of one window of one source.
func (r *Reader) Compare(x, y *chunk.Entry) int {
	if x.OutOfWindow != y.OutOfWindow {
		if y.OutOfWindow {
			return -1
		}
		return 1
	}
	order := x.Time.Compare(y.Time)
	if order == 0 || x.OutOfWindow {
		order = strings.Compare(x.Key, y.Key)
	}
	if r.Desc && !x.OutOfWindow {
		return -order
	}
	return order
}
