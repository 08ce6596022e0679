// Package links decides where a chain of pages ends. [Set.Follow] says whether the link of a page is followed, and [TruncationCheck]
// whether Graph may have ended the chain too early.
//
// Package source reads such chains for the lists inside one answer; cache/readers, timeline/fetch and timeline/pager read them above it.
// When Graph no longer knows a link (graph.LinkLost), each of these readers decides itself what follows, since it knows which rows
// it has delivered.
package links

import (
	"crypto/sha256"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Set remembers by digest the links that a chain has followed, so that a link back to an earlier page is recognized.
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

// Follow reports whether the page behind a link is to be read after so many pages, and adds the link. A chain ends with a page without a
// link. A chain that leads back to an earlier page, or has more than maxPages pages, does not end by itself; doubt is then the reason of the
// gap, and unspecified otherwise.
func (s Set) Follow(link string, pages, maxPages int) (more bool, doubt parleyv1.ErrorReason) {
	switch {
	case link == "":
		return false, parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED
	case !s.Add(link):
		return false, parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	case pages >= maxPages:
		return false, parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES
	default:
		return true, parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED
	}
}

// TruncationCheck recognizes a chain that Graph may have truncated: a page that is shorter than others links to an empty one, which has no
// link. A second reading decides. Its zero value is the beginning of a chain.
type TruncationCheck struct {
	// Filled is the number of pages with rows and a link.
	Filled int

	rows int // rows of the last one of them
}

// Add adds a page. It reports whether the chain ends with it and may be truncated. isShort reports whether a page of so many rows is shorter
// than others; it is asked about the page before.
func (t *TruncationCheck) Add(next string, rows int, isShort func(rows int) bool) (truncated bool) {
	switch {
	case next == "":
		return rows == 0 && t.rows > 0 && isShort(t.rows)
	case rows > 0:
		t.Filled++
		t.rows = rows
	}
	return false
}

func linkID(link string) [16]byte {
	sum := sha256.Sum256([]byte(link))
	return [16]byte(sum[:16])
}
