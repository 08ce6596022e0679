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

// Set remembers delivered versions: the latest 2048 rows out of their window, and the latest of the others. It has two generations of hashes,
// and forgets the previous one after the current one is full.
type Set struct {
	// Most is the number of hashes in each generation; at least 4096.
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

// AddRun adds rows of a cached window. Cached windows never share a version, so the rows stay out of the generations until a row of
// another kind comes; Flush puts them there.
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
func (s *Set) Has(id uint64) bool { return s.current.Has(id) || s.previous.Has(id) }

// First adds a version in its place in the order, and reports whether it is new.
func (s *Set) First(id uint64) bool {
	s.makeRoom() // before the look-up: it may move the version into the previous generation
	if s.previous.Has(id) {
		return false
	}
	return s.current.Add(id)
}

// Add adds a version.
func (s *Set) Add(id uint64) {
	s.makeRoom()
	s.current.Add(id)
}

// AddOutOfWindow adds a version of a row out of its window.
func (s *Set) AddOutOfWindow(id uint64) {
	s.Add(id)
	if len(s.outOfWindow) >= maxOutOfWindow {
		s.outOfWindow = s.outOfWindow[1:]
	}
	s.outOfWindow = append(s.outOfWindow, id)
}

// makeRoom begins a new generation when the current one is full. Rows out of their window are in every generation.
func (s *Set) makeRoom() {
	if s.current.used < max(s.Most, maxRows) {
		return
	}
	s.previous, s.current = s.current, s.previous
	s.current.reset()
	for _, id := range s.outOfWindow {
		s.current.Add(id)
	}
}

// OutOfWindow returns the latest rows out of their window, at most n.
func (s *Set) OutOfWindow(n int) []uint64 { return s.outOfWindow[max(0, len(s.outOfWindow)-n):] }

// HasOutOfWindow reports whether a version was added as a row out of its window.
func (s *Set) HasOutOfWindow(id uint64) bool { return slices.Contains(s.outOfWindow, id) }

// Hashes is a set of hashes: an open-addressing table whose size is a power of two, at most half full. A map would take as long
// as everything else that a cached event costs.
type Hashes struct {
	slots []uint64 // 0 = empty
	used  int
}

// find returns the slot that holds id, or the empty slot for it.
func (h *Hashes) find(id uint64) int {
	mask := uint64(len(h.slots) - 1)
	at := (id ^ id>>32) & mask
	for h.slots[at] != 0 && h.slots[at] != id {
		at = (at + 1) & mask
	}
	return int(at)
}

// Has reports whether id is in the set.
func (h *Hashes) Has(id uint64) bool {
	return h.used > 0 && h.slots[h.find(max(id, 1))] != 0
}

// Add adds id, and reports whether it is new.
func (h *Hashes) Add(id uint64) bool {
	id = max(id, 1)
	if 2*(h.used+1) > len(h.slots) {
		h.grow()
	}
	at := h.find(id)
	fresh := h.slots[at] == 0
	if fresh {
		h.slots[at] = id
		h.used++
	}
	return fresh
}

func (h *Hashes) grow() {
	const least = 64
	old := h.slots
	h.slots = make([]uint64, max(least, 2*len(old)))
	for _, id := range old {
		if id != 0 {
			h.slots[h.find(id)] = id
		}
	}
}

func (h *Hashes) reset() {
	clear(h.slots)
	h.used = 0
}
