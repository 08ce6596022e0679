//go:build !race

package source_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// onePage is a Graph that always answers the same page.
type onePage struct {
	source.Graph

	page graphclient.Page
}

func (g *onePage) Page(context.Context, graph.Request) (*graphclient.Page, error) {
	page := g.page
	return &page, nil
}

// messages is a page of chat messages with mentions, a reaction and a property that the contract does not know.
func messages(n int) *onePage {
	g := &onePage{}
	for i := range n {
		id := 1_793_606_400_000 + i
		g.page.Records = append(g.page.Records, fmt.Appendf(nil,
			`{"id":"%d","etag":"%d","messageType":"message","createdDateTime":"2026-11-02T08:00:00.1Z","lastModifiedDateTime":"2026-11-02T08:00:01Z",`+
				`"chatId":"19:0123456789abcdef0123456789abcdef@thread.v2","importance":"normal","locale":"en-us","from":{"application":null,"user":{`+
				`"@odata.type":"#microsoft.graph.teamworkUserIdentity","id":"0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5","displayName":"Ada",`+
				`"userIdentityType":"aadUser"}},"body":{"contentType":"html","content":"<div>%s<\/div>"},"attachments":[],"mentions":[{"id":0,`+
				`"mentionText":"Grace","mentioned":{"user":{"id":"4db02e4b-d144-400e-b194-53253a34c5be"}}}],"reactions":[{"reactionType":"like",`+
				`"createdDateTime":"2026-11-02T08:00:01Z","user":{"user":{"id":"4db02e4b-d144-400e-b194-53253a34c5be"}}}],"futureHint":{"days":30}}`,
			id, id, bytes.Repeat([]byte("<p>A line of <b>text</b>.</p>"), 10)))
	}
	return g
}

// The gates of the cold path: allocations for one chat message with names, digests, plain text and unmapped.
const mostAllocations = 6

func TestAChatMessageHasABoundOfAllocations(t *testing.T) {
	const rows = 50
	reader := source.NewChat(messages(rows), source.Options{Tenant: tenantID})
	q := source.EventQuery{Owner: userID, User: userID, End: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)}
	perPage := math.Inf(1)
	for range 10 { // The least counts: a collection empties the pools, which are then filled anew.
		perPage = min(perPage, testing.AllocsPerRun(20, func() {
			page, err := reader.Events(t.Context(), q, "")
			if err != nil || len(page.Items) != rows || len(page.Items[0].Unmapped) == 0 {
				t.Fatal("no page", err)
			}
		}))
	}
	if perEvent := perPage / rows; perEvent > mostAllocations {
		t.Errorf("%.1f allocations an event, at most %d are allowed", perEvent, mostAllocations)
	}
}

func BenchmarkChatPage(b *testing.B) {
	const rows = 50
	fake := messages(rows)
	reader := source.NewChat(fake, source.Options{Tenant: tenantID})
	q := source.EventQuery{Owner: userID, User: userID, End: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)}
	b.SetBytes(int64(rows * len(fake.page.Records[0])))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := reader.Events(b.Context(), q, ""); err != nil {
			b.Fatal(err)
		}
	}
}
