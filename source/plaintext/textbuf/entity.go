package textbuf

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// maxEntityName bounds the letters that are looked up after '&'; the longest name of HTML has 31.
const maxEntityName = 32

// Entity decodes the character reference that s starts with (s[0] is '&'). It gives one or two characters
// (second is 0 if there is one) and the bytes read; 0 bytes mean that s starts with a
// plain '&'.
func Entity(s string) (first, second rune, n int) { return entity(s, false) }

// AttrEntity is Entity for the value of an attribute, in which a name without semicolon counts only when complete, so that
// "?a=1&copy=2" stays an address.
func AttrEntity(s string) (first, second rune, n int) { return entity(s, true) }

func entity(s string, attribute bool) (first, second rune, n int) {
	if len(s) < 2 {
		return 0, 0, 0
	}
	if s[1] == '#' {
		return numericEntity(s)
	}
	i := 1
	for i < len(s) && i <= maxEntityName && (IsLetter(s[i]) || IsDigit(s[i])) {
		i++
	}
	name := s[1:i]
	closed := i < len(s) && s[i] == ';'
	if closed {
		i++
	} else if attribute && i < len(s) && (s[i] == '=' || IsLetter(s[i]) || IsDigit(s[i])) {
		return 0, 0, 0
	}
	if closed {
		if r := commonEntity(name); r != 0 {
			return r, 0, i
		}
	}
	if len(name) < 2 {
		return 0, 0, 0
	}
	return namedEntity(s[:i], attribute)
}

// commonEntity knows the names that nearly all messages do with.
func commonEntity(name string) rune {
	switch name {
	case "nbsp":
		return '\u00a0'
	case "amp":
		return '&'
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "quot":
		return '"'
	case "apos":
		return '\''
	}
	return 0
}

// namedEntity decodes ref ("&name" with or without ';') by the table of x/net/html (the standard library's lacks
// the references that are shorter than their characters), which also finds the
// old names without semicolon at the start of a longer one ("&notit").
func namedEntity(ref string, attribute bool) (first, second rune, n int) {
	decoded := html.UnescapeString(ref)
	if decoded == ref {
		return 0, 0, 0
	}
	first, size := utf8.DecodeRuneInString(decoded)
	rest := decoded[size:]
	if rest == "" {
		return first, 0, len(ref)
	}
	if strings.HasSuffix(ref, rest) {
		if attribute {
			return 0, 0, 0
		}
		return first, 0, len(ref) - len(rest)
	}
	second, _ = utf8.DecodeRuneInString(rest)
	return first, second, len(ref)
}

// numericEntity decodes "&#8364;" and "&#x20ac;", with or without semicolon.
func numericEntity(s string) (first, second rune, n int) {
	i, base := 2, rune(10)
	if i < len(s) && s[i]|0x20 == 'x' {
		i, base = 3, 16
	}
	from, r := i, rune(0)
	for i < len(s) {
		d, ok := digit(s[i], base)
		if !ok {
			break
		}
		if r <= utf8.MaxRune {
			r = r*base + d
		}
		i++
	}
	if i == from {
		return 0, 0, 0
	}
	if i < len(s) && s[i] == ';' {
		i++
	}
	if 0x80 <= r && r <= 0x9f {
		// Windows-1252, as HTML rules for these numbers; the html package has the table.
		r, _ = utf8.DecodeRuneInString(html.UnescapeString(s[:i]))
	}
	if r == 0 || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	return r, 0, i
}

// digit is the value of c in the base 10 or 16.
func digit(c byte, base rune) (rune, bool) {
	switch {
	case IsDigit(c):
		return rune(c - '0'), true
	case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10, true
	}
	return 0, false
}
