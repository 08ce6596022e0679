// Package chunk holds the events of one window as they are kept and handed over: encoded, sorted, and side by side in one array,
// with an index of their times and keys. Calls share a chunk; what is in it never changes.
package chunk

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
)

// Chunk is what reading one window brought, in the order of the walk, with its events in one array: whatever lies together
// goes out together. It is shared by calls and never changed.
type Chunk struct {
	Entries []Entry
	Edge    []Stamp   // rows just outside the window, which belong to its neighbours
	basic   eventList // their events, view BASIC
	Hashes  []uint64  // their digests

	Held ledger.Shared // by the calls that have it in hand

	Rows, Duplicates, Pages, Trimmed int
	Begun                            time.Time // as the block's
	Unfiltered                       bool      // Graph did not evaluate (all of) the clause
	Split                            bool      // the window holds too much and is read in pieces; nothing else is set
	Read                             time.Time // when its oldest page was read

	// Repeats is set once a walk met a version in it that another window had brought: the window was read well, but Graph
	// gave the row two times.
	Repeats atomic.Bool

	Participants Participants // of calls: which of them are the user's

	views  [2]lazyList  // METADATA and FULL, made on first use
	more   atomic.Int64 // what these take, in bytes
	OnGrow func()       // tells whoever keeps the sheet that it takes more; nil = nobody
}

// eventList holds events as an answer's list field does, one behind the other.
type eventList struct {
	bytes []byte
	ends  []uint32 // where each one ends
}

type lazyList struct {
	once sync.Once
	list eventList
	err  error
}

// NotInChunk is the place of an entry that is not in its sheet's list: it was changed for one call, or it is above the limit of
// an answer.
const NotInChunk = -1

// maxSheet bounds the array of a sheet. Windows are planned for a thousand rows; what is beyond is sent one by one.
const maxSheet = 1 << 30

// New moves sorted entries into arrays of their exact size, so that nothing else is kept alive by them.
func New(entries []Entry) *Chunk {
	s := &Chunk{Entries: entries, Hashes: make([]uint64, len(entries))}
	size, unmapped, keys := 0, 0, 0
	for i := range entries {
		e := &entries[i]
		s.Hashes[i] = e.Hash
		keys += len(e.Key)
		if e.At = NotInChunk; listed(e) {
			size += FramedSize(len(e.Basic))
			unmapped += len(e.Unmapped)
		}
	}
	if size > maxSheet || unmapped > maxSheet {
		return s
	}
	s.basic = eventList{make([]byte, 0, size), make([]uint32, len(entries))}
	rest, names := make([]byte, 0, unmapped), make([]byte, 0, keys)
	for i := range entries {
		e := &entries[i]
		if listed(e) {
			from := len(s.basic.bytes) + FramedSize(len(e.Basic)) - len(e.Basic)
			s.basic.bytes = protowire.AppendBytes(protowire.AppendTag(s.basic.bytes, listField, protowire.BytesType), e.Basic)
			e.At, e.Basic = i, s.basic.bytes[from:len(s.basic.bytes):len(s.basic.bytes)]
			if len(e.Unmapped) > 0 {
				at := len(rest)
				rest = append(rest, e.Unmapped...)
				e.Unmapped = rest[at:len(rest):len(rest)]
			}
		}
		s.basic.ends[i] = uint32(len(s.basic.bytes))
		names = append(names, e.Key...)
	}
	all := string(names)
	for i := range entries {
		n := len(entries[i].Key)
		entries[i].Key, all = all[:n], all[n:]
	}
	return s
}

// listed reports whether an event goes into the list as it is.
func listed(e *Entry) bool {
	return !e.OutOfWindow && e.Size() <= MaxFrame-FrameRoom
}

// Size is the size of an entry's event, view FULL, in a list field.
func (e *Entry) Size() int { return FramedSize(len(e.Basic) + len(e.Unmapped)) }

// FramedSize is the size of an event in a list field.
func FramedSize(n int) int { return protowire.SizeTag(listField) + protowire.SizeBytes(n) }

// Bytes that an entry and a sheet take beside what they point to.
const (
	EntryBytes = 152
	sheetBytes = 384
)

// Cost is what the sheet takes in memory, in bytes; 0 without one.
func (s *Chunk) Cost() int64 {
	if s == nil {
		return 0
	}
	n := sheetBytes + int64(cap(s.Entries))*(EntryBytes+8) + s.basic.cost() + s.more.Load()
	for i := range s.Entries {
		n += int64(len(s.Entries[i].Key) + len(s.Entries[i].Unmapped))
	}
	return n
}

// grow counts what the sheet has come to take beside its rows.
func (s *Chunk) grow(n int64) {
	if n == 0 {
		return
	}
	s.more.Add(n)
	if s.OnGrow != nil {
		s.OnGrow()
	}
}

func (l *eventList) cost() int64 { return int64(cap(l.bytes) + 4*cap(l.ends)) }

// List returns the events as a view shows them.
func (s *Chunk) List(v parleyv1.EventView) (*eventList, error) {
	at := 0
	switch v {
	case parleyv1.EventView_EVENT_VIEW_BASIC:
		return &s.basic, nil
	case parleyv1.EventView_EVENT_VIEW_FULL:
		at = 1
	default:
	}
	lazy := &s.views[at]
	lazy.once.Do(func() {
		lazy.list, lazy.err = s.render(v)
		s.grow(lazy.list.cost())
	})
	return &lazy.list, lazy.err
}

// render makes the list of another view.
func (s *Chunk) render(v parleyv1.EventView) (eventList, error) {
	l := eventList{ends: make([]uint32, len(s.Entries))}
	if v == parleyv1.EventView_EVENT_VIEW_FULL {
		size := 0
		for i := range s.Entries {
			if e := &s.Entries[i]; e.At != NotInChunk {
				size += e.Size()
			}
		}
		l.bytes = make([]byte, 0, size)
	}
	for i := range s.Entries {
		if e := &s.Entries[i]; e.At != NotInChunk {
			var err error
			if l.bytes, err = e.AppendTo(l.bytes, v, MaxFrame); err != nil {
				return eventList{}, err
			}
		}
		l.ends[i] = uint32(len(l.bytes))
	}
	if cap(l.bytes) > len(l.bytes)+len(l.bytes)/8 {
		l.bytes = append(make([]byte, 0, len(l.bytes)), l.bytes...)
	}
	return l, nil
}

// Part is the events of entries from ≤ i < to.
func (l *eventList) Part(from, to int) []byte {
	begin, end := l.begin(from), l.ends[to-1]
	return l.bytes[begin:end:end]
}

// PartSize is the size of part.
func (l *eventList) PartSize(from, to int) int { return int(l.ends[to-1] - l.begin(from)) }

// begin is where the event of an entry begins.
func (l *eventList) begin(i int) uint32 {
	if i == 0 {
		return 0
	}
	return l.ends[i-1]
}

// BasicSize is the size of all events in the view BASIC.
func (s *Chunk) BasicSize() int { return len(s.basic.bytes) }
