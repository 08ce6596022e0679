package plaintext

import (
	"slices"
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/markdown"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// DefaultMax is the most bytes of text that a function gives when not told otherwise.
const DefaultMax = 1 << 20

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
	content := textbuf.Valid(in.Content)
	if s, ok := html.Simple(content); ok {
		return append(b, textbuf.Clip(s, limit)...)
	}
	b = slices.Grow(b, textbuf.Room(len(content), limit))
	written := html.Append(b[len(b):], content, nil, limit)
	if len(written) == 0 {
		return append(b, orAttached("", content, limit)...)
	}
	return append(b, written...)
}

// orAttached is the text of a body, or a word for what is attached to it when that is all there is and it is not told: previews
// of messages come without their attachments.
func orAttached(s, content string, limit int) string {
	if strings.TrimSpace(s) == "" && strings.Contains(content, html.AttachmentTag+" ") {
		return textbuf.Clip("[attachment]", limit)
	}
	return s
}

// render returns the text of the body alone, with the attachments that it mentions, or without any if atts is nil.
func render(in Input, atts html.Attachments, limit int) string {
	switch in.ContentType {
	case "html":
		if in.Answer {
			if text, ok := markdown.FromAnswer(in.Content); ok {
				return markdown.Render(text, atts, limit)
			}
		}
		return html.Render(in.Content, atts, limit)
	case "markdown":
		return markdown.Render(in.Content, atts, limit)
	default:
		return renderText(in.Content, atts, limit)
	}
}

// renderText keeps content but for its attachment tags and control characters. Where a card takes the place of a tag, line ends part it from
// the text around; where a name does, a space.
func renderText(content string, atts html.Attachments, limit int) string {
	content = textbuf.Valid(content)
	if content == "<systemEventMessage/>" {
		return ""
	}
	at := strings.Index(content, html.AttachmentTag)
	if at < 0 {
		return textbuf.Clean(textbuf.Clip(content, limit))
	}
	w := textbuf.Buffer{Max: limit, Out: make([]byte, 0, textbuf.Room(len(content), limit))}
	for at >= 0 && !w.Full {
		w.Put(content[:at])
		id, n := html.ReadAttachment(content[at:])
		if n == 0 {
			n = len(html.AttachmentTag)
			w.Put(content[at : at+n])
		} else if atts != nil {
			if s, block := atts.Resolve(id); s != "" {
				w.Insert(s, block)
				if block && at+n < len(content) && content[at+n] != '\n' && content[at+n] != '\r' {
					w.Put("\n")
				}
			}
		}
		content = content[at+n:]
		at = strings.Index(content, html.AttachmentTag)
	}
	w.Put(content)
	return string(textbuf.Finish(w.Out))
}
