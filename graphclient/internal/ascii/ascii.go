// Package ascii classifies bytes.
package ascii

// Alphanumeric reports whether a byte is an ASCII letter or digit.
func Alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
