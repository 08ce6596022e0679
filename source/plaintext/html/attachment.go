package html

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// AttachmentTag starts the tag that marks an attachment's place.
const AttachmentTag = "<attachment"

// ReadAttachment reads <attachment id="…"></attachment> (or <attachment id="…"/>) at the start of s: its id and its
// length, which is 0 if s does not start with one.
func ReadAttachment(s string) (id string, n int) {
	end := strings.IndexByte(s[1:], '<') + 1
	if end == 0 {
		end = len(s)
	}
	var a Attrs
	n, ok := ReadAttrs(s[:end], len(AttachmentTag), &a)
	if !ok || a.ID == "" {
		return "", 0
	}
	if strings.HasPrefix(s[n:], "</attachment>") {
		n += len("</attachment>")
	}
	return textbuf.DecodeAttr(a.ID), n
}
