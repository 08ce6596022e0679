package main

import (
	"fmt"
	"strings"
	"time"
)

// The chain of pages that all measurements read: a settled hour of one user's chats.
const (
	pageRows  = 50
	pageCount = 20
	user      = "0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5"
	tenant    = "061ea7c2-cc15-418b-bfc0-9f6a7d98011c"
)

// hour is when the messages were written.
var hour = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

const sentence = `<p>The figures of the second table look odd to me, and the third one has &lt;none&gt; for <b>October</b>&nbsp;&mdash; ` +
	`could you look at <a href=\"https://example.org/reports/2026/10?sheet=2\">the draft</a> before noon? I have put what the regions ` +
	`sent into the folder of the project, beside last year's numbers; Zürich and Malmö are still missing.</p>`

// record is chat message n in the shape that Microsoft Graph documents, with one property that no generation declares.
func record(n int) string {
	at := hour.Add(time.Duration(n) * time.Second)
	created, modified := at.Format("2006-01-02T15:04:05.000Z"), at.Add(1500*time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	id := at.UnixMilli()
	reply := "null"
	if n%4 == 0 {
		reply = fmt.Sprintf(`"%d"`, id-1000)
	}
	return fmt.Sprintf(`{"id":"%d","replyToId":%s,"etag":"%d","messageType":"message","createdDateTime":%q,"lastModifiedDateTime":%q,`+
		`"lastEditedDateTime":null,"deletedDateTime":null,"subject":null,"summary":null,"chatId":"19:%032x@thread.v2","importance":"normal",`+
		`"locale":"en-us","webUrl":null,"channelIdentity":null,"policyViolation":null,"eventDetail":null,"from":{"application":null,"device":null,`+
		`"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"%08x-54c8-4820-bbb7-2a1f4257ade5","displayName":"Ada Byron",`+
		`"userIdentityType":"aadUser","tenantId":%q}},"body":{"contentType":"html","content":"<div>%s</div>"},"attachments":[],`+
		`"mentions":[{"id":0,"mentionText":"Grace","mentioned":{"application":null,"device":null,"conversation":null,"user":{"@odata.type":`+
		`"#microsoft.graph.teamworkUserIdentity","id":"4db02e4b-d144-400e-b194-53253a34c5be","displayName":"Grace","userIdentityType":"aadUser"}}}],`+
		`"reactions":[{"reactionType":"like","displayName":"Like","reactionContentUrl":null,"createdDateTime":%q,"user":{"application":null,`+
		`"device":null,"user":{"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"4db02e4b-d144-400e-b194-53253a34c5be","displayName":null,`+
		`"userIdentityType":"aadUser"}}}],"retentionHint":{"days":%d,"label":"standard"}}`,
		id, reply, modifiedNumber(at), created, modified, n%7, n%11, tenant, sentence, modified, 30+n%3)
}

func modifiedNumber(at time.Time) int64 { return at.Add(1500 * time.Millisecond).UnixMilli() }

// page is page n of the chain; base is the address that its link begins with.
func page(base string, n int) []byte {
	var b strings.Builder
	b.WriteString(`{"@odata.context":"` + base + `/v1.0/$metadata#Collection(chatMessage)","@odata.count":50,`)
	if n+1 < pageCount {
		fmt.Fprintf(&b, `"@odata.nextLink":"%s/v1.0/users/%s/chats/getAllMessages?$top=50&$skiptoken=%d",`, base, user, n+1)
	}
	b.WriteString(`"value":[`)
	for i := range pageRows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(record(n*pageRows + i))
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}
