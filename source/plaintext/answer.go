package plaintext

import (
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"
)

// answer is what two texts are compared by; the package comment says when they are the same.
type answer struct {
	key     uint64 // of letters, digits and marks
	letters int    // how many of them
	links   int    // links with an address
	broken  int    // "](" without one
}

// newAnswer reads Markdown, or text of this package.
func newAnswer(seed maphash.Seed, s string) answer {
	var a answer
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
	a.key = h.Sum64()
	return a
}

// foldLetter is r in lower case, or negative if r does not count.
func foldLetter(r rune) rune {
	if r < utf8.RuneSelf {
		if isLetter(byte(r)) {
			return r | 0x20
		}
		if isDigit(byte(r)) {
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
func (a *answer) mark(s string, i int) int {
	switch s[i] {
	case '[':
		_, n := citation(s[i:])
		return n
	case '(':
		linked := i > 0 && s[i-1] == ']'
		url, n := linkTarget(s[i:])
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

// citation reads "[1]" or "[^1^]" at the start of s: its number and length, which is 0 if there is none.
func citation(s string) (number string, n int) {
	i := 1
	if i < len(s) && s[i] == '^' {
		i++
	}
	from := i
	for i < len(s) && isDigit(s[i]) && i-from < 4 {
		i++
	}
	number = s[from:i]
	if i < len(s) && s[i] == '^' && from == 2 {
		i++
	}
	if number == "" || i == len(s) || s[i] != ']' {
		return "", 0
	}
	return number, i + 1
}

const (
	maxTarget = 8 << 10 // bytes of a link's address
	maxParens = 3       // open parentheses inside of one; this bounds how often a byte is read
)

// linkTarget reads "(address)" or `(address "title")` at the start of s: the address and the length, which is 0 if there
// is none. Addresses hold no white space.
func linkTarget(s string) (url string, n int) {
	depth := 0
	s = s[:min(len(s), maxTarget)]
	i := 1
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
			if depth > maxParens {
				return "", 0
			}
		case c == ')':
			depth--
			if depth < 0 {
				return trimAngles(s[1:i]), i + 1
			}
		case c == ' ' && depth == 0:
			if end := titleEnd(s, i); end > 0 {
				return trimAngles(s[1:i]), end
			}
			return "", 0
		case c <= ' ':
			return "", 0
		}
	}
	return "", 0
}

// titleEnd is the position after ` "title")` at s[i], or 0.
func titleEnd(s string, i int) int {
	i = skipSpace(s, i)
	if i == len(s) || s[i] != '"' && s[i] != '\'' {
		return 0
	}
	n := strings.IndexByte(s[i+1:], s[i])
	if n < 0 {
		return 0
	}
	end := skipSpace(s, i+n+2)
	if end == len(s) || s[end] != ')' {
		return 0
	}
	return end + 1
}

func trimAngles(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
}
