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
func (r *sourceReader) fingerprintNow() uint64 {
	if r.stopped != nil || r.current == nil {
		return r.fingerprint.atBoundary
	}
	sum := r.fingerprint.missing
	// A chain is asked for again from its last row on, not from the beginning of a window.
	chained := r.isChain() && r.position != nil && r.position.delivered && !r.position.outOfWindow
	add := func(at time.Time, id uint64) {
		if !chained || r.inOverlap(at, r.position.time.Add(1)) {
			sum += scatter(id)
		}
	}
	for _, s := range r.fingerprint.overlap {
		add(s.Time, s.Hash)
	}
	for i := range r.current.Entries[:r.next] {
		if e := &r.current.Entries[i]; !e.OutOfWindow && !r.fingerprint.isKnown(e.Hash) {
			add(e.Time, e.Hash)
		}
	}
	return sum
}

// inOverlap tells whether a row is so close to where a reading begins or ends that the reading behind it brings it as well. Beside
// a filter nobody knows which of these rows were handed over.
func (r *sourceReader) inOverlap(at, edge time.Time) bool {
	if r.filter != nil || r.participants != nil && r.participants.strict {
		return at.Sub(edge).Abs() <= 1
	}
	from, to := source.RequestBounds(edge, edge)
	return at.After(from) && at.Before(to)
}

// leaveFingerprint keeps the end of a window that was handed over.
func (r *sourceReader) leaveFingerprint(res *fetch.Result) {
	if r.fingerprint.resuming && r.isChain() {
		return // nothing was read: the chain begins anew
	}
	if r.fingerprint.leftPieces = r.fingerprint.resuming; !r.fingerprint.resuming {
		r.fingerprint.missing = 0
	}
	r.fingerprint.overlap = slices.DeleteFunc(r.fingerprint.overlap, func(s chunk.Stamp) bool { return !r.inOverlap(s.Time, r.reached) })
	last := sort.Search(len(res.Entries), func(i int) bool { return res.Entries[i].OutOfWindow })
	for last--; last >= 0 && r.inOverlap(res.Entries[last].Time, r.reached); last-- {
		if e := &res.Entries[last]; !r.fingerprint.isKnown(e.Hash) {
			r.fingerprint.overlap = append(r.fingerprint.overlap, chunk.Stamp{Time: e.Time, Hash: e.Hash})
		}
	}
	r.fingerprint.atBoundary = r.fingerprint.missing
	for _, s := range r.fingerprint.overlap {
		r.fingerprint.atBoundary += scatter(s.Hash)
	}
}

// enterFingerprint begins the trace of a window that was entered, of which r.next rows were handed over before the walk was resumed.
func (r *sourceReader) enterFingerprint(res *fetch.Result) {
	r.fingerprint.redated = nil
	if !r.fingerprint.resuming {
		r.fingerprint.atBoundary = r.fingerprintNow()
		return
	}
	catchingUp := r.catchingUp(res.Span)
	if catchingUp && r.isChain() {
		return
	}
	edge := res.Begin(r.desc)
	if res.Chunk != nil && !r.fingerprint.leftPieces {
		for _, s := range res.Chunk.Edge {
			passed := s.Time.Before(edge) != r.desc && r.interval.Has(s.Time)
			if passed && r.inOverlap(s.Time, edge) && !r.fingerprint.isKnown(s.Hash) {
				r.fingerprint.overlap = append(r.fingerprint.overlap, s)
			}
		}
	}
	r.fingerprint.missing = 0
	again := r.fingerprintNow()
	if r.resumeFrom == nil || r.isChain() || r.fingerprint.leftPieces || edge.Equal(r.resumeFrom.window.Begin(r.desc)) {
		if catchingUp {
			r.fingerprint.missing = r.fingerprint.atBoundary - again // of rows in the pieces behind this one
			return
		}
		var sum uint64
		r.fingerprint.redated, sum = findRedated(r.fingerprint.atBoundary, again, res.Entries[:r.next], res.Entries[r.next:])
		r.fingerprint.missing = sum - again
	}
	r.fingerprint.resuming = false
	r.fingerprint.atBoundary = r.fingerprintNow()
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
