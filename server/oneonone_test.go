package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
)

// chatPages are the chats of a user by link, and how often each was asked for.
type chatPages struct {
	*fake

	pages map[string]*source.Page[*parleyv1.Conversation]
	asked map[string]int
}

func (c *chatPages) Conversations(_ context.Context, _ source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	c.asked[link]++
	if page := c.pages[link]; page != nil {
		return page, nil
	}
	return nil, &graph.Error{Kind: graph.KindUnavailable, Status: http.StatusServiceUnavailable}
}

func chatOf(id string, kind parleyv1.ConversationKind, people ...string) *parleyv1.Conversation {
	chat := &parleyv1.Conversation{Name: "users/" + annaID + "/conversations/" + id, ChatId: id, Kind: kind}
	for _, person := range people {
		chat.Members = append(chat.Members, &parleyv1.ConversationMember{UserId: person})
	}
	return chat
}

// TestOneOnOneChat: the conversation of a call between two names the one-on-one chat of exactly these two. Where there is none it names
// nothing; where the chats cannot be read to their end, as when their links lead in a circle, a notice says so.
func TestOneOnOneChat(t *testing.T) {
	t.Parallel()
	const (
		record   = "aaaaaaaa-0000-4000-8000-000000000001"
		other    = "11111111-2222-4333-8444-555555555599"
		oneOnOne = parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE
		ofGroup  = parleyv1.ConversationKind_CONVERSATION_KIND_GROUP
	)
	pair := chatOf("19:pair@unq.gbl.spaces", oneOnOne, "11111111-2222-4333-8444-555555555501", carlaID)
	near := []*parleyv1.Conversation{
		chatOf("19:three@thread.v2", ofGroup, annaID, carlaID, other), chatOf("19:two@thread.v2", ofGroup, annaID, carlaID),
		chatOf("19:other@unq.gbl.spaces", oneOnOne, annaID, other), chatOf("19:alone@unq.gbl.spaces", oneOnOne, annaID),
	}
	page := func(next string, chats ...*parleyv1.Conversation) *source.Page[*parleyv1.Conversation] {
		return &source.Page[*parleyv1.Conversation]{Items: chats, Next: next}
	}
	for name, tc := range map[string]struct {
		people []string
		pages  map[string]*source.Page[*parleyv1.Conversation]
		found  bool
		notice string
		asked  int // pages
	}{
		"on the first page":      {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2", append(near, pair)...)}, found: true, asked: 1},
		"on the second page":     {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2", near...), "2": page("3", pair)}, found: true, asked: 2},
		"none":                   {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2", near...), "2": page("")}, asked: 2},
		"three people":           {people: []string{annaID, carlaID, other}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("", pair)}},
		"somebody without an id": {people: []string{annaID, ""}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("", pair)}},
		"a circle":               {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2", near...), "2": page("3"), "3": page("2")}, notice: "PAGING_LOOP", asked: 3},
		"a page of itself":       {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2"), "2": page("2", near...)}, notice: "PAGING_LOOP", asked: 2},
		"a page that fails":      {people: []string{annaID, carlaID}, pages: map[string]*source.Page[*parleyv1.Conversation]{"": page("2", near...)}, notice: "GRAPH_UNAVAILABLE", asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chats := &chatPages{pages: tc.pages, asked: map[string]int{}}
			h := start(t, func(cfg *server.Config) {
				tenant := cfg.Tenants["contoso"]
				chats.fake, _ = tenant.Sources.Users.(*fake)
				tenant.Sources.Conversations = chats
				cfg.Tenants = map[string]*service.Tenant{"contoso": tenant}
			})
			h.getEvent = func(owner, _ string, ref source.Ref) (*parleyv1.Event, error) {
				detail := &parleyv1.CallDetail{}
				for _, id := range tc.people {
					set := &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: id}}
					if id == "" {
						set = &parleyv1.IdentitySet{Phone: &parleyv1.Identity{Id: "+15550100"}}
					}
					detail.Participants = append(detail.Participants, &parleyv1.CallParticipant{Identity: set})
				}
				return &parleyv1.Event{
					Name: "users/" + owner + "/events/call," + ref.ID, Conversation: "users/" + owner + "/conversations/call:" + ref.ID, EventTime: timestamppb.Now(),
					Detail: &parleyv1.Event_Call{Call: detail},
				}, nil
			}
			call, err := parleyv1.NewConversationServiceClient(h.conn).GetConversation(t.Context(), &parleyv1.GetConversationRequest{Name: "users/" + annaID + "/conversations/call:" + record})
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, notice := range call.GetNotices() {
				codes = append(codes, notice.GetCode())
				if notice.GetMessage() == "" || notice.GetSource() != parleyv1.Source_SOURCE_CONVERSATION {
					t.Errorf("notice %v", notice)
				}
			}
			told := strings.Join(codes, " ")
			if (call.GetOneOnOneChat() == pair.GetName()) != tc.found || call.GetOneOnOneChat() != "" && !tc.found || told != tc.notice {
				t.Errorf("chat %q, notices %q", call.GetOneOnOneChat(), told)
			}
			asked := 0
			for link, times := range chats.asked {
				if asked += times; times != 1 {
					t.Errorf("page %q was asked for %d times", link, times)
				}
			}
			if asked != tc.asked || call.GetActivity().GetCallEvents() != 1 {
				t.Errorf("%s: %v", fmt.Sprint(chats.asked), call)
			}
		})
	}
}
