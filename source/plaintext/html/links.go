package html

import (
	"bytes"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// maxAddress bounds the address of a link, in bytes as written.
const maxAddress = 64 << 10

// endLink writes the address of the open link after its text.
func (h *renderer) endLink() {
	if h.linkStart == noLink {
		return
	}
	mark := h.linkStart
	h.linkStart = noLink
	if len(h.href) > maxAddress {
		h.href = ""
	}
	if mark == linkPending {
		mark = len(h.Out)
	}
	if h.href == "" {
		return
	}
	end := len(h.Out)
	if mark == end {
		h.bareLink()
		return
	}
	h.Put(" (")
	from := len(h.Out)
	h.PutAttr(h.href)
	url := bytes.TrimSpace(h.Out[from:])
	if !textbuf.IsAddress(string(url[:min(len(url), len("javascript:"))])) || textbuf.SameAddress(h.Out[mark:end], url) {
		h.Out, h.Full = h.Out[:end], false
		return
	}
	h.Put(")")
}

// bareLink writes the address of a link without text.
func (h *renderer) bareLink() {
	url := strings.TrimSpace(textbuf.DecodeAttr(h.href))
	if textbuf.IsAddress(url) {
		h.visible(url)
	}
}
