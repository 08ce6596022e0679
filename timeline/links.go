package timeline

import "crypto/sha256"

// linkset remembers links by digest.
type linkset map[[16]byte]struct{}

// add reports whether the link is new.
func (s linkset) add(link string) bool {
	if s.has(link) {
		return false
	}
	s[linkID(link)] = struct{}{}
	return true
}

func (s linkset) has(link string) bool {
	_, seen := s[linkID(link)]
	return seen
}

func linkID(link string) [16]byte {
	sum := sha256.Sum256([]byte(link))
	return [16]byte(sum[:16])
}
