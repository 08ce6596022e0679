package merge

import (
	"slices"
	"sort"
	"time"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
)

// trace is what tells rows that Graph dates wrongly, when a window is read again, from rows that were not handed over yet:
// the sum of the digests of the rows in order that were handed over and that reading on from the track's place brings
// again, which are those of the window at hand and those within a second before it, because windows are asked a second
// wider. A token keeps the sum. When a window that is read again lacks rows and holds others from outside, and both
// sums agree, they are the same rows.
type trace struct {
	latest []chunk.Stamp // rows that were handed over within a second before the window at hand
	base   uint64        // the sum when the window was entered or left, or the token's
	owed   uint64        // what the sum holds beside the rows of this reading
	handed []uint64      // rows outside the window at hand that were handed over in order before
	fresh  bool          // the walk was resumed and no window was entered yet, but for pieces before the token's place
	pieces bool          // beside fresh: such pieces were left
	// known tells whether a row was handed over as one from outside, and is none of the sum's.
	known func(id uint64) bool
}

// Bounds of what is compared in every combination: rows outside a window, the same beside two rows that came.
const (
	maxSums  = 12
	maxPairs = 6
)

// sum is what a token keeps of the trace at the track's place.
func (t *sourceReader) sum() uint64 {
	if t.stopped != nil || t.current == nil {
		return t.trace.base
	}
	sum := t.trace.owed
	// A chain is asked for again from its last row on, not from the beginning of a window.
	chained := t.isChain() && t.position != nil && t.position.delivered && !t.position.outOfWindow
	add := func(at time.Time, id uint64) {
		if !chained || t.near(at, t.position.time.Add(1)) {
			sum += mixed(id)
		}
	}
	for _, s := range t.trace.latest {
		add(s.Time, s.Hash)
	}
	for i := range t.current.Entries[:t.next] {
		if e := &t.current.Entries[i]; !e.OutOfWindow && !t.trace.known(e.Hash) {
			add(e.Time, e.Hash)
		}
	}
	return sum
}

// near tells whether a row is so close to where a reading begins or ends that the reading behind it brings it as well. Beside
// a filter nobody knows which of these rows were handed over.
func (t *sourceReader) near(at, edge time.Time) bool {
	if t.filter != nil || t.attendance != nil && t.attendance.strict {
		return at.Sub(edge).Abs() <= 1
	}
	from, to := source.RequestBounds(edge, edge)
	return at.After(from) && at.Before(to)
}

// trail keeps the end of a window that was handed over.
func (t *sourceReader) trail(b *fetch.Result) {
	if t.trace.fresh && t.isChain() {
		return // nothing was read: the chain begins anew
	}
	if t.trace.pieces = t.trace.fresh; !t.trace.fresh {
		t.trace.owed = 0
	}
	t.trace.latest = slices.DeleteFunc(t.trace.latest, func(s chunk.Stamp) bool { return !t.near(s.Time, t.reached) })
	last := sort.Search(len(b.Entries), func(i int) bool { return b.Entries[i].OutOfWindow })
	for last--; last >= 0 && t.near(b.Entries[last].Time, t.reached); last-- {
		if e := &b.Entries[last]; !t.trace.known(e.Hash) {
			t.trace.latest = append(t.trace.latest, chunk.Stamp{Time: e.Time, Hash: e.Hash})
		}
	}
	t.trace.base = t.trace.owed
	for _, s := range t.trace.latest {
		t.trace.base += mixed(s.Hash)
	}
}

// recall begins the trace of a window that was entered, of which t.next rows were handed over before the walk was resumed.
func (t *sourceReader) recall(b *fetch.Result) {
	t.trace.handed = nil
	if !t.trace.fresh {
		t.trace.base = t.sum()
		return
	}
	catchingUp := t.catchingUp(b.Span)
	if catchingUp && t.isChain() {
		return
	}
	edge := b.Begin(t.desc)
	if b.Chunk != nil && !t.trace.pieces {
		for _, s := range b.Chunk.Edge {
			passed := s.Time.Before(edge) != t.desc && t.interval.Has(s.Time)
			if passed && t.near(s.Time, edge) && !t.trace.known(s.Hash) {
				t.trace.latest = append(t.trace.latest, s)
			}
		}
	}
	t.trace.owed = 0
	again := t.sum()
	if t.resumeFrom == nil || t.isChain() || t.trace.pieces || edge.Equal(t.resumeFrom.window.Begin(t.desc)) {
		if catchingUp {
			t.trace.owed = t.trace.base - again // of rows in the pieces behind this one
			return
		}
		var sum uint64
		t.trace.handed, sum = summands(t.trace.base, again, b.Entries[:t.next], b.Entries[t.next:])
		t.trace.owed = sum - again
	}
	t.trace.fresh = false
	t.trace.base = t.sum()
}

// summands compares the sum of a token with that of the rows before the track's place as they were read again. It returns the
// digests of those rows outside their window that make up the difference, and the sum to go on with. Up to two rows may have
// come beside them that were not there before: they had been dated wrongly then.
func summands(token, again uint64, before, behind []chunk.Entry) (handed []uint64, sum uint64) {
	var ids []uint64
	for i := range behind {
		if behind[i].OutOfWindow {
			ids = append(ids, behind[i].Hash)
		}
	}
	if token == again || len(ids) == 0 {
		return nil, again
	}
	ids = ids[:min(len(ids), maxSums)]
	came := make(map[uint64]bool, len(before)+1)
	came[0] = true
	for i := range before {
		came[mixed(before[i].Hash)] = true
	}
	cameTwo := func(sum uint64) bool {
		for id := range came {
			if came[sum-id] {
				return true
			}
		}
		return false
	}
	for set := range 1 << len(ids) {
		now := again
		var chosen []uint64
		for i, id := range ids {
			if set&(1<<i) != 0 {
				now += mixed(id)
				chosen = append(chosen, id)
			}
		}
		if came[now-token] || len(ids) <= maxPairs && cameTwo(now-token) {
			return chosen, now
		}
	}
	return nil, token
}

// mixed scatters a digest, so that sums of like keys are not alike (the finalizer of SplitMix64).
func mixed(id uint64) uint64 {
	id = (id ^ id>>30) * 0xbf58476d1ce4e5b9
	id = (id ^ id>>27) * 0x94d049bb133111eb
	return id ^ id>>31
}
