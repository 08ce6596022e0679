package plaintext

import (
	"bytes"
	"strings"
)

const (
	maxLinks    = 4096     // links that Links gives
	maxLinkText = 64 << 10 // bytes of one link's text
	maxAddress  = 64 << 10 // bytes of a link's address, as written
)

// Link is one link of an HTML body.
type Link struct {
	URL  string // the address of <a href>, decoded
	Text string // the visible text on one line; empty for a link around nothing visible
}

// Links lists the links of an HTML body in their order, at most 4096. Addresses that are empty, fragments or scripts
// (javascript:, vbscript:, data:) do not count, nor do those over 64 KiB.
func Links(content string) []Link {
	if !strings.ContainsRune(content, '<') {
		return nil
	}
	var links []Link
	h := htmlWalk{writer: writer{max: maxLinkText, mark: markNone}, hidden: true, emoji: -1, collect: &links}
	h.run(valid(content))
	return links
}

// endLink writes the address of the open link behind its text, or notes the link.
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
	if h.collect != nil {
		h.note(mark)
		return
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

// note adds the open link, whose text starts at mark, to the collected ones.
func (h *htmlWalk) note(mark int) {
	words := strings.Join(strings.Fields(string(wholeRunes(h.out[mark:]))), " ")
	url := strings.TrimSpace(decodeAttr(h.href))
	if isAddress(url) {
		*h.collect = append(*h.collect, Link{URL: url, Text: words})
	}
	h.out, h.full, h.midLine, h.keep = h.out[:0], false, false, 0
}

// isAddress tells addresses that lead somewhere: no script, no fragment.
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

// sameAddress tells that the text of a link already says its address, the scheme and a last slash aside.
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
