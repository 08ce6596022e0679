package jsonscan

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// AppendUnquoted appends the text between the quotes of a literal that String accepted. It refuses, with dst as it was,
// text that is not UTF-8 and surrogates without their other half.
func AppendUnquoted(dst, inner []byte) (text []byte, ok bool) {
	start := len(dst)
	for {
		n := bytes.IndexByte(inner, '\\')
		if n < 0 {
			dst = append(dst, inner...)
			if !utf8.Valid(dst[start:]) {
				return dst[:start], false
			}
			return dst, true
		}
		dst = append(dst, inner[:n]...)
		inner = inner[n:]
		if len(inner) < 2 {
			return dst[:start], false
		}
		if c := plainEscapes[inner[1]]; c != 0 {
			dst, inner = append(dst, c), inner[2:]
			continue
		}
		r, size := unicodeEscape(inner)
		if size == 0 {
			return dst[:start], false
		}
		dst, inner = utf8.AppendRune(dst, r), inner[size:]
	}
}

// plainEscapes are the characters that an escape of two bytes stands for.
var plainEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicodeEscape reads \uXXXX, or two of them that are the halves of a character. The size is 0 for a lone half.
func unicodeEscape(b []byte) (r rune, size int) {
	if b[1] != 'u' {
		return 0, 0
	}
	r, ok := hex4(b[2:])
	if !ok || !utf16.IsSurrogate(r) {
		if !ok {
			return 0, 0
		}
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 0, 0
	}
	low, ok := hex4(b[8:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}
