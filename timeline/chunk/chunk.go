// Package chunk holds the events of one window as they are cached and delivered: encoded, sorted, and side by side in one array,
// with an index of their times and keys. Requests share a chunk, and its rows never change. Package fetch above it makes chunks, and package
// merge delivers their entries; below it, package eventwire knows how an event is encoded.
//
//   - chunk.go is the chunk, entry.go one event of it.
//   - list.go gives the events out as ranges of a list field, in each view; shrink.go truncates an event that is too large for an answer.
//   - participants.go is what is known of the user's part in the call records of a chunk.
//   - codec.go encodes a whole chunk for other replicas, and for windows that are kept compressed.
package chunk

import (
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/eventwire"
	"github.com/parley-gateway/parley/internal/ledger"
)

// Chunk is the immutable result of reading one window: the events in the order of the walk, encoded in one array. Events that lie
// side by side are delivered as one byte range.
type Chunk struct {
	// Entries are the events in the order of the walk. Events out of their window come last.
	Entries []Entry
	// Hashes are the hashes of the entries.
	Hashes []uint64
	// Edge holds the rows within the second that the window is asked wider. They belong to its neighbours.
	Edge []Stamp
	// Rows, Duplicates and Pages count what Graph sent. Trimmed counts the rows that are left out: nobody asked for
	// them, or an earlier call has delivered them.
	Rows, Duplicates, Pages, Trimmed int
	// AcceptedStart is the start that Graph accepted after it refused the start of the window; zero = it refused none.
	AcceptedStart time.Time
	// Unfiltered says that Graph did not evaluate all of the clause.
	Unfiltered bool
	// Split says that the window holds too much and is read in pieces. Such a chunk has no entries.
	Split bool
	// ReadAt is the time when the oldest page was read.
	ReadAt time.Time

	// Repeats is set after a walk has met a version in the chunk that another window had brought. The window was read well, but
	// Graph gave the row two times.
	Repeats atomic.Bool
	// Participants has the known parts of the user in the calls.
	Participants Participants
	// Held counts the chunk once in the accounts of all calls that hold it.
	Held ledger.Shared
	// OnGrow is called after the chunk has grown by a view or by participants; nil = nobody is told.
	OnGrow func()

	basic  List
	beside int64        // bytes of the keys and of the parts beyond the view BASIC
	views  [2]lazyList  // METADATA and FULL, made on first use
	grown  atomic.Int64 // bytes that the views and participants take
}

// maxList bounds the array of a chunk. Windows are planned for a thousand rows; a larger chunk delivers its events one by one.
const maxList = 1 << 30

// New moves sorted entries into arrays of their exact size, so that the entries keep nothing else alive.
func New(entries []Entry) *Chunk {
	c := &Chunk{Entries: entries, Hashes: make([]uint64, len(entries))}
	size, unmapped := 0, 0
	for i := range entries {
		e := &entries[i]
		c.Hashes[i] = e.Hash
		c.beside += int64(len(e.Key) + len(e.Unmapped))
		if e.At = NotInChunk; e.fits() {
			size += eventwire.FramedSize(len(e.Basic))
			unmapped += len(e.Unmapped)
		}
	}
	if size > maxList || unmapped > maxList {
		return c
	}
	c.pack(size, unmapped)
	packKeys(entries)
	return c
}

// pack moves the events that fit into the list, and their parts beyond the view BASIC into an array of its own.
func (c *Chunk) pack(size, unmapped int) {
	c.basic = List{make([]byte, 0, size), make([]uint32, len(c.Entries))}
	rest := make([]byte, 0, unmapped)
	for i := range c.Entries {
		if e := &c.Entries[i]; e.fits() {
			from := len(c.basic.bytes) + eventwire.FramedSize(len(e.Basic)) - len(e.Basic)
			c.basic.bytes = eventwire.AppendEvent(c.basic.bytes, e.Basic, nil)
			e.At, e.Basic = i, c.basic.bytes[from:len(c.basic.bytes):len(c.basic.bytes)]
			at := len(rest)
			rest = append(rest, e.Unmapped...)
			e.Unmapped = rest[at:len(rest):len(rest)] // also where it is empty: an empty slice keeps its old array alive
		}
		c.basic.ends[i] = uint32(len(c.basic.bytes))
	}
}

// packKeys moves the keys of entries into one string.
func packKeys(entries []Entry) {
	size := 0
	for i := range entries {
		size += len(entries[i].Key)
	}
	keys := make([]byte, 0, size)
	for i := range entries {
		keys = append(keys, entries[i].Key...)
	}
	all := string(keys)
	for i := range entries {
		n := len(entries[i].Key)
		entries[i].Key, all = all[:n], all[n:]
	}
}

// Bytes that an entry and a chunk take beside what they point to.
const (
	EntryBytes = 152
	chunkBytes = 384
)

// Cost is the memory of the chunk in bytes; 0 of a nil chunk.
func (c *Chunk) Cost() int64 {
	if c == nil {
		return 0
	}
	return chunkBytes + int64(cap(c.Entries))*(EntryBytes+8) + c.basic.cost() + c.beside + c.grown.Load()
}

// grow counts bytes that the chunk takes beside its rows.
func (c *Chunk) grow(n int64) {
	if n == 0 {
		return
	}
	c.grown.Add(n)
	if c.OnGrow != nil {
		c.OnGrow()
	}
}
