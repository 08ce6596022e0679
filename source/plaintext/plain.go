package plaintext

import (
	"slices"
	"strings"
)

// Attachment is what Plain needs of a chatMessageAttachment or an aiInteractionAttachment. Graph sends null for any of
// these properties: that is the empty string here.
type Attachment struct {
	ID          string // id, or attachmentId of an interaction
	Name        string // name
	ContentType string // contentType, as Graph sent it
	ContentURL  string // contentUrl
	Content     string // content: the JSON text of a card or of a quoted message
}

// Input is one message body.
type Input struct {
	Content     string       // body.content
	ContentType string       // "text", "html" or "markdown"; anything else counts as "text"
	Attachments []Attachment // attachments, in Graph's order
	Answer      bool         // an answer of Copilot: a body of type html may hold Markdown
	Max         int          // most bytes of the result; 0 or less = DefaultMax
}

// Plain returns the readable text of a body and its attachments; the package comment has the rules. A body of type text
// stays verbatim but for its attachment tags and control characters.
func Plain(in Input) string {
	limit := in.Max
	if limit <= 0 {
		limit = DefaultMax
	}
	if len(in.Attachments) == 0 {
		return orAttached(render(in, nil, limit), in.Content, limit)
	}
	r := newResolver(in.Attachments, limit)
	if r.hasCards() {
		r.remember(render(in, nil, limit))
	}
	s := r.appendRest(render(in, r, limit))
	if strings.TrimSpace(s) == "" {
		return r.labels()
	}
	return s
}

// AppendPlain appends what Plain gives.
func AppendPlain(b []byte, in Input) []byte {
	if len(in.Attachments) > 0 || in.ContentType != "html" || in.Answer {
		return append(b, Plain(in)...)
	}
	limit := in.Max
	if limit <= 0 {
		limit = DefaultMax
	}
	content := valid(in.Content)
	if s, ok := simpleHTML(content); ok {
		return append(b, clip(s, limit)...)
	}
	b = slices.Grow(b, min(len(content), limit, maxRoom))
	written := writeHTML(b[len(b):], content, nil, limit)
	if len(written) == 0 {
		return append(b, orAttached("", content, limit)...)
	}
	return append(b, written...)
}

// orAttached is the text of a body, or a word for what is attached to it when that is all there is and it is not told: previews
// of messages come without their attachments.
func orAttached(s, content string, limit int) string {
	if strings.TrimSpace(s) == "" && strings.Contains(content, attachmentTag+" ") {
		return clip("[attachment]", limit)
	}
	return s
}

// render returns the text of the body alone, with the attachments that it mentions, or without any if atts is nil.
func render(in Input, atts *resolver, limit int) string {
	switch in.ContentType {
	case "html":
		if in.Answer {
			if markdown, ok := answerMarkdown(in.Content); ok {
				return renderMarkdown(markdown, atts, limit)
			}
		}
		return renderHTML(in.Content, atts, limit)
	case "markdown":
		return renderMarkdown(in.Content, atts, limit)
	default:
		return renderText(in.Content, atts, limit)
	}
}

// renderText keeps content but for its attachment tags and control characters. Where a card takes the place of a tag, line ends part it from
// the text around; where a name does, a space.
func renderText(content string, atts *resolver, limit int) string {
	content = valid(content)
	if content == "<systemEventMessage/>" {
		return ""
	}
	at := strings.Index(content, attachmentTag)
	if at < 0 {
		return clean(clip(content, limit))
	}
	w := writer{max: limit, out: make([]byte, 0, min(len(content), limit, maxRoom))}
	for at >= 0 && !w.full {
		w.put(content[:at])
		id, n := readAttachmentTag(content[at:])
		if n == 0 {
			n = len(attachmentTag)
			w.put(content[at : at+n])
		} else if atts != nil {
			if s, block := atts.resolve(id); s != "" {
				w.insert(s, block)
				if block && at+n < len(content) && content[at+n] != '\n' && content[at+n] != '\r' {
					w.put("\n")
				}
			}
		}
		content = content[at+n:]
		at = strings.Index(content, attachmentTag)
	}
	w.put(content)
	return string(finished(w.out))
}

// attachmentTag starts the tag that marks an attachment's place.
const attachmentTag = "<attachment"

// readAttachmentTag reads <attachment id="…"></attachment> (or <attachment id="…"/>) at the start of s: its id and its
// length, which is 0 if s does not start with one.
func readAttachmentTag(s string) (id string, n int) {
	end := strings.IndexByte(s[1:], '<') + 1
	if end == 0 {
		end = len(s)
	}
	var a attrs
	n, ok := readAttrs(s[:end], len(attachmentTag), &a)
	if !ok || a.id == "" {
		return "", 0
	}
	if strings.HasPrefix(s[n:], "</attachment>") {
		n += len("</attachment>")
	}
	return decodeAttr(a.id), n
}

// insert puts the text of an attachment behind what is written: on a new line if it is a block, else parted by a space.
func (w *writer) insert(s string, block bool) {
	if n := len(w.out); n > 0 && w.out[n-1] != '\n' {
		switch {
		case block:
			w.put("\n")
		case w.out[n-1] != ' ':
			w.put(" ")
		}
	}
	w.put(s)
}
