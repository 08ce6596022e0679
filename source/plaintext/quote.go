package plaintext

import "strings"

// QuoteSchema is in the type of the quotes that Teams makes, whatever the scheme before it.
const QuoteSchema = "schema.skype.com/"

// ReplyQuote returns the id of the message that an HTML body answers: that of its first quote of the type Reply. It is empty
// for a body without one; quotes of other types, those of a forward among them, name no message.
func ReplyQuote(content string) string {
	if !strings.Contains(content, QuoteSchema) {
		return ""
	}
	s := scanner{src: valid(content)}
	for {
		switch s.next() {
		case tokenEOF:
			return ""
		case tokenStart:
			if t := &s.tok; t.tag == tagQuote && isReplyType(decodeAttr(t.attr.itemType)) {
				if id := strings.TrimSpace(decodeAttr(t.attr.itemID)); id != "" {
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
