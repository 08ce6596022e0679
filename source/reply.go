package source

import (
	"bytes"
	"strings"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/plaintext"
)

// Types of the attachments that refer to another message.
const (
	messageReference   = "messageReference"
	forwardedReference = "forwardedMessageReference"
)

// reference is an attachment that refers to another message.
type reference struct{ id, contentType, content string }

// isReference reports whether an attachment of the type refers to another message.
func isReference(contentType string) bool {
	return strings.EqualFold(contentType, messageReference) || strings.EqualFold(contentType, forwardedReference)
}

// origin is the message that another one answers or forwards, and the conversation that holds it where that is not the
// message's own.
type origin struct{ message, chat string }

// originOf finds what a message without a replyToId answers, as messages in chats do: by a messageReference attachment, or by
// a quote in its HTML. A message that answers nothing may forward one.
func originOf(references []reference, quoted string) origin {
	var forwarded origin
	for _, r := range references {
		if strings.EqualFold(r.contentType, messageReference) {
			if id := firstID(r.id, r.property("messageId")); id != "" {
				return origin{message: id}
			}
			continue
		}
		if forwarded == (origin{}) {
			forwarded = origin{message: firstID(r.property("originalMessageId"), r.id), chat: r.property("originalConversationId")}
		}
	}
	if quoted != "" {
		return origin{message: quoted}
	}
	return forwarded
}

func firstID(ids ...string) string {
	for _, id := range ids {
		if id = strings.TrimSpace(id); id != "" {
			return id
		}
	}
	return ""
}

// property returns a property of the attachment's content, a text or a number; empty when the content is no JSON object or has
// no such property.
func (r *reference) property(name string) string {
	all, err := properties([]byte(strings.TrimPrefix(r.content, byteOrderMark)))
	if err != nil {
		return ""
	}
	value := find(all, name)
	if s, ok := jsonText(value); ok {
		return strings.TrimSpace(s)
	}
	if s := string(value); s != "" && strings.Trim(s, "0123456789") == "" {
		return s
	}
	return ""
}

// fillReply sets what a message answers or forwards. thread is the message's own conversation.
func fillReply(d *graphmap.Draft, owner, thread string) {
	if d.Child(eventRoot, eventwire.EventReplyTo) != graphmap.NoNode {
		return
	}
	var references []reference
	for a := d.Child(eventRoot, eventwire.EventAttachments); a != graphmap.NoNode; a = d.Sibling(a) {
		if kind := textOf(d, a, eventwire.AttachmentContentType); isReference(kind) {
			references = append(references, reference{textOf(d, a, eventwire.AttachmentID), kind, textOf(d, a, eventwire.AttachmentContent)})
		}
	}
	quoted := ""
	if body := d.Child(eventRoot, eventwire.EventBody); body != graphmap.NoNode &&
		parleyv1.ContentType(d.Number(d.Child(body, eventwire.BodyContentType))) == parleyv1.ContentType_CONTENT_TYPE_HTML {
		// Most bodies have no quote, which is seen before they are copied.
		if content := d.Text(d.Child(body, eventwire.BodyContent)); bytes.Contains(content, []byte(plaintext.QuoteSchema)) {
			quoted = plaintext.ReplyQuote(string(content))
		}
	}
	from := originOf(references, quoted)
	d.AddString(eventRoot, eventwire.EventReplyTo, from.message)
	if from.chat != "" && from.chat != thread {
		d.AddBuilt(eventRoot, eventwire.EventReplyToConversation, func(to []byte) []byte { return resource.AppendConversation(to, owner, from.chat) })
	}
}
