package text

import (
	"strings"
	"unicode/utf8"
)

// isDropped tells characters without a look of their own: zero-width space, word joiner, byte order mark, and controls
// other than white space.
func isDropped(r rune) bool {
	switch r {
	case '\u200b', '\u2060', '\ufeff', 0x7f:
		return true
	case '\t', '\n', '\f', '\r':
		return false
	}
	return r < ' ' || 0x80 <= r && r < 0xa0
}

// wholeRunes drops a character that was cut at the end of valid UTF-8.
func wholeRunes(b []byte) []byte {
	for range utf8.UTFMax - 1 {
		if r, n := utf8.DecodeLastRune(b); r != utf8.RuneError || n != 1 {
			break
		}
		b = b[:len(b)-1]
	}
	return b
}

// valid is s with U+FFFD in place of bytes that are not UTF-8, one for bytes in a row. It allocates what it needs, once.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(validPieces(s, func(string) {}))
	validPieces(s, func(piece string) { b.WriteString(piece) })
	return b.String()
}

// validPieces gives the valid parts of s and U+FFFD between them, and their length in all.
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

// clip is s, cut between characters to at most n bytes. s is valid UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
