package source

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replyRecord is a message with a body and attachments, in Graph's shape.
func replyRecord(replyTo any, html string, attachments ...map[string]any) []byte {
	record, err := json.Marshal(map[string]any{
		"id": "1700000000123", "replyToId": replyTo, "etag": "1700000000123", "messageType": "message", "chatId": "19:here@thread.v2",
		"createdDateTime": "2026-11-14T22:13:20.123Z", "lastModifiedDateTime": "2026-11-14T22:13:20.123Z",
		"body":        map[string]any{"contentType": "html", "content": html},
		"attachments": append([]map[string]any{}, attachments...),
	})
	if err != nil {
		panic(err) // the arguments are the test's own
	}
	return record
}

func refers(contentType string, id, content any) map[string]any {
	return map[string]any{"id": id, "contentType": contentType, "contentUrl": nil, "content": content, "name": nil}
}

// TestAMessageNamesWhatItAnswers: a message refers to another one. In chats Graph leaves replyToId empty, and the reference is an
// attachment or a quote.
func TestAMessageNamesWhatItAnswers(t *testing.T) {
	t.Parallel()
	const (
		quoted  = `{"messageId":"1699999999000","messagePreview":"Shall we?","messageSender":{"user":{"id":"u"}}}`
		forward = `{"originalMessageId":"1688888888000","originalMessageContent":"<p>a</p>","originalConversationId":"19:there@thread.v2","originalSentDateTime":"2026-07-09T07:34:48+00:00"}`
		reply   = `<blockquote itemscope="" itemtype="http://schema.skype.com/Reply" itemid="1677777777000"><strong itemprop="mri">A</strong><p itemprop="preview">x</p></blockquote><p>y</p>`
	)
	tests := []struct {
		name                  string
		record                []byte
		replyTo, conversation string
	}{
		{"reply of a channel", replyRecord("1616990000000", "<p>a</p>"), "1616990000000", ""},
		{"quoted message", replyRecord(nil, `<attachment id="1699999999000"></attachment><p>yes</p>`, refers("messageReference", "1699999999000", quoted)), "1699999999000", ""},
		{"quoted message without id", replyRecord(nil, "", refers("messageReference", nil, quoted)), "1699999999000", ""},
		{"quoted message without content", replyRecord(nil, "", refers("messageReference", "5", nil)), "5", ""},
		{"quoted message with broken content", replyRecord(nil, "", refers("messageReference", "5", `{"messageId":`)), "5", ""},
		{"quoted message of which nothing is known", replyRecord(nil, "", refers("messageReference", " ", `[]`)), "", ""},
		{"a number as id", replyRecord(nil, "", refers("MessageReference", "", `{"messageId":1699999999000}`)), "1699999999000", ""},
		{"something else as id", replyRecord(nil, "", refers("messageReference", "", `{"messageId":{"a":1}}`)), "", ""},
		{"the first of several", replyRecord(nil, "", refers("reference", "9", nil), refers("messageReference", "", "{"), refers("messageReference", "6", nil), refers("messageReference", "7", nil)), "6", ""},
		{"channel's own beside an attachment", replyRecord("8", "", refers("messageReference", "6", quoted)), "8", ""},
		{"quote in the body", replyRecord(nil, reply), "1677777777000", ""},
		{"quote in a quote, https, other order", replyRecord(nil, `<BLOCKQUOTE itemid='12' itemtype="https://schema.skype.com/Reply"><blockquote itemtype="http://schema.skype.com/Reply" itemid="13"></blockquote></BLOCKQUOTE>z`), "12", ""},
		{"quote without id", replyRecord(nil, `<blockquote itemtype="http://schema.skype.com/Reply"></blockquote><blockquote itemtype="http://schema.skype.com/Reply" itemid=" 14 ">`), "14", ""},
		{"quote of another kind", replyRecord(nil, `<blockquote itemtype="http://schema.skype.com/Forward" itemid="15"><p>a</p></blockquote>`), "", ""},
		{"quote as text", replyRecord(nil, `&lt;blockquote itemtype="http://schema.skype.com/Reply" itemid="16"&gt;`), "", ""},
		{"attachment before quote", replyRecord(nil, reply, refers("messageReference", "17", quoted)), "17", ""},
		{"forward", replyRecord(nil, `<attachment id="1688888888000"></attachment>`, refers("forwardedMessageReference", "1688888888000", forward)), "1688888888000", "users/u1/conversations/19:there@thread.v2"},
		{"forward inside a chat", replyRecord(nil, "", refers("forwardedMessageReference", "1", `{"originalMessageId":"18","originalConversationId":"19:here@thread.v2"}`)), "18", ""},
		{"forward without conversation", replyRecord(nil, "", refers("forwardedMessageReference", "1", `{"originalMessageId":"18","originalConversationId":null}`)), "18", ""},
		{"forward with broken content", replyRecord(nil, "", refers("forwardedMessageReference", "19", `{"originalMessageId"`)), "19", ""},
		{"forward of which nothing is known", replyRecord(nil, "", refers("forwardedMessageReference", nil, nil)), "", ""},
		{"reply that forwards", replyRecord(nil, reply, refers("forwardedMessageReference", "1", forward)), "1677777777000", ""},
		{"file", replyRecord(nil, "", refers("reference", "20", quoted)), "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !checkItems(t, test.record) {
				t.Fatal("the record is refused")
			}
			chat := NewChat(nil, Options{Tenant: "t"})
			item, err := chat.item("u1", "", test.record)
			if err != nil {
				t.Fatal(err)
			}
			event, err := item.Event()
			if err != nil {
				t.Fatal(err)
			}
			got := []string{event.GetReplyTo(), event.GetReplyToConversation()}
			if diff := cmp.Diff([]string{test.replyTo, test.conversation}, got); diff != "" {
				t.Errorf("reply_to and its conversation (-want +got):\n%s", diff)
			}
		})
	}
}
