package merge

import (
	"slices"
	"sort"
	"time"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
)

// resumeFingerprint recognizes rows whose time changed between two readings of a window. It is the sum of the hashes of all rows that
// were delivered in order and that a resumed reading returns again: the rows of the current window up to the position, and the rows
// within the second before it, because windows are asked a second wider. A token holds the sum. If a window that is read again lacks
// rows, and other rows are out of their window, these are the missing rows when the sums agree.
type resumeFingerprint struct {
	overlap    []chunk.Stamp // rows that were delivered within the second before the current window
	atBoundary uint64        // sum when the current window was entered or the last one was left; the token's before that
	missing    uint64        // part of the sum that this reading did not return
	redated    []uint64      // rows out of the current window that were delivered in order before
	resuming   bool          // the walk was resumed and has not come to the position of the token
	leftPieces bool          // beside resuming: pieces of the window were left
	// isKnown reports whether a row was delivered out of its window. The sum does not hold such rows.
	isKnown func(hash uint64) bool
}

// Bounds of what findRedated compares in every combination: rows out of their window, and such rows beside two rows that came.
const (
	maxSums  = 12
	maxPairs = 6
)

// fingerprintNow is the sum at the position of the reader.
func (r *sourceReader) fingerprintNow() uint64 {
	f := &r.fingerprint
	if r.stopped != nil || r.current == nil {
		return f.atBoundary
	}
	sum := f.missing
	// A chain is asked for again from its last row on, and not from the beginning of a window.
	inChain := r.readsReverseChain() && r.position != nil && r.position.delivered && !r.position.outOfWindow
	add := func(at time.Time, hash uint64) {
		if !inChain || r.inOverlap(at, r.position.time.Add(1)) {
			sum += scatter(hash)
		}
	}
	for _, row := range f.overlap {
		add(row.Time, row.Hash)
	}
	for i := range r.current.Entries[:r.next] {
		if e := &r.current.Entries[i]; !e.OutOfWindow && !f.isKnown(e.Hash) {
			add(e.Time, e.Hash)
		}
	}
	return sum
}

// inOverlap reports whether a row is so close to the edge of a window that the reading of the next window returns it as well. Under a
// filter nobody knows which of these rows were delivered.
func (r *sourceReader) inOverlap(at, edge time.Time) bool {
	if r.filter != nil || r.participants != nil && r.participants.Strict {
		return at.Sub(edge).Abs() <= 1
	}
	from, to := source.RequestBounds(edge, edge)
	return at.After(from) && at.Before(to)
}

// leaveFingerprint stores the sum at the boundary after a window that was delivered, and the overlap with the next window.
func (r *sourceReader) leaveFingerprint(res *fetch.Result) {
	f := &r.fingerprint
	if f.resuming && r.readsReverseChain() {
		return // nothing was read: the chain begins anew
	}
	if f.leftPieces = f.resuming; !f.resuming {
		f.missing = 0
	}
	f.overlap = slices.DeleteFunc(f.overlap, func(row chunk.Stamp) bool { return !r.inOverlap(row.Time, r.reached) })
	last := sort.Search(len(res.Entries), func(i int) bool { return res.Entries[i].OutOfWindow })
	for last--; last >= 0 && r.inOverlap(res.Entries[last].Time, r.reached); last-- {
		if e := &res.Entries[last]; !f.isKnown(e.Hash) {
			f.overlap = append(f.overlap, chunk.Stamp{Time: e.Time, Hash: e.Hash})
		}
	}
	f.atBoundary = f.missing
	for _, row := range f.overlap {
		f.atBoundary += scatter(row.Hash)
	}
}

// enterFingerprint begins the sum of the window that was entered. The entries before r.next were delivered before the walk was resumed.
// In the window of the token's position, it compares the token's sum with the sum of these entries.
func (r *sourceReader) enterFingerprint(res *fetch.Result) {
	f := &r.fingerprint
	f.redated = nil
	if !f.resuming {
		f.atBoundary = r.fingerprintNow()
		return
	}
	catchingUp := r.catchingUp(res.Span)
	if catchingUp && r.readsReverseChain() {
		return // the page comes before the position: the token's sum stays
	}
	edge := res.Begin(r.desc)
	if res.Chunk != nil && !f.leftPieces {
		r.addEdge(res.Chunk.Edge, edge)
	}
	f.missing = 0
	again := r.fingerprintNow() // sum of what this reading returned up to the position
	// The sums are comparable if this reading begins where the token's window began.
	sameStart := r.resumeFrom == nil || r.readsReverseChain() || f.leftPieces || edge.Equal(r.resumeFrom.window.Begin(r.desc))
	switch {
	case sameStart && catchingUp:
		f.missing = f.atBoundary - again // rows of the pieces after this one
		return
	case sameStart:
		var sum uint64
		f.redated, sum = findRedated(f.atBoundary, again, res.Entries[:r.next], res.Entries[r.next:])
		f.missing = sum - again
	}
	f.resuming = false
	f.atBoundary = r.fingerprintNow()
}

// addEdge adds the rows at the edge of a window that lie before it to the overlap.
func (r *sourceReader) addEdge(rows []chunk.Stamp, edge time.Time) {
	for _, row := range rows {
		before := row.Time.Before(edge) != r.desc && r.interval.Has(row.Time)
		if before && r.inOverlap(row.Time, edge) && !r.fingerprint.isKnown(row.Hash) {
			r.fingerprint.overlap = append(r.fingerprint.overlap, row)
		}
	}
}

// findRedated compares the sum of a token with the sum of the rows before the position as they were read again. It returns the hashes
// of the rows out of their window that make up the difference, and the sum to go on with. Up to two rows before the position may be
// new: Graph had dated them wrongly before.
func findRedated(token, again uint64, before, after []chunk.Entry) (redated []uint64, sum uint64) {
	var candidates []uint64
	for i := range after {
		if after[i].OutOfWindow {
			candidates = append(candidates, after[i].Hash)
		}
	}
	if token == again || len(candidates) == 0 {
		return nil, again
	}
	candidates = candidates[:min(len(candidates), maxSums)]
	came := scattered(before)
	for set := range 1 << len(candidates) {
		now := again
		var chosen []uint64
		for i, hash := range candidates {
			if set&(1<<i) != 0 {
				now += scatter(hash)
				chosen = append(chosen, hash)
			}
		}
		if came[now-token] || len(candidates) <= maxPairs && isSumOfTwo(came, now-token) {
			return chosen, now
		}
	}
	return nil, token
}

// scattered returns the scattered hashes of entries, and 0.
func scattered(entries []chunk.Entry) map[uint64]bool {
	hashes := make(map[uint64]bool, len(entries)+1)
	hashes[0] = true
	for i := range entries {
		hashes[scatter(entries[i].Hash)] = true
	}
	return hashes
}

// isSumOfTwo reports whether a sum is the sum of two hashes.
func isSumOfTwo(hashes map[uint64]bool, sum uint64) bool {
	for hash := range hashes {
		if hashes[sum-hash] {
			return true
		}
	}
	return false
}

// scatter mixes the bits of a hash, so that sums of similar hashes differ (the finalizer of SplitMix64).
func scatter(hash uint64) uint64 {
	hash = (hash ^ hash>>30) * 0xbf58476d1ce4e5b9
	hash = (hash ^ hash>>27) * 0x94d049bb133111eb
	return hash ^ hash>>31
}
