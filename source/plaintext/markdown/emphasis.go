package markdown

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// runStack holds emphasis marks that wait for their counterpart.
type runStack struct {
	runs [maxRuns]struct{ at, n int }
	n    int
}

// emphasis writes a run of * _ or ~, and strikes it out together with the run that opened it.
func (m *Writer) emphasis(s string, i int) int {
	n := run(s, i)
	opens, closes := flanks(s, i, n)
	at := len(m.Out)
	m.Put(s[i : i+n])
	if s[i] == '~' && n != 2 {
		return n
	}
	st := &m.runs[strings.IndexByte("*_~", s[i])]
	left := n
	for closes && left > 0 && st.n > 0 && !m.Full {
		top := &st.runs[st.n-1]
		k := min(left, top.n)
		clear(m.Out[top.at+top.n-k : top.at+top.n])
		clear(m.Out[at+n-left : at+n-left+k])
		left -= k
		if top.n -= k; top.n == 0 {
			st.n--
		}
	}
	if opens && left > 0 && st.n < maxRuns {
		st.runs[st.n] = struct{ at, n int }{at + n - left, left}
		st.n++
	}
	return n
}

// flanks reports whether the run of n marks at s[i] may open or close emphasis, by CommonMark's rule of what stands
// before and after it.
func flanks(s string, i, n int) (opens, closes bool) {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+n:])
	spaceBefore := i == 0 || unicode.IsSpace(before)
	spaceAfter := i+n == len(s) || unicode.IsSpace(after)
	punctBefore := spaceBefore || isPunctRune(before)
	punctAfter := spaceAfter || isPunctRune(after)
	left := !spaceAfter && (!isPunctRune(after) || punctBefore)
	right := !spaceBefore && (!isPunctRune(before) || punctAfter)
	if s[i] == '_' {
		return left && (!right || punctBefore), right && (!left || punctAfter)
	}
	return left, right
}

func isPunctRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isPunct(byte(r))
	}
	return unicode.IsPunct(r) || unicode.IsSymbol(r)
}

// isPunct reports whether c is ASCII punctuation.
func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}
