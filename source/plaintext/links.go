package plaintext

import (
	"bytes"
	"strings"
)

// maxAddress bounds the address of a link, in bytes as written.
const maxAddress = 64 << 10

// endLink writes the address of the open link behind its text.
func (h *htmlWalk) endLink() {
	if h.mark == markNone {
		return
	}
	mark := h.mark
	h.mark = markNone
	if len(h.href) > maxAddress {
		h.href = ""
	}
	if mark == markArmed {
		mark = len(h.out)
	}
	if h.href == "" {
		return
	}
	end := len(h.out)
	if mark == end {
		h.bareLink()
		return
	}
	h.put(" (")
	from := len(h.out)
	h.attr(h.href)
	url := bytes.TrimSpace(h.out[from:])
	if !isAddress(string(url[:min(len(url), len("javascript:"))])) || sameAddress(h.out[mark:end], url) {
		h.out, h.full = h.out[:end], false
		return
	}
	h.put(")")
}

// bareLink writes the address of a link without text.
func (h *htmlWalk) bareLink() {
	url := strings.TrimSpace(decodeAttr(h.href))
	if isAddress(url) {
		h.visible(url)
	}
}

// isAddress reports whether an address leads somewhere: no script, no fragment.
func isAddress(url string) bool {
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

// sameAddress reports whether the text of a link already says its address, the scheme and a last slash aside.
func sameAddress(text, url []byte) bool {
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
