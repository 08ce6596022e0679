package merge

import (
	"slices"
	"sort"
	"time"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
)

// resumeFingerprint detects delivered rows that come a second time because Graph dates them otherwise now.
//
// A call that goes on from a token reads the window of the token's position again and skips the rows up to the position. A row that was
// among them, and that Graph now dates far outside the window, comes as a row out of its window, and looks as if it was never delivered.
// A token of 1 KiB cannot hold the ids of a window's rows, so it holds one number for them: the sum of their hashes.
//
// An example: a window has the rows a b c d e, and a page ends after c. Its token holds the sum h(a)+h(b)+h(c). When the window is read
// again, Graph dates b forty days back:
//
//	rows up to the position    a c        h(a)+h(c), which is h(b) less than the sum of the token
//	rows after the position    d e
//	rows out of the window     b x        h(b) makes up the difference: b was delivered; x was not
//
// So b is skipped and x is delivered. A sum serves this better than a digest of all rows, because rows can be added to it and taken off:
// the difference of two sums is the sum of the rows that are missing. See findRedated.
//
// The sum holds all rows that were delivered in order and that a resumed reading returns again. These are the rows of the current window
// up to the position, and the overlap: the rows within the second before the window, because Graph is asked for a window a second
// wider. Rows that were delivered out of their window are not in it; a token holds the last few of them by their hash.
type resumeFingerprint struct {
	overlap    []chunk.Stamp // rows that were delivered within the second before the current window
	atBoundary rowSum        // sum of the token, then the sum at the last boundary: where a window was left or entered
	missing    rowSum        // sum of the rows that were delivered and that this reading did not return
	redated    []uint64      // hashes of the rows out of the current window that were delivered in order before

	// resuming is true until the window of the token's position was read again. leftPieces is true after the first of its pieces was
	// left, if it is read in pieces.
	resuming, leftPieces bool

	// wasOutOfWindow reports whether a row was delivered out of its window.
	wasOutOfWindow func(hash uint64) bool
}

// fingerprintNow returns the sum for a token at the position of the reader.
func (r *sourceReader) fingerprintNow() rowSum {
	f := &r.fingerprint
	if r.stop != nil || r.current == nil {
		return f.atBoundary
	}
	sum := f.missing
	for _, row := range f.overlap {
		if r.isReadAgain(row.Time) {
			sum = sum.plus(row.Hash)
		}
	}
	for i := range r.current.Entries[:r.next] {
		if e := &r.current.Entries[i]; !e.OutOfWindow && !f.wasOutOfWindow(e.Hash) && r.isReadAgain(e.Time) {
			sum = sum.plus(e.Hash)
		}
	}
	return sum
}

// isReadAgain reports whether a resumed call reads a delivered row of the current window or of its overlap again. It reads a window from
// the beginning, but a reverse chain from the position on.
func (r *sourceReader) isReadAgain(at time.Time) bool {
	p := &r.position
	if !r.readsReverseChain() || !p.delivered || p.outOfWindow {
		return true
	}
	return r.inOverlap(at, p.time.Add(1))
}

// inOverlap reports whether a delivered row is so close to the edge of a window that the reading of the next window returns it as well.
// Where the walk leaves rows out by itself, a resumed call cannot know which rows within the second before its window were delivered.
// Only rows at the edge itself count there.
func (r *sourceReader) inOverlap(at, edge time.Time) bool {
	if r.filter != nil || r.conversation != nil || r.participants != nil && r.participants.Strict {
		return at.Sub(edge).Abs() <= 1
	}
	from, to := source.RequestBounds(edge, edge)
	return at.After(from) && at.Before(to)
}

// leaveFingerprint moves the fingerprint to the boundary after a window that was delivered: the overlap with the next window stays.
func (r *sourceReader) leaveFingerprint(left *fetch.Result) {
	f := &r.fingerprint
	if f.resuming && r.readsReverseChain() {
		return // the chain has not reached the position yet (enterFingerprint): the sum of the token stays
	}
	f.leftPieces = f.resuming
	if !f.resuming {
		f.missing = 0
	}
	f.overlap = slices.DeleteFunc(f.overlap, func(row chunk.Stamp) bool { return !r.inOverlap(row.Time, r.reached) })
	f.overlap = append(f.overlap, r.lastRows(left)...)
	f.atBoundary = f.missing
	for _, row := range f.overlap {
		f.atBoundary = f.atBoundary.plus(row.Hash)
	}
}

// lastRows returns the rows of a window that the reading of the next window returns as well.
func (r *sourceReader) lastRows(left *fetch.Result) (rows []chunk.Stamp) {
	inOrder := sort.Search(len(left.Entries), func(i int) bool { return left.Entries[i].OutOfWindow })
	for _, e := range slices.Backward(left.Entries[:inOrder]) {
		if !r.inOverlap(e.Time, r.reached) {
			break
		}
		if !r.fingerprint.wasOutOfWindow(e.Hash) {
			rows = append(rows, chunk.Stamp{Time: e.Time, Hash: e.Hash})
		}
	}
	return rows
}

// enterFingerprint begins the sum of the window that was entered. Until the window of the token's position was read again, it compares
// what came back with the sum of the token. The entries before r.next are the ones up to that position.
func (r *sourceReader) enterFingerprint(entered *fetch.Result) {
	f := &r.fingerprint
	f.redated = nil
	if !f.resuming {
		f.atBoundary = r.fingerprintNow()
		return
	}
	catchingUp := r.catchingUp(entered.Span)
	if catchingUp && r.readsReverseChain() {
		return // the page comes before the position: the sum of the token stays
	}
	if !f.leftPieces {
		r.addEdge(entered)
	}
	f.missing = 0
	token, returned := f.atBoundary, r.fingerprintNow()
	switch {
	case !r.beginsLikeToken(entered): // this reading returns other rows, so the two sums cannot be compared
	case catchingUp:
		f.missing = token - returned // the pieces after this one return these rows
		return
	default:
		var sum rowSum
		f.redated, sum = findRedated(token, returned, entered.Entries[:r.next], entered.Entries[r.next:])
		f.missing = sum - returned
	}
	f.resuming = false
	f.atBoundary = r.fingerprintNow()
}

// beginsLikeToken reports whether a reading returns the rows that the sum of the token is about, because it begins where the window of
// the token's position begins.
func (r *sourceReader) beginsLikeToken(entered *fetch.Result) bool {
	if r.resumeFrom.none() || r.readsReverseChain() || r.fingerprint.leftPieces {
		return true // without a position, the sum is of the overlap alone
	}
	return entered.Begin(r.desc).Equal(r.resumeFrom.window.Begin(r.desc))
}

// addEdge adds the rows within the second before a window to the overlap.
func (r *sourceReader) addEdge(entered *fetch.Result) {
	if entered.Chunk == nil {
		return
	}
	edge := entered.Begin(r.desc)
	for _, row := range entered.Chunk.Edge {
		before := row.Time.Before(edge) != r.desc && r.interval.Has(row.Time)
		if before && r.inOverlap(row.Time, edge) && !r.fingerprint.wasOutOfWindow(row.Hash) {
			r.fingerprint.overlap = append(r.fingerprint.overlap, row)
		}
	}
}

// rowSum is the sum of the hashes of rows, in any order. Sums can be added and subtracted; they wrap around.
type rowSum uint64

// plus returns the sum with one more row.
func (s rowSum) plus(hash uint64) rowSum { return s + rowSum(scatter(hash)) }

// scatter mixes the bits of a hash, so that sums of similar hashes differ (the finalizer of SplitMix64).
func scatter(hash uint64) uint64 {
	hash = (hash ^ hash>>30) * 0xbf58476d1ce4e5b9
	hash = (hash ^ hash>>27) * 0x94d049bb133111eb
	return hash ^ hash>>31
}

// Bounds of the combinations that findRedated tries: 2^12 sets of suspects, and 2^6 sets beside each two new rows.
const (
	maxSuspects          = 12
	maxSuspectsBesideTwo = 6
)

// findRedated finds the rows out of a window that were delivered in order before the walk was resumed.
//
// token is the sum of the rows that were delivered, and returned the sum of the rows among them that the new reading returned in order.
// before and after are the entries of the new reading up to the position and after it. The suspects are the entries of after that are out
// of their window. The suspects whose hashes make up the difference of both sums are redated. Up to two rows of before may be new,
// because Graph had dated them wrongly in the earlier reading:
//
//	token + hashes of new rows = returned + hashes of redated rows
//
// findRedated also returns the sum to go on with: the right side of this equation; returned alone where there are no suspects; the token's
// sum where there are some and no set of them satisfies it.
func findRedated(token, returned rowSum, before, after []chunk.Entry) (redated []uint64, sum rowSum) {
	suspects := outOfWindow(after)
	if token == returned || len(suspects) == 0 {
		return nil, returned
	}
	suspects = suspects[:min(len(suspects), maxSuspects)]
	rows := singleSums(before)
	for set := range 1 << len(suspects) {
		chosen, sum := choose(suspects, set, returned)
		added := sum - token
		if added == 0 || rows[added] || len(suspects) <= maxSuspectsBesideTwo && isSumOfTwo(rows, added) {
			return chosen, sum
		}
	}
	return nil, token
}

// outOfWindow returns the hashes of the entries out of their window.
func outOfWindow(entries []chunk.Entry) (hashes []uint64) {
	for i := range entries {
		if entries[i].OutOfWindow {
			hashes = append(hashes, entries[i].Hash)
		}
	}
	return hashes
}

// choose returns the hashes whose bits are in the set, and adds them to a sum.
func choose(hashes []uint64, set int, sum rowSum) ([]uint64, rowSum) {
	var chosen []uint64
	for i, hash := range hashes {
		if set&(1<<i) != 0 {
			chosen = append(chosen, hash)
			sum = sum.plus(hash)
		}
	}
	return chosen, sum
}

// singleSums returns the sums of single entries.
func singleSums(entries []chunk.Entry) map[rowSum]bool {
	sums := make(map[rowSum]bool, len(entries))
	for i := range entries {
		sums[rowSum(0).plus(entries[i].Hash)] = true
	}
	return sums
}

// isSumOfTwo reports whether a sum is the sum of two of the given ones.
func isSumOfTwo(sums map[rowSum]bool, sum rowSum) bool {
	for one := range sums {
		if sums[sum-one] {
			return true
		}
	}
	return false
}
