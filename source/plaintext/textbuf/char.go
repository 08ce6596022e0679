package textbuf

// IsPlain is false for white space, control characters, '&', and bytes that may start a character that is left out.
func IsPlain(c byte) bool {
	return c > ' ' && c != '&' && c != 0x7f && c != 0xc2 && c != 0xe2 && c != 0xef
}

// IsSpace reports whether c is white space in HTML.
func IsSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// IsLetter reports whether c is a letter of ASCII.
func IsLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// IsDigit reports whether c is a digit of ASCII.
func IsDigit(c byte) bool { return '0' <= c && c <= '9' }

// SkipSpace is the position of the first character of s from i on that is not white space, or the length of s.
func SkipSpace(s string, i int) int {
	for i < len(s) && IsSpace(s[i]) {
		i++
	}
	return i
}
