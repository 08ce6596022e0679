// Package jsonscan finds the ends of JSON values in a byte slice, eight bytes at a time and without allocating. It checks
// the grammar of RFC 8259, but not what the bytes of a string mean: invalid UTF-8 and lone surrogates pass, as Microsoft
// Graph sends them. All functions take the position that they begin at and return the one after the value; they refuse
// (ok is false) rather than panic, whatever the input.
package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// MaxDepth is how deep Skip follows objects and lists.
const MaxDepth = 200

// Space returns the position of the first byte from i on that is no white space.
func Space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Form tells what is in a string beside plain ASCII.
type Form uint8

// Forms of a string.
const (
	Escapes Form = 1 << iota // a backslash
	High                     // a byte of 0x80 or above
)

const (
	ones = 0x0101010101010101
	high = 0x8080808080808080
)

// special has the high bit of the first byte set that is a quote, a backslash, a control character or not ASCII. Bytes
// after that one may be marked too.
func special(w uint64) uint64 {
	quote, escape := w^'"'*ones, w^'\\'*ones
	return ((quote-ones)&^quote | (escape-ones)&^escape | (w-' '*ones)&^w | w) & high
}

// String reads the string literal that begins with the quote at i.
func String(b []byte, i int) (end int, form Form, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return i, 0, false
	}
	i++
	for {
		for i+8 <= len(b) {
			found := special(binary.LittleEndian.Uint64(b[i:]))
			if found != 0 {
				i += bits.TrailingZeros64(found) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return i, form, false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, form, true
		case c == '\\':
			form |= Escapes
			n := escape(b[i:])
			if n == 0 {
				return i, form, false
			}
			i += n
		case c < ' ':
			return i, form, false
		case c >= 0x80:
			form |= High
			for i < len(b) && b[i] >= 0x80 {
				i++
			}
		default:
			i++
		}
	}
}

// escape is the length of the escape sequence that b begins with; 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// Number reads the number that begins at i.
func Number(b []byte, i int) (end int, ok bool) {
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := digits(b, i)
	if whole == i || (b[i] == '0' && whole > i+1) {
		return i, false
	}
	i = whole
	if i < len(b) && b[i] == '.' {
		fraction := digits(b, i+1)
		if fraction == i+1 {
			return i, false
		}
		i = fraction
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		power := digits(b, i)
		if power == i {
			return i, false
		}
		i = power
	}
	return i, true
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// Literal reads true, false or null at i.
func Literal(b []byte, i int) (end int, ok bool) {
	for _, word := range [...]string{"null", "true", "false"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word), true
		}
	}
	return i, false
}

// Skip reads the value of any shape that begins at i, which is no white space. depth is how deep that value lies.
func Skip(b []byte, i, depth int) (end int, ok bool) {
	if i >= len(b) || depth > MaxDepth {
		return i, false
	}
	switch b[i] {
	case '"':
		end, _, ok = String(b, i)
		return end, ok
	case '{':
		return skipObject(b, i, depth)
	case '[':
		return skipList(b, i, depth)
	case 'n', 't', 'f':
		return Literal(b, i)
	default:
		return Number(b, i)
	}
}

func skipObject(b []byte, i, depth int) (end int, ok bool) {
	i = Space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1, true
	}
	for {
		if i, _, ok = String(b, i); !ok {
			return i, false
		}
		if i, ok = Colon(b, i); !ok {
			return i, false
		}
		if i, ok = Skip(b, i, depth+1); !ok {
			return i, false
		}
		var more bool
		if i, more, ok = Next(b, i, '}'); !ok || !more {
			return i, ok
		}
	}
}

func skipList(b []byte, i, depth int) (end int, ok bool) {
	i = Space(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1, true
	}
	for {
		if i, ok = Skip(b, i, depth+1); !ok {
			return i, false
		}
		var more bool
		if i, more, ok = Next(b, i, ']'); !ok || !more {
			return i, ok
		}
	}
}

// Colon reads the colon between a name and its value and returns where the value begins.
func Colon(b []byte, i int) (value int, ok bool) {
	i = Space(b, i)
	if i >= len(b) || b[i] != ':' {
		return i, false
	}
	return Space(b, i+1), true
}

// Next reads what follows a member or element: a comma, and then more is true and at is where the next one begins; or the
// closing bracket.
func Next(b []byte, i int, closing byte) (at int, more, ok bool) {
	i = Space(b, i)
	switch {
	case i >= len(b):
		return i, false, false
	case b[i] == ',':
		return Space(b, i+1), true, true
	default:
		return i + 1, false, b[i] == closing
	}
}
