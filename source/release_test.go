package source_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/source"
)

// TestItemsOutliveTheirPage reads pages one after another, whose bodies share their arrays, and holds that no event of an
// earlier page changes: of usual records, and of those that need a message (equal names, escapes in names).
func TestItemsOutliveTheirPage(t *testing.T) {
	t.Parallel()
	record := func(page, n int) string {
		letter := string(rune('a' + page))
		unusual := ""
		if n%2 == 1 {
			unusual = `,"\u006docked":"` + strings.Repeat(letter, 20) + `","twice":1,"twice":"` + letter + `"`
		}
		return fmt.Sprintf(`{"id":"%s%d","sessionId":"%s","chatId":"19:%s@thread.v2","createdDateTime":"2024-11-20T10:00:0%dZ",`+
			`"lastModifiedDateTime":"2024-11-20T10:00:01Z","startDateTime":"2024-11-20T10:00:01Z","type":"groupCall","body":{"contentType":"html",`+
			`"content":"<p>%s</p>"},"hostedContents":[{"id":"%s","contentBytes":"%s"}],"futureHint":{"label":"%s"},"attachments":[{"id":"1",`+
			`"contentType":"reference","name":"%s"}]%s}`,
			letter, n, strings.Repeat(letter, 9), strings.Repeat(letter, 32), page, strings.Repeat(letter, 300), letter,
			strings.Repeat(strings.ToUpper(letter), 40), strings.Repeat(letter, 30), letter, unusual)
	}
	asked := 0
	_, client := newUpstream(t, func(string) reply {
		page := asked % 20
		asked++
		return reply{body: `{"value":[` + record(page, 0) + `,` + record(page, 1) + `,` + record(page, 2) + `]}`}
	})
	for name, reader := range map[string]source.EventReader{
		"chat":    source.NewChat(client, source.Options{}),
		"copilot": source.NewCopilot(client, source.Options{}),
		"call":    source.NewCall(client, source.Options{}),
	} {
		type kept struct {
			item source.Item
			copy []byte
		}
		all := make([]kept, 0, 60)
		bytesOf := func(i *source.Item) []byte { return fmt.Append(nil, i.Key, i.Basic, i.Unmapped) }
		for range 20 {
			page, err := reader.Events(t.Context(), source.EventQuery{Owner: "-", User: userID, Start: start, End: end}, "")
			if err != nil {
				t.Fatal(name, err)
			}
			if len(page.Items) != 3 {
				t.Fatalf("%s: %d items", name, len(page.Items))
			}
			for i := range page.Items {
				all = append(all, kept{page.Items[i], bytesOf(&page.Items[i])})
			}
		}
		for i := range all {
			if !bytes.Equal(all[i].copy, bytesOf(&all[i].item)) {
				t.Fatalf("%s: event %d changed after it was read", name, i)
			}
		}
	}
}
