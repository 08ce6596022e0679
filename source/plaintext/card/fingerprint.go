package card

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parley-gateway/parley/source/plaintext/markdown"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// fingerprint is what two texts are compared by. Equal hashes mean that the texts say the same; package plaintext says when they do.
type fingerprint struct {
	hash    uint64 // of letters, digits and marks
	letters int    // how many of them
	links   int    // links with an address
	broken  int    // "](" without one
}

// Hash returns the hash by which the reader compares texts: equal for texts that say the same. ok is false for a text without letters and
// digits, which repeats nothing.
func (c *Reader) Hash(s string) (hash uint64, ok bool) {
	a := newFingerprint(c.seed, s)
	return a.hash, a.letters > 0
}

// newFingerprint reads Markdown, or text that was rendered already.
func newFingerprint(seed maphash.Seed, s string) fingerprint {
	var a fingerprint
	var h maphash.Hash
	h.SetSeed(seed)
	var buf [64]byte
	n := 0
	for i := 0; i < len(s); {
		if skip := a.mark(s, i); skip > 0 {
			i += skip
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r = foldLetter(r); r < 0 {
			continue
		}
		a.letters++
		if n+utf8.UTFMax > len(buf) {
			_, _ = h.Write(buf[:n]) // never fails, by its contract
			n = 0
		}
		n += utf8.EncodeRune(buf[n:], r)
	}
	_, _ = h.Write(buf[:n])
	a.hash = h.Sum64()
	return a
}

// foldLetter is r in lower case, or negative if r does not count.
func foldLetter(r rune) rune {
	if r < utf8.RuneSelf {
		if textbuf.IsLetter(byte(r)) {
			return r | 0x20
		}
		if textbuf.IsDigit(byte(r)) {
			return r
		}
		return -1
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
		return unicode.ToLower(r)
	}
	return -1
}

// mark is the length of the citation mark or link target at s[i], or 0.
func (a *fingerprint) mark(s string, i int) int {
	switch s[i] {
	case '[':
		_, n := markdown.Citation(s[i:])
		return n
	case '(':
		linked := i > 0 && s[i-1] == ']'
		url, n := markdown.LinkTarget(s[i:])
		if n > 0 && (linked || strings.Contains(url, "://") || strings.HasPrefix(url, "mailto:")) {
			a.links++
			return n
		}
		if linked {
			a.broken++
		}
	}
	return 0
}
