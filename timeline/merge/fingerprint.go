package merge

import (
	"slices"
	"sort"
	"time"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
)

// resumeFingerprint is what tells rows that Graph dates wrongly, when a window is read again, from rows that were not handed over yet:
// the sum of the digests of the rows in order that were handed over and that reading on from the track's place brings
// again, which are those of the window at hand and those within a second before it, because windows are asked a second
// wider. A token keeps the sum. When a window that is read again lacks rows and holds others from outside, and both
// sums agree, they are the same rows.
type resumeFingerprint struct {
	overlap    []chunk.Stamp // rows that were handed over within a second before the window at hand
	atBoundary uint64        // the sum when the window was entered or left, or the token's
	missing    uint64        // what the sum holds beside the rows of this reading
	redated    []uint64      // rows outside the window at hand that were handed over in order before
	resuming   bool          // the walk was resumed and no window was entered yet, but for pieces before the token's place
	leftPieces bool          // beside fresh: such pieces were left
	// isKnown tells whether a row was handed over as one from outside, and is none of the sum's.
	isKnown func(id uint64) bool
}

// Bounds of what is compared in every combination: rows outside a window, the same beside two rows that came.
const (
	maxSums  = 12
	maxPairs = 6
)

// fingerprintNow is what a token keeps of the trace at the track's place.
func (t *sourceReader) fingerprintNow() uint64 {
	if t.stopped != nil || t.current == nil {
		return t.fingerprint.atBoundary
	}
	sum := t.fingerprint.missing
	// A chain is asked for again from its last row on, not from the beginning of a window.
	chained := t.isChain() && t.position != nil && t.position.delivered && !t.position.outOfWindow
	add := func(at time.Time, id uint64) {
		if !chained || t.inOverlap(at, t.position.time.Add(1)) {
			sum += scatter(id)
		}
	}
	for _, s := range t.fingerprint.overlap {
		add(s.Time, s.Hash)
	}
	for i := range t.current.Entries[:t.next] {
		if e := &t.current.Entries[i]; !e.OutOfWindow && !t.fingerprint.isKnown(e.Hash) {
			add(e.Time, e.Hash)
		}
	}
	return sum
}

// inOverlap tells whether a row is so close to where a reading begins or ends that the reading behind it brings it as well. Beside
// a filter nobody knows which of these rows were handed over.
func (t *sourceReader) inOverlap(at, edge time.Time) bool {
	if t.filter != nil || t.participants != nil && t.participants.strict {
		return at.Sub(edge).Abs() <= 1
	}
	from, to := source.RequestBounds(edge, edge)
	return at.After(from) && at.Before(to)
}

// leaveFingerprint keeps the end of a window that was handed over.
func (t *sourceReader) leaveFingerprint(b *fetch.Result) {
	if t.fingerprint.resuming && t.isChain() {
		return // nothing was read: the chain begins anew
	}
	if t.fingerprint.leftPieces = t.fingerprint.resuming; !t.fingerprint.resuming {
		t.fingerprint.missing = 0
	}
	t.fingerprint.overlap = slices.DeleteFunc(t.fingerprint.overlap, func(s chunk.Stamp) bool { return !t.inOverlap(s.Time, t.reached) })
	last := sort.Search(len(b.Entries), func(i int) bool { return b.Entries[i].OutOfWindow })
	for last--; last >= 0 && t.inOverlap(b.Entries[last].Time, t.reached); last-- {
		if e := &b.Entries[last]; !t.fingerprint.isKnown(e.Hash) {
			t.fingerprint.overlap = append(t.fingerprint.overlap, chunk.Stamp{Time: e.Time, Hash: e.Hash})
		}
	}
	t.fingerprint.atBoundary = t.fingerprint.missing
	for _, s := range t.fingerprint.overlap {
		t.fingerprint.atBoundary += scatter(s.Hash)
	}
}

// enterFingerprint begins the trace of a window that was entered, of which t.next rows were handed over before the walk was resumed.
func (t *sourceReader) enterFingerprint(b *fetch.Result) {
	t.fingerprint.redated = nil
	if !t.fingerprint.resuming {
		t.fingerprint.atBoundary = t.fingerprintNow()
		return
	}
	catchingUp := t.catchingUp(b.Span)
	if catchingUp && t.isChain() {
		return
	}
	edge := b.Begin(t.desc)
	if b.Chunk != nil && !t.fingerprint.leftPieces {
		for _, s := range b.Chunk.Edge {
			passed := s.Time.Before(edge) != t.desc && t.interval.Has(s.Time)
			if passed && t.inOverlap(s.Time, edge) && !t.fingerprint.isKnown(s.Hash) {
				t.fingerprint.overlap = append(t.fingerprint.overlap, s)
			}
		}
	}
	t.fingerprint.missing = 0
	again := t.fingerprintNow()
	if t.resumeFrom == nil || t.isChain() || t.fingerprint.leftPieces || edge.Equal(t.resumeFrom.window.Begin(t.desc)) {
		if catchingUp {
			t.fingerprint.missing = t.fingerprint.atBoundary - again // of rows in the pieces behind this one
			return
		}
		var sum uint64
		t.fingerprint.redated, sum = findRedated(t.fingerprint.atBoundary, again, b.Entries[:t.next], b.Entries[t.next:])
		t.fingerprint.missing = sum - again
	}
	t.fingerprint.resuming = false
	t.fingerprint.atBoundary = t.fingerprintNow()
}

// findRedated compares the sum of a token with that of the rows before the track's place as they were read again. It returns the
// digests of those rows outside their window that make up the difference, and the sum to go on with. Up to two rows may have
// come beside them that were not there before: they had been dated wrongly then.
func findRedated(token, again uint64, before, behind []chunk.Entry) (handed []uint64, sum uint64) {
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
		came[scatter(before[i].Hash)] = true
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
				now += scatter(id)
				chosen = append(chosen, id)
			}
		}
		if came[now-token] || len(ids) <= maxPairs && cameTwo(now-token) {
			return chosen, now
		}
	}
	return nil, token
}

// scatter scatters a digest, so that sums of like keys are not alike (the finalizer of SplitMix64).
func scatter(id uint64) uint64 {
	id = (id ^ id>>30) * 0xbf58476d1ce4e5b9
	id = (id ^ id>>27) * 0x94d049bb133111eb
	return id ^ id>>31
}
