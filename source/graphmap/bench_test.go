package graphmap_test

import (
	"testing"

	"github.com/parley-gateway/parley/source/graphmap"
)

const chatRecord = `{"id":"1764000000000","replyToId":null,"etag":"1764000000000","messageType":"message",
"createdDateTime":"2026-11-01T08:15:00.123Z","lastModifiedDateTime":"2026-11-01T08:15:02.5Z","lastEditedDateTime":null,"deletedDateTime":null,
"subject":null,"summary":null,"chatId":"19:0123456789abcdef0123456789abcdef@thread.v2","importance":"normal","locale":"en-us","webUrl":null,
"channelIdentity":null,"policyViolation":null,"eventDetail":null,"from":{"application":null,"device":null,"user":{
"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5","displayName":"Ada Byron",
"userIdentityType":"aadUser","tenantId":"061ea7c2-cc15-418b-bfc0-9f6a7d98011c"}},"body":{"contentType":"html","content":
"<div><p>Could you look at the draft before <b>noon</b>? The figures of the second table look odd to me.<\/p><\/div>"},
"attachments":[],"mentions":[],"reactions":[{"reactionType":"like","displayName":"Like","reactionContentUrl":null,
"createdDateTime":"2026-11-01T08:15:02.5Z","user":{"application":null,"device":null,"user":{
"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"4db02e4b-d144-400e-b194-53253a34c5be","displayName":null,"userIdentityType":"aadUser"}}}]}`

func BenchmarkChatEvent(b *testing.B) {
	table, record := newTable(b), []byte(chatRecord)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Event(graphmap.RootChatMessage, record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallRecord(b *testing.B) {
	s, table := loadSchema(b), newTable(b)
	record := (&builder{schema: s, used: map[string]bool{}, pick: inTurn(3)}).object(graphmap.RootCallRecord).encode()
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Event(graphmap.RootCallRecord, record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := graphmap.New(); err != nil {
			b.Fatal(err)
		}
	}
}
