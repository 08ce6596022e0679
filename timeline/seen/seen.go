// Package seen remembers hashes of rows that were delivered, in bounded memory, so that they are recognized when they come again.
// The packages above it know what a row is and hash it; this one imports nothing of the gateway.
package seen

import "slices"

// Bounds of what a set remembers.
const (
	maxOutOfWindow = 1 << 11 // rows out of their window
	maxRows        = 1 << 12 // hashes in each generation; the tables of a few streams fit a processor's cache
	MostOfChain    = 1 << 14 // hashes in each generation for a chain, which has no other order to recognize repetitions by
)

// Set remembers delivered versions of rows by their hashes: the latest 2048 rows out of their window, and the latest of the others. It has two generations of hashes,
// and forgets the previous one after the current one is full.
type Set struct {
	// Most is the number of hashes in each generation; less than 4096, also 0, counts as 4096.
	Most int

	current, previous Hashes
	outOfWindow       []uint64
	runs              []run // runs of cached windows that are not in the generations yet
	inRuns            int   // hashes in them
}

// run is a run of rows of one cached window.
type run struct {
	hashes []uint64
	source uint64 // mixed into the hashes: two sources may have equal ones
}

// AddRun adds rows of a cached window that is not known to share a version with another one. The rows stay out of the generations until
// a row of another kind comes; Flush puts them there.
func (s *Set) AddRun(hashes []uint64, source uint64) {
	s.runs = append(s.runs, run{hashes, source})
	s.inRuns += len(hashes)
	for len(s.runs) > 1 && s.inRuns-len(s.runs[0].hashes) >= 2*maxRows {
		s.inRuns -= len(s.runs[0].hashes)
		s.runs = s.runs[1:]
	}
}

// Flush puts the runs into the generations.
func (s *Set) Flush() {
	for _, r := range s.runs {
		for _, hash := range r.hashes {
			s.makeRoom()
			s.current.Add(hash ^ r.source)
		}
	}
	s.runs, s.inRuns = nil, 0
}

// Empty reports whether the generations are empty. Runs do not count.
func (s *Set) Empty() bool { return s.current.used+s.previous.used == 0 }

// Has reports whether a version was delivered, as far as the generations remember.
func (s *Set) Has(hash uint64) bool { return s.current.Has(hash) || s.previous.Has(hash) }

// AddNew adds a version, and reports whether it was new.
func (s *Set) AddNew(hash uint64) bool {
	s.makeRoom() // before the look-up: it may move the version into the previous generation
	if s.previous.Has(hash) {
		return false
	}
	return s.current.Add(hash)
}

// Add adds a version.
func (s *Set) Add(hash uint64) {
	s.makeRoom()
	s.current.Add(hash)
}

// AddOutOfWindow adds a version of a row out of its window.
func (s *Set) AddOutOfWindow(hash uint64) {
	s.Add(hash)
	if len(s.outOfWindow) >= maxOutOfWindow {
		s.outOfWindow = s.outOfWindow[1:]
	}
	s.outOfWindow = append(s.outOfWindow, hash)
}

// makeRoom begins a new generation when the current one is full. Rows out of their window are in every generation.
func (s *Set) makeRoom() {
	if s.current.used < max(s.Most, maxRows) {
		return
	}
	s.previous, s.current = s.current, s.previous
	s.current.reset()
	for _, hash := range s.outOfWindow {
		s.current.Add(hash)
	}
}

// OutOfWindow returns the latest rows out of their window, at most n.
func (s *Set) OutOfWindow(n int) []uint64 { return s.outOfWindow[max(0, len(s.outOfWindow)-n):] }

// HasOutOfWindow reports whether a version was added as a row out of its window.
func (s *Set) HasOutOfWindow(hash uint64) bool { return slices.Contains(s.outOfWindow, hash) }

// Hashes is a set of hashes: an open-addressing table whose size is a power of two, at most half full. A map would take as long
// as everything else that a cached event costs.
type Hashes struct {
	slots []uint64 // 0 = empty
	used  int
}

// find returns the slot that holds hash, or the empty slot for it.
func (h *Hashes) find(hash uint64) int {
	mask := uint64(len(h.slots) - 1)
	at := (hash ^ hash>>32) & mask
	for h.slots[at] != 0 && h.slots[at] != hash {
		at = (at + 1) & mask
	}
	return int(at)
}

// Has reports whether hash is in the set.
func (h *Hashes) Has(hash uint64) bool {
	return h.used > 0 && h.slots[h.find(max(hash, 1))] != 0
}

// Add adds hash, and reports whether it is new.
func (h *Hashes) Add(hash uint64) bool {
	hash = max(hash, 1)
	if 2*(h.used+1) > len(h.slots) {
		h.grow()
	}
	at := h.find(hash)
	fresh := h.slots[at] == 0
	if fresh {
		h.slots[at] = hash
		h.used++
	}
	return fresh
}

func (h *Hashes) grow() {
	const least = 64
	old := h.slots
	h.slots = make([]uint64, max(least, 2*len(old)))
	for _, hash := range old {
		if hash != 0 {
			h.slots[h.find(hash)] = hash
		}
	}
}

func (h *Hashes) reset() {
	clear(h.slots)
	h.used = 0
}
