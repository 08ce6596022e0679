package textbuf

import (
	"strings"
	"unicode/utf8"
)

// IsDropped reports whether a character has no look of its own: zero-width space, word joiner, byte order mark, and controls
// other than white space.
func IsDropped(r rune) bool {
	switch r {
	case '\u200b', '\u2060', '\ufeff', 0x7f:
		return true
	case '\t', '\n', '\f', '\r':
		return false
	}
	return r < ' ' || 0x80 <= r && r < 0xa0
}

// IsBidi reports whether r is one of the controls that change the order in which the text after them is shown: embeddings, overrides and
// isolates. A name that holds one makes what follows it look like something else. The marks U+200E, U+200F and U+061C stay:
// they sway their neighbours alone, and names in Arabic and Hebrew need them.
func IsBidi(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }

// IsBarredInNames reports whether no name and no address holds r: controls, line ends included, and bidirectional controls.
func IsBarredInNames(r rune) bool { return r < ' ' || IsDropped(r) || IsBidi(r) }

// CleanName is a name on one line, without the characters that no name holds and without space around it.
func CleanName(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if IsBarredInNames(r) {
			return -1
		}
		return r
	}, Valid(s)))
}

// Finish returns a text without a truncated character at its end and without control characters.
func Finish(b []byte) []byte { return dropControls(wholeRunes(b)) }

// dropControls takes the control characters out of b, which is valid UTF-8: C0 but for tabs and line ends, DEL, and C1. Those
// that end a line (CR LF, CR, VT, FF, NEL) become a line end.
func dropControls(b []byte) []byte {
	to := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		next := byte(0)
		if i+1 < len(b) {
			next = b[i+1]
		}
		switch {
		case c >= ' ' && c != 0x7f && c != c1Lead, c == '\n', c == '\t':
		case c == '\r' && next == '\n':
			continue
		case c == '\r', c == '\v', c == '\f':
			c = '\n'
		case c == c1Lead && next == 0x85:
			c = '\n'
			i++
		case c == c1Lead && next < 0xa0:
			i++
			continue
		case c < ' ', c == 0x7f:
			continue
		}
		b[to] = c
		to++
	}
	return b[:to]
}

// c1Lead is the first byte of U+0080 to U+00BF; the controls end before U+00A0.
const c1Lead = 0xc2

// Clean is s without control characters; it is copied only if it holds one.
func Clean(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\n' && c != '\t' || c == 0x7f || c == c1Lead && i+1 < len(s) && s[i+1] < 0xa0 {
			return string(dropControls([]byte(s)))
		}
	}
	return s
}

// wholeRunes drops a truncated character at the end of b, which is valid UTF-8 otherwise.
func wholeRunes(b []byte) []byte {
	for range utf8.UTFMax - 1 {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

// Valid is s with U+FFFD in place of bytes that are not UTF-8, one for bytes in a row. It allocates what it needs, once.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(validPieces(s, func(string) {}))
	validPieces(s, func(piece string) { b.WriteString(piece) })
	return b.String()
}

// validPieces returns the valid parts of s and U+FFFD between them, and their length in all.
func validPieces(s string, piece func(string)) (size int) {
	from, bad := 0, false
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			bad = false
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n != 1 {
			i += n
			bad = false
			continue
		}
		if i > from {
			piece(s[from:i])
			size += i - from
		}
		if !bad {
			piece("\ufffd")
			size += len("\ufffd")
		}
		i++
		from, bad = i, true
	}
	piece(s[from:])
	return size + len(s) - from
}

// Clip returns s, truncated between characters to at most n bytes. s is valid UTF-8.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
