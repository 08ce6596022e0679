package timeline

const (
	maxStrays = 12      // that a token keeps
	maxSeen   = 1 << 14 // versions in each of two generations
)

// seen remembers versions that were handed over: all rows outside their window, and the latest others.
type seen struct {
	strays      []uint64
	young, aged hashset
}

func (s *seen) has(id uint64) bool { return s.young.has(id) || s.aged.has(id) }

func (s *seen) add(id uint64, stray bool) {
	if s.young.used >= maxSeen {
		s.aged, s.young = s.young, s.aged
		s.young.reset()
		for _, stray := range s.strays {
			s.young.add(stray)
		}
	}
	s.young.add(id)
	if stray {
		if len(s.strays) >= maxStrays {
			s.strays = s.strays[1:]
		}
		s.strays = append(s.strays, id)
	}
}

// hashset is a set of digests: a table of a power of two, at most half full, searched from where the digest says. A map
// would take as long as everything else that a cached event costs.
type hashset struct {
	slots []uint64 // 0 = empty
	used  int
}

// find returns the slot that holds id, or the empty one where it belongs.
func (h *hashset) find(id uint64) int {
	mask := uint64(len(h.slots) - 1)
	at := (id ^ id>>32) & mask
	for h.slots[at] != 0 && h.slots[at] != id {
		at = (at + 1) & mask
	}
	return int(at)
}

func (h *hashset) has(id uint64) bool {
	return h.used > 0 && h.slots[h.find(max(id, 1))] != 0
}

func (h *hashset) add(id uint64) {
	id = max(id, 1)
	if 2*(h.used+1) > len(h.slots) {
		h.grow()
	}
	if at := h.find(id); h.slots[at] == 0 {
		h.slots[at] = id
		h.used++
	}
}

func (h *hashset) grow() {
	const least = 64
	old := h.slots
	h.slots = make([]uint64, max(least, 2*len(old)))
	for _, id := range old {
		if id != 0 {
			h.slots[h.find(id)] = id
		}
	}
}

func (h *hashset) reset() {
	clear(h.slots)
	h.used = 0
}
