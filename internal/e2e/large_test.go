package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TestALargeMessageIsCutByName reads a message of 5 MiB: lists and streams cut its texts and name them, GetEvent alone is whole.
func TestALargeMessageIsCutByName(t *testing.T) {
	t.Parallel()
	long := "<p>" + strings.Repeat("a word of many letters and another one ", 5<<20/39) + "</p>"
	message := fmt.Sprintf(`{"id":"1","chatId":%q,"messageType":"message","createdDateTime":%q,"lastModifiedDateTime":%q,"body":{"contentType":"html","content":%q}}`,
		groupChat, ago(3), ago(3), long)
	one := "/users/" + reader + "/chats/" + strings.NewReplacer(":", "%3A", "@", "%40").Replace(groupChat)
	g := overFixture(t, &fixture{
		rows: map[string][]string{messagesPath: {message}},
		fixed: map[string]string{
			one + "/messages/1": message, one + "/members": `{"value":[{"id":"m","userId":"` + reader + `"}]}`,
		},
	}, nil)
	streamed, summary := g.stream(t, "/v1/users/"+reader+"/events:stream?sources=SOURCE_CHAT&startTime="+day(2))
	var list parleyv1.ListEventsResponse
	if status, body := g.get(t, "/v1/users/"+reader+"/events?sources=SOURCE_CHAT&startTime="+day(2), &list); status != http.StatusOK || proto.Size(&list) > 3<<20 || len(body) > 3<<20 {
		t.Fatalf("HTTP %d, %d bytes", status, len(body))
	}
	if !summary.GetComplete() || len(streamed) != 1 || len(list.GetEvents()) != 1 {
		t.Fatalf("%d and %d events, %v", len(streamed), len(list.GetEvents()), summary)
	}
	for how, e := range map[string]*parleyv1.Event{"stream": streamed[0], "list": list.GetEvents()[0]} {
		if e.GetBody().GetContent() == "" || int(e.GetBody().GetContentSize()) != len(long) || !slices.Contains(e.GetTruncatedFields(), "body.content") {
			t.Errorf("%s: %d of %d bytes, cut %v", how, len(e.GetBody().GetContent()), e.GetBody().GetContentSize(), e.GetTruncatedFields())
		}
	}
	whole, err := parleyv1.NewEventServiceClient(g.conn).GetEvent(t.Context(), &parleyv1.GetEventRequest{Name: streamed[0].GetName()}, grpc.MaxCallRecvMsgSize(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	if whole.GetBody().GetContent() != long || len(whole.GetBody().GetPlainText()) != 1<<20 || len(whole.GetTruncatedFields()) != 0 {
		t.Errorf("%d bytes, %d of plain text, cut %v", len(whole.GetBody().GetContent()), len(whole.GetBody().GetPlainText()), whole.GetTruncatedFields())
	}
	var rest parleyv1.Event
	if status, _ := g.get(t, "/v1/"+streamed[0].GetName(), &rest); status != http.StatusOK || rest.GetBody().GetContent() != long {
		t.Errorf("HTTP %d, %d bytes", status, len(rest.GetBody().GetContent()))
	}
}
