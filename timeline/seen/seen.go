// Package seen remembers digests of what was handed over, in bounded memory, so that it does not go out twice.
package seen

import "slices"

const (
	maxFar      = 1 << 11 // that a call keeps
	maxSeen     = 1 << 12 // versions in each of two generations; the tables of a few streams fit a processor's cache
	MostOfChain = 1 << 14 // the same of a chain, which has no other order to tell repetitions by
)

// Set remembers versions that were handed over: all rows outside their window, and the latest others.
type Set struct {
	strays      []uint64
	young, aged Hashes
	Most        int   // versions in each of the two generations; 0 = maxSeen
	runs        []run // of windows that were kept, not yet in the tables
	held        int   // versions in them
}

// run is a piece of a kept window that was handed over.
type run struct {
	hashes []uint64
	only   uint64 // what tells its source from others
}

// Pass notes rows of kept windows. Two of these hold no version twice, so that nothing is looked up until another row comes:
// then settle puts the runs into the tables.
func (s *Set) Pass(hashes []uint64, only uint64) {
	s.runs = append(s.runs, run{hashes, only})
	s.held += len(hashes)
	for len(s.runs) > 1 && s.held-len(s.runs[0].hashes) >= 2*maxSeen {
		s.held -= len(s.runs[0].hashes)
		s.runs = s.runs[1:]
	}
}

// Settle puts what was passed into the tables.
func (s *Set) Settle() {
	for _, r := range s.runs {
		for _, hash := range r.hashes {
			s.turn()
			s.young.Add(hash ^ r.only)
		}
	}
	s.runs, s.held = nil, 0
}

// None reports whether the tables are empty.
func (s *Set) None() bool { return s.young.used+s.aged.used == 0 }

func (s *Set) Has(id uint64) bool { return s.young.Has(id) || s.aged.Has(id) }

// First notes a version in its place in the order, and reports whether it was not there.
func (s *Set) First(id uint64) bool {
	if s.aged.Has(id) {
		return false
	}
	s.turn()
	return s.young.Add(id)
}

func (s *Set) Add(id uint64, stray bool) {
	s.turn()
	s.young.Add(id)
	if stray {
		if len(s.strays) >= maxFar {
			s.strays = s.strays[1:]
		}
		s.strays = append(s.strays, id)
	}
}

// turn makes room for another one.
func (s *Set) turn() {
	if s.young.used >= max(s.Most, maxSeen) {
		s.aged, s.young = s.young, s.aged
		s.young.reset()
		for _, stray := range s.strays {
			s.young.Add(stray)
		}
	}
}

// Lately returns the latest rows outside their window, at most so many.
func (s *Set) Lately(most int) []uint64 { return s.strays[max(0, len(s.strays)-most):] }

// Outside reports whether a version was added as a row outside its window.
func (s *Set) Outside(id uint64) bool { return slices.Contains(s.strays, id) }

// Hashes is a set of digests: a table of a power of two, at most half full, searched from where the digest says. A map
// would take as long as everything else that a cached event costs.
type Hashes struct {
	slots []uint64 // 0 = empty
	used  int
}

// find returns the slot that holds id, or the empty one where it belongs.
func (h *Hashes) find(id uint64) int {
	mask := uint64(len(h.slots) - 1)
	at := (id ^ id>>32) & mask
	for h.slots[at] != 0 && h.slots[at] != id {
		at = (at + 1) & mask
	}
	return int(at)
}

func (h *Hashes) Has(id uint64) bool {
	return h.used > 0 && h.slots[h.find(max(id, 1))] != 0
}

// Add reports whether id is new.
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
