package merge

import "github.com/parley-gateway/parley/timeline/chunk"

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
// findRedated also returns the sum to go on with: the right side of this equation, or the token's sum where no suspects satisfy it.
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
