package markdown

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// Citation reads "[1]" or "[^1^]" at the start of s: its number and length, which is 0 if there is none.
func Citation(s string) (number string, n int) {
	i := 1
	if i < len(s) && s[i] == '^' {
		i++
	}
	from := i
	for i < len(s) && textbuf.IsDigit(s[i]) && i-from < 4 {
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

// LinkTarget reads "(address)" or `(address "title")` at the start of s: the address and the length, which is 0 if there
// is none. Addresses hold no white space.
func LinkTarget(s string) (url string, n int) {
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
	i = textbuf.SkipSpace(s, i)
	if i == len(s) || s[i] != '"' && s[i] != '\'' {
		return 0
	}
	n := strings.IndexByte(s[i+1:], s[i])
	if n < 0 {
		return 0
	}
	end := textbuf.SkipSpace(s, i+n+2)
	if end == len(s) || s[end] != ')' {
		return 0
	}
	return end + 1
}

func trimAngles(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
}
