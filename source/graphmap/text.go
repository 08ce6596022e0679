package graphmap

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// text reads a string. Bytes that are not UTF-8, and lone surrogates, become U+FFFD.
func (d *Draft) text(i int) (text []byte, end int, ok bool) {
	end, form, ok := jsonscan.String(d.record, i)
	if !ok {
		return nil, end, false
	}
	inner := d.record[i+1 : end-1]
	if form&jsonscan.Escapes == 0 && (form&jsonscan.High == 0 || utf8.Valid(inner)) {
		return inner, end, true
	}
	start := len(d.scratch)
	d.scratch = appendUnquoted(d.scratch, inner)
	return d.scratch[start:len(d.scratch):len(d.scratch)], end, true
}

// appendUnquoted appends the text between the quotes of a literal that is a JSON string. Bytes that are not UTF-8, and lone surrogates,
// become U+FFFD.
func appendUnquoted(dst, inner []byte) []byte {
	size := len(inner)
	if !utf8.Valid(inner) {
		size *= utf8.RuneLen(utf8.RuneError) // each byte may be replaced
	}
	dst = slices.Grow(dst, size)
	if text, ok := jsonscan.AppendUnquoted(dst, inner); ok {
		return text
	}
	return unescape(dst, inner)
}

// unescape is appendUnquoted for a text that jsonscan.AppendUnquoted refuses.
func unescape(dst, inner []byte) []byte {
	for len(inner) > 0 {
		c := inner[0]
		switch {
		case c == '\\' && inner[1] == 'u':
			r, n := hexRune(inner), len(`\u0000`)
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if len(inner) >= 2*n && inner[n] == '\\' && inner[n+1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(inner[n:]))
				}
				if r = pair; pair != utf8.RuneError {
					n *= 2
				}
			}
			dst, inner = utf8.AppendRune(dst, r), inner[n:]
		case c == '\\':
			if at := strings.IndexByte("bfnrt", inner[1]); at >= 0 {
				dst = append(dst, "\b\f\n\r\t"[at])
			} else {
				dst = append(dst, inner[1])
			}
			inner = inner[2:]
		case c < utf8.RuneSelf:
			dst, inner = append(dst, c), inner[1:]
		default:
			r, n := utf8.DecodeRune(inner)
			dst, inner = utf8.AppendRune(dst, r), inner[n:]
		}
	}
	return dst
}

// hexRune reads the digits of a \u escape.
func hexRune(escape []byte) rune {
	n, _ := strconv.ParseUint(string(escape[2:6]), 16, 16) // jsonscan.String has checked them
	return rune(n)
}
