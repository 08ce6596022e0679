package source_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
)

// A source asks one API of Microsoft Graph and makes events of its records. The events come encoded, so that they can be
// handed on without being read.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"value":[{
			"id":"1763802000000","chatId":"19:meeting@thread.v2","messageType":"message",
			"createdDateTime":"2026-11-22T09:00:00Z","lastModifiedDateTime":"2026-11-22T09:00:00Z",
			"from":{"user":{"id":"2d3f2c1b-5a0e-4e5c-9d7e-0d7a3d5f1b11","displayName":"Megan"}},
			"body":{"contentType":"html","content":"<p>The <b>budget</b> is ready &amp; waits.</p>"}}]}`)
	}))
	defer server.Close()

	client, err := graphclient.New(graphclient.Config{BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	chat := source.NewChat(client, source.Options{Tenant: "9f4d7a1c-8f0e-4f43-a1ad-1e0d7b3a5c21"})
	const user = "2d3f2c1b-5a0e-4e5c-9d7e-0d7a3d5f1b11"
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	query := source.EventQuery{Owner: user, User: user, Start: day, End: day.AddDate(0, 0, 1)}
	for link, more := "", true; more; {
		page, err := chat.Events(context.Background(), query, link)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, item := range page.Items {
			var event parleyv1.Event
			if err := proto.Unmarshal(item.Basic, &event); err != nil {
				fmt.Println(err)
				return
			}
			fmt.Printf("%s %s: %s\n", item.Time.Format(time.Kitchen), event.GetActor().GetUser().GetDisplayName(), event.GetBody().GetPlainText())
		}
		link, more = page.Next, page.Next != ""
	}
	// Output: 9:00AM Megan: The budget is ready & waits.
}
