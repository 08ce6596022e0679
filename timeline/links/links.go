// Package links remembers the links of a chain of pages, so that a link back to an earlier page is recognized. Packages fetch and pager
// above it follow such chains; it imports nothing of the gateway.
package links

import "crypto/sha256"

// Set remembers links by digest.
type Set map[[16]byte]struct{}

// Add reports whether the link is new.
func (s Set) Add(link string) bool {
	if s.Has(link) {
		return false
	}
	s[linkID(link)] = struct{}{}
	return true
}

// Has reports whether the link is there.
func (s Set) Has(link string) bool {
	_, seen := s[linkID(link)]
	return seen
}

func linkID(link string) [16]byte {
	sum := sha256.Sum256([]byte(link))
	return [16]byte(sum[:16])
}
