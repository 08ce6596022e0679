package textbuf

import (
	"bytes"
	"strings"
)

// IsAddress reports whether an address leads somewhere: no script, no fragment.
func IsAddress(url string) bool {
	if url == "" || url[0] == '#' {
		return false
	}
	colon := strings.IndexByte(url[:min(len(url), len("javascript:"))], ':')
	if colon < 0 {
		return true
	}
	scheme := url[:colon]
	return !strings.EqualFold(scheme, "javascript") && !strings.EqualFold(scheme, "vbscript") &&
		!strings.EqualFold(scheme, "data")
}

// SameAddress reports whether the text of a link already says its address, the scheme and a last slash aside.
func SameAddress(text, url []byte) bool {
	return bytes.EqualFold(bareAddress(text), bareAddress(url))
}

func bareAddress(b []byte) []byte {
	b = bytes.TrimSpace(b)
	colon := bytes.IndexByte(b[:min(len(b), len("mailto:"))], ':')
	if colon > 0 {
		switch scheme := b[:colon]; {
		case bytes.EqualFold(scheme, []byte("http")), bytes.EqualFold(scheme, []byte("https")),
			bytes.EqualFold(scheme, []byte("mailto")), bytes.EqualFold(scheme, []byte("tel")):
			b = bytes.TrimPrefix(b[colon+1:], []byte("//"))
		}
	}
	return bytes.TrimSuffix(b, []byte("/"))
}
