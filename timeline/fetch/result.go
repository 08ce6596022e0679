package fetch

import (
	"slices"
	"sort"
	"time"

	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// Reread is another way to read a window, where reading it as one piece between its bounds does not do.
type Reread uint8

// Ways to read a window again.
const (
	// NoReread: the window was read as it was asked for, to its end, to a failure or to a doubt.
	NoReread Reread = iota
	// InPieces: the window holds too much. Its pieces are read in its place.
	InPieces
	// InHalves: an earlier call could not read the window in its time.
	InHalves
	// BoundsIgnored: Graph did not honour the bounds. The rest of the interval is read as one window; the bounds are sent as before, and
	// rows out of them are left out.
	BoundsIgnored
	// BoundsUnsent: the source did not send the bounds, because Graph takes none beside the participant. The rest is read as one window, too.
	BoundsUnsent
)

// Split reports whether the window is read in parts.
func (way Reread) Split() bool { return way == InPieces || way == InHalves }

// Unbounded reports whether the rest of the interval is read as one window, whose bounds Graph does not keep.
func (way Reread) Unbounded() bool { return way == BoundsIgnored || way == BoundsUnsent }

// Result is the result of reading one window.
type Result struct {
	window.Window
	// Chunk holds the events; nil = nothing was read.
	Chunk *chunk.Chunk
	// Entries are all or some entries of the chunk. They are shared like it, unless they were replaced.
	Entries []chunk.Entry
	// CacheKey is the key of a cached chunk; empty = it was read while this call waited, for it or for
	// another call.
	CacheKey string
	// Gaps are the doubts about the window.
	Gaps []window.Gap
	// Failed is the failure of a request that ended the reading; nil = none did, but see Gaps and Reread.
	Failed *failure.Failure
	// AcceptedStart is the start that Graph accepted after it refused the start of the window; zero = it refused none.
	AcceptedStart time.Time

	// Reread is the other way in which the window must be read. Unless it is NoReread, the result has no events.
	Reread Reread

	// Chain goes on with the chain of a chat's own messages; nil = the result is no page of a chain.
	Chain *ReverseChain

	// Unverified says that the window holds calls that belong here by Graph's word alone.
	Unverified bool
	// Took is the time that reading the window took.
	Took time.Duration
	// Rows, Duplicates, OutOfWindow and Trimmed count what Graph sent. Trimmed counts the rows that are left out:
	// nobody asked for them, or an earlier call has delivered them.
	Rows, Duplicates, OutOfWindow, Trimmed int

	ownBytes int64 // memory of the result beside its chunk
}

// Abandoned reports whether the reading ended because its call did.
func (res *Result) Abandoned() bool { return res.Failed != nil && failure.IsContext(res.Failed.Err) }

// Abandon returns the result of a window that nobody waits for any more. It has no rows: sorting and copying them would cost more
// memory than the reader who has left did.
func (r *Reader) Abandon(res *Result, err error) *Result {
	f := failure.Classify(err)
	return &Result{Window: res.Window, Chain: res.Chain, Failed: &f}
}

// clip takes the entries of the chunk that lie in the window. A chunk may reach further, because it ends at a whole minute.
func (res *Result) clip(desc bool) {
	c := res.Chunk
	res.Entries = c.Entries
	res.Rows, res.Duplicates, res.AcceptedStart, res.Trimmed = c.Rows, c.Duplicates, c.AcceptedStart, c.Trimmed
	late := func(i int) bool { return !res.Entries[i].OutOfWindow && !res.Entries[i].Time.Before(res.End) }
	if desc {
		res.Entries = res.Entries[sort.Search(len(res.Entries), func(i int) bool { return !late(i) }):]
		return
	}
	ordered := sort.Search(len(res.Entries), func(i int) bool { return res.Entries[i].OutOfWindow })
	switch to := sort.Search(ordered, late); {
	case to == ordered:
	case ordered == len(res.Entries):
		res.Entries = res.Entries[:to]
	default:
		res.Entries = slices.Concat(res.Entries[:to], res.Entries[ordered:])
	}
}

// Hold counts the memory of the chunk of a result in the account until Drop.
func (r *Reader) Hold(res *Result) {
	if res.Chunk == nil || res.Reread.Split() {
		return
	}
	r.account.Hold(&res.Chunk.Held, res.Chunk.Cost())
}

// HoldEntries counts the memory of a result whose entries are not those of its chunk, in the account until Drop.
func (r *Reader) HoldEntries(res *Result) {
	if res.Chunk == nil || res.Reread.Split() {
		return
	}
	res.ownBytes = int64(cap(res.Entries)) * chunk.EntryBytes
	for i := range res.Entries {
		if e := &res.Entries[i]; e.At == chunk.NotInChunk {
			res.ownBytes += int64(len(e.Basic) + len(e.Unmapped))
		}
	}
	r.account.Add(res.ownBytes)
}

// Drop ends Hold and HoldEntries.
func (r *Reader) Drop(res *Result) {
	if res.Chunk == nil || res.Reread.Split() {
		return
	}
	r.account.Drop(&res.Chunk.Held)
	r.account.Add(-res.ownBytes)
	res.ownBytes = 0
}
