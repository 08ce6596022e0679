package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	pageRows = 50
	tenant   = "061ea7c2-cc15-418b-bfc0-9f6a7d98011c"
)

// chain is the history of one user: messages at equal distances.
type chain struct {
	name  string
	user  string
	start time.Time
	step  time.Duration
	rows  int
}

// The chains that all measurements read, both settled. The short one, an hour, is the cold path's, and shows what a call
// costs beside its events; the long one, five days in many windows, shows what an event costs.
var (
	short = &chain{
		name: "short", user: "0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5",
		start: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), step: time.Second, rows: 1000,
	}
	long = &chain{
		name: "long", user: "2c0be5f1-6f0b-4d43-9c60-0c5f2a7d1e84",
		start: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), step: 21600 * time.Millisecond, rows: 20000,
	}
)

// end is behind the last message: the short chain takes a part of its hour only.
func (c *chain) end() time.Time {
	return c.start.Add(time.Duration(c.rows) * c.step).Add(59 * time.Minute).Truncate(time.Hour)
}

// changed is how long after its creation a message was changed last.
const changed = 1500 * time.Millisecond

func (c *chain) created(n int) time.Time { return c.start.Add(time.Duration(n) * c.step) }

// between are the messages that were changed last after and before the instants: the first one and the one behind the last.
func (c *chain) between(after, before time.Time) (first, last int) {
	index := func(t time.Time) int { // of the first message changed at t or later
		d := t.Sub(c.start.Add(changed))
		return min(max(int((d+c.step-1)/c.step), 0), c.rows)
	}
	return index(after.Add(1)), index(before)
}

const sentence = `<p>The figures of the second table look odd to me, and the third one has &lt;none&gt; for <b>October</b>&nbsp;&mdash; ` +
	`could you look at <a href=\"https://example.org/reports/2026/10?sheet=2\">the draft</a> before noon? I have put what the regions ` +
	`sent into the folder of the project, beside last year's numbers; Zürich and Malmö are still missing.</p>`

// record is chat message n in the shape that Microsoft Graph documents, with one property that no generation declares.
func (c *chain) record(n int) string {
	at := c.created(n)
	created, modified := at.Format("2006-01-02T15:04:05.000Z"), at.Add(changed).Format("2006-01-02T15:04:05.000Z")
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
		id, reply, at.Add(changed).UnixMilli(), created, modified, n%7, n%11, tenant, sentence, modified, 30+n%3)
}

// page is the page of the messages from first to last that begins at from; base is the address that its link begins with.
func (c *chain) page(base string, first, last, from int) []byte {
	to := min(from+pageRows, last)
	var b strings.Builder
	fmt.Fprintf(&b, `{"@odata.context":"%s/v1.0/$metadata#Collection(chatMessage)","@odata.count":%d,`, base, to-from)
	if to < last {
		fmt.Fprintf(&b, `"@odata.nextLink":"%s/v1.0/users/%s/chats/getAllMessages?$top=50&$skiptoken=%d-%d-%d",`, base, c.user, first, last, to)
	}
	b.WriteString(`"value":[`)
	for i := from; i < to; i++ {
		if i > from {
			b.WriteByte(',')
		}
		b.WriteString(c.record(i))
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}
