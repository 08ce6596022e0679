package plaintext

import (
	"strings"

	"github.com/parley-gateway/parley/source/plaintext/html"
	"github.com/parley-gateway/parley/source/plaintext/textbuf"
)

// QuoteSchema is in the type of the quotes that Teams makes, whatever the scheme before it.
const QuoteSchema = "schema.skype.com/"

// ReplyQuote returns the id of the message that an HTML body answers: that of its first quote of the type Reply. It is empty
// for a body without one; quotes of other types, those of a forward among them, name no message.
func ReplyQuote(content string) string {
	if !strings.Contains(content, QuoteSchema) {
		return ""
	}
	s := html.NewScanner(textbuf.Valid(content))
	for {
		switch s.Next() {
		case html.TokenEOF:
			return ""
		case html.TokenStart:
			if t := &s.Tok; t.Tag == html.TagQuote && isReplyType(textbuf.DecodeAttr(t.Attr.ItemType)) {
				if id := strings.TrimSpace(textbuf.DecodeAttr(t.Attr.ItemID)); id != "" {
					return id
				}
			}
		default:
		}
	}
}

// isReplyType reports whether an itemtype is that of a quoted message.
func isReplyType(itemType string) bool {
	_, address, found := strings.Cut(strings.TrimSpace(itemType), "://")
	return found && strings.EqualFold(strings.TrimSuffix(address, "/"), QuoteSchema+"Reply")
}
