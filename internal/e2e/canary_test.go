package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	groupChat = "19:0123456789abcdef0123456789abcdef@thread.v2"
	callAlone = "call:c1" // the conversation of the fixture's call
)

// aCanary is a text that somebody wrote; every @@ in a fixture becomes another one.
var aCanary = regexp.MustCompile(`canary-\d+`)

// canaries replaces each @@ and counts them.
type canaries struct{ count int }

func (c *canaries) set(record string) string {
	parts := strings.Split(record, "@@")
	var out strings.Builder
	for i, part := range parts {
		out.WriteString(part)
		if i < len(parts)-1 {
			c.count++
			fmt.Fprintf(&out, "canary-%d", c.count)
		}
	}
	return out.String()
}

// writtenFixture holds text in every place where Graph lets people, Copilot or administrators write it.
func writtenFixture() (*fixture, int) {
	c := &canaries{}
	const undeclared = `,"@@":"@@","future":{"@@":["@@",{"a":"@@"}]}`
	content := `"body":{"contentType":"html","content":"<p>@@ <a href=\"https://x.example/@@\" title=\"@@\">@@</a> <at id=\"0\">@@</at> <img alt=\"@@\"></p><attachment id=\"a\"></attachment>"` + undeclared + `},` +
		`"attachments":[{"id":"a","contentType":"application/vnd.microsoft.card.adaptive","name":"@@","contentUrl":"https://x.example/@@","thumbnailUrl":"https://x.example/@@",` +
		`"content":"{\"type\":\"AdaptiveCard\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"@@\"},{\"type\":\"FactSet\",\"facts\":[{\"title\":\"@@\",\"value\":\"@@\"}]}]}"` + undeclared + `},` +
		`{"id":"b","contentType":"messageReference","content":"{\"messagePreview\":\"@@\"}"}],` +
		`"mentions":[{"id":0,"mentionText":"@@","mentioned":{"user":{"id":"u"` + undeclared + `}}},{"id":1,"mentionText":"@@","mentioned":{"conversation":{"id":"c","displayName":"@@","conversationIdentityType":"chat"}}},` +
		`{"id":2,"mentioned":{"tag":{"id":"t","displayName":"@@"}}}]`
	const times = `"createdDateTime":"{time}","lastModifiedDateTime":"{time}"`
	message := func(id, hours, more string) string {
		at := strings.ReplaceAll(times, "{time}", hours)
		return c.set(`{"id":"` + id + `","chatId":"` + groupChat + `","messageType":"message",` + at + `,"subject":"@@","summary":"@@","webUrl":"https://x.example/@@",` + content + more + `}`)
	}
	detail := func(kind, more string) string {
		return `,"messageType":"systemEventMessage","eventDetail":{"@odata.type":"#microsoft.graph.` + kind + `EventMessageDetail",` + more + undeclared + `}`
	}
	messages := []string{
		message("1", ago(9), `,"reactions":[{"reactionType":"custom","displayName":"@@","reactionContentUrl":"https://x.example/@@","user":{"user":{"id":"u"`+undeclared+`}}}],`+
			`"policyViolation":{"justificationText":"@@","policyTip":{"generalText":"@@","complianceUrl":"https://x.example/@@","matchedConditionDescriptions":["@@","@@"]}},`+
			`"hostedContents":[{"id":"h","contentType":"image/png"`+undeclared+`}],`+
			`"from":{"user":{"id":"u","displayName":"Ada","userPrincipalName":"@@","userIdentityType":"aadUser"`+undeclared+`}}`+undeclared),
		message("2", ago(8), detail("chatRenamed", `"chatDisplayName":"@@"`)),
		message("3", ago(8), detail("channelDescriptionUpdated", `"channelDescription":"@@"`)),
		message("4", ago(8), detail("channelAdded", `"channelDisplayName":"@@"`)),
		message("5", ago(8), detail("teamCreated", `"teamDisplayName":"@@","teamDescription":"@@"`)),
		message("6", ago(8), detail("teamsAppInstalled", `"teamsAppDisplayName":"@@"`)),
		message("7", ago(8), detail("callRecording", `"callRecordingDisplayName":"@@","callRecordingUrl":"https://x.example/@@"`)),
		message("8", ago(8), detail("brandNew", `"what":"@@"`)),
	}
	prompt := c.set(`{"id":"61","etag":"61","createdDateTime":"` + ago(7) + `","interactionType":"aiResponse","sessionId":"` + session + `","requestId":"r","appClass":"IPM.SkypeTeams.Message.Copilot.Word",` +
		strings.ReplaceAll(strings.ReplaceAll(content, `"id":"a"`, `"attachmentId":"a"`), `"id":"b"`, `"attachmentId":"b"`) +
		`,"contexts":[{"contextType":"Doc","contextReference":"https://x.example/@@","displayName":"@@"` + undeclared + `}],` +
		`"links":[{"linkType":"File","linkUrl":"https://x.example/@@","displayName":"@@"` + undeclared + `}]` + undeclared + `}`)
	record := c.set(`{"id":"c1","version":3,"type":"groupCall","startDateTime":"` + ago(6) + `","endDateTime":"` + ago(5) + `","joinWebUrl":"https://teams.microsoft.com/l/@@"` + undeclared + `}`)
	whole := c.set(`{"id":"c1","version":3,"type":"groupCall","startDateTime":"` + ago(6) + `","endDateTime":"` + ago(5) + `","sessions":[{"id":"s","failureInfo":{"reason":"@@"},` +
		`"caller":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint","associatedIdentity":{"id":"` + reader + `"},"name":"@@","cpuName":"@@","feedback":{"text":"@@","rating":"poor","tokens":{"@@":true}},"userAgent":{"headerValue":"@@"` + undeclared + `}},` +
		`"segments":[{"id":"g","media":[{"label":"main-audio","callerNetwork":{"ipAddress":"@@","dnsSuffix":"@@","macAddress":"@@","wifiVendorDriver":"@@"` + undeclared + `},"callerDevice":{"captureDeviceName":"@@","renderDeviceDriver":"@@"},"streams":[{"streamId":"1"` + undeclared + `}]}]` + undeclared + `}]}]}`)
	chat := c.set(`{"id":"` + groupChat + `","chatType":"meeting","topic":"@@","webUrl":"https://x.example/@@","onlineMeetingInfo":{"joinWebUrl":"https://x.example/@@"},` +
		`"lastMessagePreview":{"id":"1","createdDateTime":"` + ago(9) + `","messageType":"systemEventMessage","body":{"contentType":"html","content":"@@"},"eventDetail":{"@odata.type":"#microsoft.graph.chatRenamedEventMessageDetail","chatDisplayName":"@@"}` + undeclared + `}` + undeclared + `}`)
	members := c.set(`{"value":[{"id":"m","userId":"` + reader + `","displayName":"Ada","email":"@@"` + undeclared + `}]}`)
	person := c.set(`{"id":"` + reader + `","displayName":"@@","userPrincipalName":"@@","department":"Sales","jobTitle":"@@","country":"Japan","userType":"@@"}`)
	userFields := "?$select=" + strings.ReplaceAll("id,displayName,userPrincipalName,department,jobTitle,country,accountEnabled,userType,assignedPlans", ",", "%2C")
	users := "/users/" + reader + "/chats"
	escaped := strings.NewReplacer(":", "%3A", "@", "%40").Replace(groupChat)
	f := &fixture{
		rows: map[string][]string{
			messagesPath: messages, users + "/" + groupChat + "/messages": messages, interactionsPath: {prompt}, callsPath: {record}, users: {chat},
		},
		fixed: map[string]string{
			"/users/" + reader + userFields: person, "/users" + userFields + "&$top=999": `{"value":[` + person + `]}`,
			users + "/" + escaped: chat, users + "/" + escaped + "/members": members,
			callsPath + "/c1?$expand=sessions%28%24expand%3Dsegments%29": whole,
			callsPath + "/c1/participants_v2":                            `{"value":[{"id":"` + reader + `","identity":{"user":{"id":"` + reader + `"}}}]}`,
		},
	}
	for _, row := range messages {
		id, _, _ := strings.Cut(strings.TrimPrefix(row, `{"id":"`), `"`)
		f.fixed[users+"/"+escaped+"/messages/"+id] = row
	}
	return f, c.count
}

// TestMetadataHoldsNoCanary reads everything by every method over both faces: in the view FULL every text is there, in the
// view METADATA none, by no path.
func TestMetadataHoldsNoCanary(t *testing.T) {
	t.Parallel()
	full, metadata := parleyv1.EventView_EVENT_VIEW_FULL, parleyv1.EventView_EVENT_VIEW_METADATA
	for _, tc := range []struct {
		name string
		view parleyv1.EventView
		read func(*tenantUnderTest, *testing.T, parleyv1.EventView) map[string]string
	}{
		{"REST full", full, (*tenantUnderTest).everythingREST},
		{"REST metadata", metadata, (*tenantUnderTest).everythingREST},
		{"gRPC full", full, (*tenantUnderTest).everythingGRPC},
		{"gRPC metadata", metadata, (*tenantUnderTest).everythingGRPC},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, count := writtenFixture()
			found, rated := map[string]bool{}, false
			for method, answer := range tc.read(overFixture(t, f, nil), t, tc.view) {
				if len(answer) < 50 {
					t.Errorf("%s answers next to nothing: %q", method, answer)
				}
				rated = rated || strings.Contains(answer, `"quality":`) // of a call: it names devices and ratings
				for _, text := range aCanary.FindAllString(answer, -1) {
					if found[text] = true; tc.view == metadata {
						t.Errorf("%s tells %s", method, text)
					}
				}
			}
			if rated != (tc.view == full) {
				t.Errorf("the quality of a call is there: %t", rated)
			}
			for i := 1; i <= count && tc.view == full; i++ {
				if text := fmt.Sprintf("canary-%d", i); !found[text] {
					t.Errorf("%s is lost", text)
				}
			}
		})
	}
}

// everythingREST asks for all by every path and returns the bodies.
func (g *tenantUnderTest) everythingREST(t *testing.T, view parleyv1.EventView) map[string]string {
	t.Helper()
	user, answers := "/v1/users/"+reader, map[string]string{}
	suffix := "view=" + view.String()
	ask := func(path, accept string) {
		answers[accept+" "+path] = string(g.read(t, path, accept))
	}
	var page parleyv1.ListEventsResponse
	if status, body := g.get(t, user+"/events?startTime="+day(2), &page); status != http.StatusOK || len(page.GetEvents()) != 10 {
		t.Fatalf("HTTP %d, %d events %.500s", status, len(page.GetEvents()), body)
	}
	for _, e := range oneOfEach(page.GetEvents()) {
		ask("/v1/"+e.GetName()+"?"+suffix, "application/json")
		ask(user+"/events?startTime="+day(2)+"&around="+url.QueryEscape(e.GetName())+"&"+suffix, "application/json")
	}
	for _, path := range []string{"/events", "/conversations/" + groupChat + "/events", "/conversations/" + session + "/events", "/conversations/" + callAlone + "/events"} {
		ask(user+path+"?startTime="+day(2)+"&"+suffix, "application/json")
		ask(user+path+":stream?startTime="+day(2)+"&"+suffix, "application/x-ndjson")
		ask(user+path+":stream?startTime="+day(2)+"&"+suffix, "text/event-stream")
	}
	const selected = "&fields=name,actor,attachments,mentions,links,source,copilot,chat,system,call"
	ask(user+"/events?startTime="+day(2)+selected+"&"+suffix, "application/json")
	ask(user+"/events:stream?startTime="+day(2)+selected+"&"+suffix, "application/x-ndjson")
	ask(user+"/events?startTime="+day(2)+"&filter="+url.QueryEscape("attachments:* OR actor:* OR kind = EVENT_KIND_SYSTEM")+"&"+suffix, "application/json")
	ask(user+"?"+suffix, "application/json")
	ask("/v1/users?"+suffix, "application/json")
	ask(user+"/conversations?"+suffix, "application/json")
	ask(user+"/conversations:stream?"+suffix, "application/x-ndjson")
	ask(user+"/conversations?"+everyKind+"&startTime="+day(2)+"&"+suffix, "application/json")
	ask(user+"/conversations:stream?"+everyKind+"&startTime="+day(2)+"&"+suffix, "application/x-ndjson")
	for _, id := range []string{groupChat, session, callAlone} {
		ask(user+"/conversations/"+url.PathEscape(id)+"?"+suffix, "application/json")
	}
	return answers
}

// oneOfEach is one event of each source: Graph's budget for one chat is a request a second.
func oneOfEach(events []*parleyv1.Event) []*parleyv1.Event {
	seen := map[parleyv1.Source]bool{}
	var some []*parleyv1.Event
	for _, e := range events {
		if source := e.GetSource().GetSource(); !seen[source] {
			seen[source], some = true, append(some, e)
		}
	}
	return some
}

// everythingGRPC calls every method and returns the answers as JSON and on the wire.
func (g *tenantUnderTest) everythingGRPC(t *testing.T, view parleyv1.EventView) map[string]string {
	t.Helper()
	events, conversations := parleyv1.NewEventServiceClient(g.conn), parleyv1.NewConversationServiceClient(g.conn)
	user, answers := "users/"+reader, map[string]string{}
	keep := func(method string, answer proto.Message, err error) {
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		wire, wireErr := proto.Marshal(answer)
		text, textErr := protojson.Marshal(answer)
		if err := errors.Join(wireErr, textErr); err != nil {
			t.Fatal(err)
		}
		answers[method] += string(wire) + string(text)
	}
	for _, parent := range []string{user, user + "/conversations/" + groupChat, user + "/conversations/" + session, user + "/conversations/" + callAlone} {
		list, err := events.ListEvents(t.Context(), &parleyv1.ListEventsRequest{Parent: parent, View: view, StartTime: timestamp(daysAgo(2))})
		keep("ListEvents "+parent, list, err)
		for _, e := range oneOfEach(list.GetEvents()) {
			whole, err := events.GetEvent(t.Context(), &parleyv1.GetEventRequest{Name: e.GetName(), View: view})
			keep("GetEvent "+e.GetName(), whole, err)
			beside, err := events.ListEvents(t.Context(), &parleyv1.ListEventsRequest{Parent: parent, View: view, StartTime: timestamp(daysAgo(2)), Around: e.GetName()})
			keep("ListEvents around "+e.GetName(), beside, err)
		}
		stream, err := events.StreamEvents(t.Context(), &parleyv1.StreamEventsRequest{Parent: parent, View: view, StartTime: timestamp(daysAgo(2))})
		drain(stream, err, func(frame proto.Message, err error) { keep("StreamEvents "+parent, frame, err) })
	}
	people := parleyv1.NewUserServiceClient(g.conn)
	person, err := people.GetUser(t.Context(), &parleyv1.GetUserRequest{Name: user, View: view})
	keep("GetUser", person, err)
	everybody, err := people.ListUsers(t.Context(), &parleyv1.ListUsersRequest{View: view})
	keep("ListUsers", everybody, err)
	list, err := conversations.ListConversations(t.Context(), &parleyv1.ListConversationsRequest{Parent: user, View: view})
	keep("ListConversations", list, err)
	stream, err := conversations.StreamConversations(t.Context(), &parleyv1.StreamConversationsRequest{Parent: user, View: view})
	drain(stream, err, func(frame proto.Message, err error) { keep("StreamConversations", frame, err) })
	every := []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL}
	list, err = conversations.ListConversations(t.Context(), &parleyv1.ListConversationsRequest{Parent: user, View: view, Sources: every})
	keep("ListConversations of every kind", list, err)
	stream, err = conversations.StreamConversations(t.Context(), &parleyv1.StreamConversationsRequest{Parent: user, View: view, Sources: every})
	drain(stream, err, func(frame proto.Message, err error) { keep("StreamConversations of every kind", frame, err) })
	for _, id := range []string{groupChat, session, callAlone} {
		found, err := conversations.GetConversation(t.Context(), &parleyv1.GetConversationRequest{Name: user + "/conversations/" + id, View: view})
		keep("GetConversation "+id, found, err)
	}
	return answers
}

// drain hands every frame of a stream to keep, and then the error that ends it.
func drain[F any, P interface {
	*F
	proto.Message
}](stream grpc.ServerStreamingClient[F], err error, keep func(proto.Message, error)) {
	for err == nil {
		var frame *F
		if frame, err = stream.Recv(); err == nil {
			keep(P(frame), nil)
		}
	}
	if !errors.Is(err, context.Canceled) {
		keep(nil, err)
	}
}
