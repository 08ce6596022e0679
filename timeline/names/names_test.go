package names_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/names"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	ada   = "aaaaaaaa-0000-4000-8000-000000000001"
	ben   = "bbbbbbbb-0000-4000-8000-000000000002"
	guest = "cccccccc-0000-4000-8000-000000000003"
	chat  = "19:group@thread.v2"
)

// tenant is a directory and chats that count what they are asked.
type tenant struct {
	directory map[string]string
	members   map[string][]*parleyv1.ConversationMember
	err       error

	source.ConversationReader

	asked []string
}

func (s *tenant) Names(_ context.Context, ids []string) (map[string]string, error) {
	s.asked = append(s.asked, fmt.Sprintf("directory %d", len(ids)))
	found := map[string]string{}
	for _, id := range ids {
		if name := s.directory[id]; name != "" {
			found[id] = name
		}
	}
	return found, s.err
}

func (s *tenant) Conversation(_ context.Context, _, _, id string) (*parleyv1.Conversation, error) {
	s.asked = append(s.asked, "chat "+id)
	members, ok := s.members[id]
	if !ok {
		return nil, &graph.Error{Kind: graph.KindNotFound}
	}
	return &parleyv1.Conversation{Members: members}, nil
}

func (s *tenant) sources() query.Sources { return query.Sources{Names: s, Conversations: s} }

func contoso() *tenant {
	return &tenant{
		directory: map[string]string{ada: "Ada", ben: "Ben"},
		members: map[string][]*parleyv1.ConversationMember{chat: {
			{UserId: strings.ToUpper(ada), DisplayName: "Ada (member)"}, {UserId: guest, DisplayName: "Gil"}, {UserId: "x", DisplayName: "X"},
		}},
	}
}

func event(t *testing.T, text string) *parleyv1.Event {
	t.Helper()
	e := &parleyv1.Event{}
	if err := protojson.Unmarshal([]byte(text), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func encoded(t *testing.T, events ...*parleyv1.Event) []byte {
	t.Helper()
	var list []byte
	for _, e := range events {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		list = eventwire.AppendEvent(list, data, nil)
	}
	return list
}

func decoded(t *testing.T, list []byte) []*parleyv1.Event {
	t.Helper()
	batch := &parleyv1.EventBatch{}
	if err := proto.Unmarshal(list, batch); err != nil {
		t.Fatal(err)
	}
	return batch.GetEvents()
}

const (
	prompt = `{"name":"p","source":{"source":"SOURCE_COPILOT"},"actor":{"user":{"mri":"8:orgid:` + ada + `"}},"copilot":{}}`
	note   = `{"name":"n","conversation":"users/u/conversations/` + chat + `","source":{"source":"SOURCE_CHAT","chatId":"` + chat + `"},
		"summary":{"text":"Someone added 2 people to the chat","locale":"en","templateKey":"members_added_chat"},
		"system":{"eventType":"membersAddedEventMessageDetail","initiator":{"user":{"id":"` + ben + `"}},"members":[{"id":"` + guest + `"},{"id":"not an object id"}]}}`
	message = `{"name":"m","source":{"source":"SOURCE_CHAT","chatId":"` + chat + `"},"actor":{"user":{"id":"` + ada + `","displayName":"Ada L."}},
		"chat":{"reactions":[{"reactionType":"like","user":{"user":{"id":"` + strings36 + `"},"application":{"id":"` + ben + `"}}}]}}`
	strings36 = "BBBBBBBB-0000-4000-8000-000000000002"
)

func TestNamesAreFilledIntoAList(t *testing.T) {
	t.Parallel()
	s := contoso()
	filler := names.Filler{Have: s.sources(), Owner: "u", User: "u", View: parleyv1.EventView_EVENT_VIEW_BASIC}
	list, complete, err := filler.List(t.Context(), encoded(t, event(t, prompt), event(t, note), event(t, message)))
	if err != nil || !complete {
		t.Fatalf("complete %v, error %v", complete, err)
	}
	want := []*parleyv1.Event{event(t, prompt), event(t, note), event(t, message)}
	const directory, members = parleyv1.NameSource_NAME_SOURCE_DIRECTORY, parleyv1.NameSource_NAME_SOURCE_MEMBERS
	set := func(identity *parleyv1.Identity, name string, from parleyv1.NameSource) {
		identity.DisplayName, identity.NameSource = name, from
	}
	set(want[0].GetActor().GetUser(), "Ada", directory)
	set(want[1].GetSystem().GetInitiator().GetUser(), "Ben", directory)
	set(want[1].GetSystem().GetMembers()[0], "Gil", members)
	set(want[2].GetChat().GetReactions()[0].GetUser().GetUser(), "Ben", directory)
	want[1].Summary = &parleyv1.EventSummary{
		Text: "Ben added Gil and 1 other to the chat", Locale: "en", TemplateKey: "members_added_chat",
		Arguments: []*parleyv1.EventSummaryArgument{{Name: "initiator", Texts: []string{"Ben"}}, {Name: "members", Texts: []string{"Gil"}, Number: new(int32(2))}},
	}
	if diff := cmp.Diff(want, decoded(t, list), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"directory 3", "chat " + chat}, s.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestMembersOfTheRequestedChatAreReadFirst reads the members of the chat that was asked for first.
func TestMembersOfTheRequestedChatAreReadFirst(t *testing.T) {
	t.Parallel()
	s := contoso()
	filler := names.Filler{Have: s.sources(), Owner: "u", User: "u", Conversation: chat, View: parleyv1.EventView_EVENT_VIEW_FULL}
	e := event(t, note)
	if !filler.Event(t.Context(), e) {
		t.Error("not complete")
	}
	if got := e.GetSummary().GetText(); got != "Ben added Gil and 1 other to the chat" {
		t.Errorf("summary %q", got)
	}
	if diff := cmp.Diff([]string{"chat " + chat, "directory 1"}, s.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestMetadataLeavesTheSummaryTextOut leaves the texts of the summary out.
func TestMetadataLeavesTheSummaryTextOut(t *testing.T) {
	t.Parallel()
	s := contoso()
	filler := names.Filler{Have: s.sources(), Owner: "u", User: "u", View: parleyv1.EventView_EVENT_VIEW_METADATA}
	list, _, err := filler.List(t.Context(), encoded(t, event(t, note)))
	if err != nil {
		t.Fatal(err)
	}
	line := decoded(t, list)[0].GetSummary()
	if line.GetText() != "" || line.GetTemplateKey() == "" || len(line.GetArguments()) != 2 || len(line.GetArguments()[1].GetTexts()) != 0 || line.GetArguments()[1].GetNumber() != 2 {
		t.Errorf("summary %v", line)
	}
}

func TestMissingNamesAreReported(t *testing.T) {
	t.Parallel()
	many := &parleyv1.Event{Detail: &parleyv1.Event_System{System: &parleyv1.SystemDetail{}}}
	for i := range 400 {
		many.GetSystem().Members = append(many.GetSystem().Members, &parleyv1.Identity{Id: fmt.Sprintf("%08d-0000-4000-8000-000000000001", i)})
	}
	chats := make([]*parleyv1.Event, 0, 9)
	for i := range 9 {
		e := event(t, note)
		e.Source.ChatId = fmt.Sprint("19:", i)
		chats = append(chats, e)
	}
	tests := map[string]struct {
		tenant *tenant
		events []*parleyv1.Event
		limit  int
		asked  []string
		named  bool
	}{
		"the directory fails":  {tenant: &tenant{directory: contoso().directory, err: errors.New("down")}, events: []*parleyv1.Event{event(t, prompt)}, asked: []string{"directory 1"}, named: true},
		"too many people":      {tenant: contoso(), events: []*parleyv1.Event{many}, asked: []string{"directory 300"}},
		"too many chats":       {tenant: contoso(), events: chats, asked: []string{"directory 2", "chat 19:0", "chat 19:1", "chat 19:2"}},
		"no room for the name": {tenant: contoso(), events: []*parleyv1.Event{event(t, prompt)}, limit: 1, asked: []string{"directory 1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			filler := names.Filler{Have: test.tenant.sources(), Owner: "u", User: "u", View: parleyv1.EventView_EVENT_VIEW_BASIC, Limit: test.limit}
			before := encoded(t, test.events...)
			list, complete, err := filler.List(t.Context(), before)
			if err != nil || complete {
				t.Errorf("complete %v, error %v", complete, err)
			}
			if diff := cmp.Diff(test.asked, test.tenant.asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if got := decoded(t, list); len(got) != len(test.events) || test.named != (got[0].GetActor().GetUser().GetDisplayName() != "") {
				t.Errorf("events %v", got)
			}
		})
	}
}

// TestEventsWithoutPeopleStayAsTheyAre hands the bytes on as they are, and asks nobody.
func TestEventsWithoutPeopleStayAsTheyAre(t *testing.T) {
	t.Parallel()
	s := contoso()
	filler := names.Filler{Have: s.sources(), View: parleyv1.EventView_EVENT_VIEW_BASIC}
	list := encoded(t, event(t, `{"name":"a","actor":{"user":{"id":"`+ada+`","displayName":"Ada"},"application":{"id":"`+ben+`"}}}`), &parleyv1.Event{Name: "b"})
	got, complete, err := filler.List(t.Context(), list)
	if err != nil || !complete || !bytes.Equal(got, list) || len(s.asked) != 0 {
		t.Errorf("complete %v, error %v, asked %v", complete, err, s.asked)
	}
	if _, _, err := filler.List(t.Context(), []byte{1, 2, 3}); err == nil {
		t.Error("no list of events, and no error")
	}
}
