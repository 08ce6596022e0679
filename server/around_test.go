package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// anchors has the events that lists are around: messages of one chat, a call and an interaction.
func anchors(owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	if ref.ID == "gone" || user != annaID && owner != "-" {
		return nil, &graph.Error{Kind: graph.KindNotFound, Status: http.StatusNotFound}
	}
	event := &parleyv1.Event{Name: "users/" + owner + "/events/x", EventTime: timestamppb.New(noon), Body: &parleyv1.Body{Content: "canary"}}
	if ref.Chat != "" {
		event.Conversation = "users/" + owner + "/conversations/" + ref.Chat
	}
	return event, nil
}

// TestAListAroundAnEventReadsItsTimeFirst: a list around an event asks the engine for the time of the event, which is read first, and the refusals name the field.
func TestAListAroundAnEventReadsItsTimeFirst(t *testing.T) {
	h := start(t, nil)
	h.getEvent = anchors
	message, below := anna+"/events/chat,"+chatID+",1", anna+"/conversations/"+chatID
	asked := func(name string, change func(*query.Events)) askedAround {
		return askedAround{walk(change), query.Anchor{Name: name, Time: noon}}
	}
	inChat := func(r *query.Events) { r.Conversation, r.Sources = chatID, everySource }
	for _, tt := range []apiCase{
		{name: "a message", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: message}, asked: asked(message, nil), size: 50},
		{name: "below its chat", rpc: &parleyv1.ListEventsRequest{Parent: below, Around: message, PageSize: 7}, asked: asked(message, inChat), size: 7},
		{
			name: "a user principal name", rpc: &parleyv1.ListEventsRequest{Parent: "users/" + annaUPN, Around: strings.Replace(message, annaID, annaUPN, 1)},
			asked: asked(message, nil), size: 50,
		},
		{name: "an id below a user principal name", rpc: &parleyv1.ListEventsRequest{Parent: "users/" + annaUPN, Around: message}, asked: asked(message, nil), size: 50},
		{
			name: "a call of the tenant", rpc: &parleyv1.ListEventsRequest{Parent: "users/-", Around: "users/-/events/call,1"},
			asked: asked("users/-/events/call,1", func(r *query.Events) { r.Owner, r.User = "-", "" }), size: 50,
		},
		{
			name: "another source", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: message, Sources: []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT}},
			asked: asked(message, func(r *query.Events) { r.Sources = []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT} }), size: 50,
		},
		{
			name: "behind a token", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: anna + "/events/chat," + chatID + ",gone", PageToken: "tok"},
			asked: askedAround{walk(nil), query.Anchor{Name: anna + "/events/chat," + chatID + ",gone"}}, token: "tok", size: 50,
		},
		{name: "one that is gone", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: anna + "/events/chat," + chatID + ",gone"}, code: codes.NotFound},
		{name: "a call that Graph has no more", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: anna + "/events/call,gone"}, code: codes.NotFound},
		{name: "another user's", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: "users/" + carlaID + "/events/call,1"}, code: codes.NotFound},
		{name: "another user's behind a token", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: "users/" + carlaID + "/events/call,1", PageToken: "tok"}, code: codes.NotFound},
		{name: "of the tenant", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: "users/-/events/call,1"}, code: codes.NotFound},
		{name: "of another chat", rpc: &parleyv1.ListEventsRequest{Parent: below, Around: anna + "/events/chat,19:other@thread.v2,1"}, code: codes.NotFound},
		{name: "a call that is not the chat's", rpc: &parleyv1.ListEventsRequest{Parent: below, Around: anna + "/events/call,1"}, code: codes.NotFound},
		{name: "no name", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: anna}, code: codes.InvalidArgument},
		{name: "no event", rpc: &parleyv1.ListEventsRequest{Parent: anna, Around: anna + "/events/mail,1"}, code: codes.InvalidArgument},
		{name: "a message of the tenant", rpc: &parleyv1.ListEventsRequest{Parent: "users/-", Around: "users/-/events/chat," + chatID + ",1"}, code: codes.InvalidArgument},
		{name: "by creation", rpc: &parleyv1.ListEventsRequest{Parent: below, Around: message, OrderBy: "create_time desc"}, code: codes.InvalidArgument, field: "order_by"},
	} {
		if tt.code != codes.OK {
			tt.http, tt.reason = map[codes.Code]int{codes.NotFound: 404, codes.InvalidArgument: 400}[tt.code], map[codes.Code]string{codes.NotFound: "NOT_FOUND", codes.InvalidArgument: "INVALID_ARGUMENT"}[tt.code]
			if tt.field == "" {
				tt.field = "around"
			}
		}
		t.Run(tt.name, func(t *testing.T) {
			checkStatus(t, tt, call(t.Context(), h, tt.rpc))
			checkAsked(t, h, tt)
			text := checkAnswer(t, tt, h.get(t, restOf(t, tt.rpc)), "application/json")
			checkAsked(t, h, tt)
			if strings.Contains(text, "canary") {
				t.Errorf("the answer tells more of the event than its time: %s", text)
			}
		})
	}
	text := body(t, h.get(t, "/v1/"+anna+"/events:stream?around="+url.QueryEscape(message)))
	if !strings.Contains(text, "INVALID_ARGUMENT") || !strings.Contains(text, "around") {
		t.Errorf("a stream around an event: %s", text)
	}
}

// restOf is the path of a request for events.
func restOf(t *testing.T, request any) string {
	t.Helper()
	req, ok := request.(*parleyv1.ListEventsRequest)
	if !ok {
		t.Fatalf("%T", request)
	}
	values := url.Values{"around": {req.GetAround()}}
	for name, value := range map[string]string{"pageToken": req.GetPageToken(), "order_by": req.GetOrderBy()} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if req.GetPageSize() > 0 {
		values.Set("pageSize", "7")
	}
	for _, src := range req.GetSources() {
		values.Add("sources", src.String())
	}
	return "/v1/" + req.GetParent() + "/events?" + values.Encode()
}

// TestTheTimeOfAnEventNeedsItsSource: the time of an event is told to those alone who may read its source, and the view METADATA suffices.
func TestTheTimeOfAnEventNeedsItsSource(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, nil)
	g.getEvent = anchors
	chats, calls := "/v1/users/"+annaID+"/events?sources=SOURCE_CHAT&around=", "users/"+annaID+"/events/call,1"
	inChat := "/v1/users/" + annaID + "/conversations/" + chatID + "/events?around="
	message := url.QueryEscape("users/" + annaID + "/events/chat," + chatID + ",1")
	check := func(name, caller, path string, want int) {
		t.Helper()
		if resp := g.get(t, path, "Authorization", "Bearer "+caller); resp.StatusCode != want {
			t.Errorf("%s: HTTP %d, want %d: %s", name, resp.StatusCode, want, body(t, resp))
		}
	}
	check("a dashboard", "dashboard", chats+message+"&view=EVENT_VIEW_METADATA", http.StatusOK)
	check("a dashboard that names no view", "dashboard", chats+message, http.StatusForbidden)
	check("the owner, by me", "owner", "/v1/users/me/events?around="+url.QueryEscape("users/me/events/chat,"+chatID+",1"), http.StatusOK)
	check("the owner, around somebody else's", "owner", "/v1/users/me/events?around="+url.QueryEscape("users/"+carlaID+"/events/call,1"), http.StatusNotFound)
	g.records.take(t)
	check("a call beside messages", "owner", chats+calls, http.StatusOK)
	records := g.records.take(t)
	if diff := cmp.Diff([]string{"chat", "call"}, records[0].Sources); diff != "" {
		t.Errorf("the sources of the record (-want +got):\n%s", diff)
	}

	g.write(t, "rules:\n  - name: chats\n    match: {scope: Conversations.Read}\n    allow: {rpcs: [ListEvents], sources: [chat], view: full, users: own}\n")
	g.pass(time.Minute)
	check("chats alone", "owner", chats+message, http.StatusOK)
	check("a call where chats alone may be read", "owner", chats+calls, http.StatusForbidden)
	check("a message of the chat", "owner", inChat+message, http.StatusOK)
	check("a call below the chat", "owner", inChat+calls, http.StatusNotFound)
}
