package e2e_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/config"
)

// guardedOwners is a gateway whose callers read what is their own.
func guardedOwners(t *testing.T, simulator graphsim.Config) *guarded {
	t.Helper()
	return guardOver(t, simulator, func(settings *config.Settings) {
		settings.PolicyFile = filepath.Join("..", "..", "docs", "policies", "entra-app-roles.yaml")
	})
}

// fetch asks REST for an answer that must be 200.
func (g *guarded) fetch(t *testing.T, token, path string, into proto.Message) {
	t.Helper()
	status, reason, body := g.ask(t, token, path)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s %.300s", path, status, reason, body)
	}
	if err := protojson.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%s: %v in %.300s", path, err, body)
	}
}

// conversations connects over gRPC.
func (g *guarded) conversations(t *testing.T) parleyv1.ConversationServiceClient {
	t.Helper()
	return parleyv1.NewConversationServiceClient(dialGRPC(t, g.grpc))
}

// TestNotesToOneself: the thread 48:notes is every user's under one id and no chat, and messages of two users have the same ids
// there. Each owner reads their own, by every way there is, and nobody else's.
func TestNotesToOneself(t *testing.T) {
	t.Parallel()
	g := guardedOwners(t, graphsim.Config{Users: 8, Chats: 20, Messages: 300, Interactions: 20, Calls: 10, Days: 10, Notes: 2})
	users := slices.Collect(g.sim.Oracle("").Users())
	uids := map[string]string{} // by whom
	for i, user := range users[:2] {
		var want []string
		for r := range g.sim.Oracle("").Notes(user.ID, time.Time{}, time.Time{}) {
			want = append(want, r.ID)
		}
		slices.Sort(want)
		if len(want) < 3 {
			t.Fatalf("%d notes", len(want))
		}
		token := g.token(t, graphsim.CallerToken{User: user.ID})
		name := "users/" + user.ID + "/conversations/48:notes"
		var thread parleyv1.Conversation
		g.fetch(t, token, "/v1/"+name, &thread)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		overGRPC, err := g.conversations(t).GetConversation(ctx, &parleyv1.GetConversationRequest{Name: name})
		if err != nil || !proto.Equal(overGRPC, &thread) {
			t.Errorf("gRPC: %v, %v, want %v", overGRPC, err, &thread)
		}
		if m := thread.GetMembers(); len(m) != 1 || m[0].GetUserId() != user.ID || thread.GetName() != name || thread.GetChatId() != "48:notes" {
			t.Errorf("thread %v", &thread)
		}
		uids[thread.GetUid()] = user.ID

		var page parleyv1.ListEventsResponse
		g.fetch(t, token, "/v1/"+name+"/events?pageSize=1000", &page)
		streamed, summary := g.streamed(t, token, "/v1/"+name+"/events:stream")
		listed, err := g.dial(t).ListEvents(ctx, &parleyv1.ListEventsRequest{Parent: name, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var exported []*parleyv1.Event
		all, _ := g.streamed(t, token, "/v1/users/me/events:stream?sources=SOURCE_CHAT")
		for _, e := range all {
			if e.GetConversation() == name {
				exported = append(exported, e)
			}
		}
		for how, events := range map[string][]*parleyv1.Event{"list": page.GetEvents(), "stream": streamed, "gRPC": listed.GetEvents(), "export": exported} {
			ids := make([]string, 0, len(events))
			for _, e := range events {
				ids = append(ids, e.GetSource().GetId())
				if owner := uids[e.GetUid()]; owner != "" && owner != user.ID || e.GetConversation() != name {
					t.Errorf("%s: %s in %s has the uid of one of %s's", how, e.GetName(), e.GetConversation(), owner)
				}
				uids[e.GetUid()] = user.ID
			}
			if slices.Sort(ids); !slices.Equal(ids, want) {
				t.Errorf("%s: %q, want %q", how, ids, want)
			}
		}
		if !page.GetComplete() || !summary.GetComplete() || !listed.GetComplete() {
			t.Errorf("complete: %v %v %v", page.GetComplete(), summary.GetComplete(), listed.GetComplete())
		}
		if len(page.GetEvents()) == 0 {
			t.Fatalf("%s has no notes", user.ID)
		}
		var event parleyv1.Event
		if g.fetch(t, token, "/v1/"+page.GetEvents()[0].GetName(), &event); event.GetUid() != page.GetEvents()[0].GetUid() {
			t.Errorf("event %v", &event)
		}
		if both := slices.ContainsFunc(g.list(t, token, "/v1/users/me/conversations?pageSize=100").Conversations, func(c chat) bool { return c.ChatID == "48:notes" }); both {
			t.Error("notes are listed among the chats")
		}
		other := users[1-i].ID
		for _, path := range []string{"/conversations/48:notes", "/conversations/48:notes/events", "/events/chat,48:notes," + want[0]} {
			if status, reason, _ := g.ask(t, token, "/v1/users/"+other+path); status != http.StatusForbidden || reason != "POLICY_DENIED" {
				t.Errorf("another's %s: %d %s", path, status, reason)
			}
		}
	}
	if len(uids)%2 != 0 {
		t.Errorf("%d digests for two users", len(uids))
	}
	without := g.token(t, graphsim.CallerToken{User: users[3].ID})
	for _, path := range []string{"/conversations/48:notes", "/conversations/48:notes/events", "/conversations/48:nothing", "/events/chat,48:notes,1"} {
		if status, reason, body := g.ask(t, without, "/v1/users/me"+path); status != http.StatusNotFound || reason != "NOT_FOUND" {
			t.Errorf("no notes: %s: %d %s %.200s", path, status, reason, body)
		}
	}
}

func (g *guarded) streamed(t *testing.T, token, path string) ([]*parleyv1.Event, *parleyv1.Summary) {
	t.Helper()
	var events []*parleyv1.Event
	var summary *parleyv1.Summary
	status, reason, body := g.ask(t, token, path)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s %.300s", path, status, reason, body)
	}
	for line := range strings.Lines(body) {
		var frame parleyv1.StreamEventsResponse
		if err := protojson.Unmarshal([]byte(line), &frame); err != nil {
			t.Fatalf("%v in %.300s", err, line)
		}
		events = append(events, frame.GetBatch().GetEvents()...)
		if s := frame.GetSummary(); s != nil {
			summary = s
		}
	}
	return events, summary
}

// TestMembersAreOneProofOfSeveral: Graph gives a user's chat and its messages and refuses its members to the application, or
// gives the members and not the chat: the conversation, its events and each of them can be read, and a notice says what lacks.
// When it fails for a moment nobody is told that they are not a member, and members decide where they can be read.
func TestMembersAreOneProofOfSeveral(t *testing.T) {
	t.Parallel()
	refused := func(match string) faults.Fault {
		return faults.Fault{Match: match, Kind: faults.Status, Status: http.StatusForbidden, Code: "Forbidden", Message: "AclCheckFailed-The initiator is not a member of the roster"}
	}
	for name, c := range map[string]struct {
		faults  []faults.Fault
		status  int
		notice  string
		members bool
	}{
		"honest":              {status: http.StatusOK, members: true},
		"members refused":     {faults: []faults.Fault{refused("/members")}, status: http.StatusOK, notice: "MEMBERS_NOT_READ"},
		"chat refused":        {faults: []faults.Fault{{Match: graphsim.SourceChats, Kind: faults.Status, Status: http.StatusForbidden, Code: "Forbidden", Times: 1}}, status: http.StatusOK, notice: "CHAT_NOT_READ", members: true},
		"members unavailable": {faults: []faults.Fault{{Match: "/members", Kind: faults.Status}}, status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guardedOwners(t, graphsim.Config{Users: 8, Chats: 20, Messages: 300, Interactions: 20, Calls: 10, Days: 10})
			users := slices.Collect(g.sim.Oracle("").Users())
			user, foreign := users[1], ""
			own := slices.Collect(g.sim.Oracle("").Chats(user.ID))
			for id := range g.sim.Oracle("").Chats(users[2].ID) {
				if !slices.Contains(own, id) {
					foreign = id
				}
			}
			if len(own) == 0 || foreign == "" {
				t.Fatal("no chats")
			}
			message := ""
			for r := range g.sim.Oracle("").ChatMessages(own[0], time.Time{}, time.Time{}) {
				message = r.ID
			}
			if err := g.sim.SetFaults(c.faults); err != nil {
				t.Fatal(err)
			}
			token := g.token(t, graphsim.CallerToken{User: user.ID})
			one := "/v1/users/me/conversations/" + own[0]
			status, reason, body := g.ask(t, token, one)
			if status != c.status {
				t.Fatalf("%d %s %.300s", status, reason, body)
			}
			if c.status != http.StatusOK {
				if reason != "GRAPH_UNAVAILABLE" {
					t.Errorf("%s %.300s", reason, body)
				}
				return
			}
			var found parleyv1.Conversation
			if err := protojson.Unmarshal([]byte(body), &found); err != nil {
				t.Fatal(err)
			}
			told := ""
			for _, n := range found.GetNotices() {
				told = n.GetCode()
			}
			if told != c.notice || (len(found.GetMembers()) > 0) != c.members || found.GetName() != "users/"+user.ID+"/conversations/"+own[0] {
				t.Errorf("conversation %v", &found)
			}
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
			if _, err := g.conversations(t).GetConversation(ctx, &parleyv1.GetConversationRequest{Name: found.GetName(), View: 1}); err != nil {
				t.Errorf("gRPC: %v", err)
			}
			var page parleyv1.ListEventsResponse
			if g.fetch(t, token, one+"/events", &page); len(page.GetEvents()) == 0 {
				t.Error("no events")
			}
			if events, summary := g.streamed(t, token, one+"/events:stream"); len(events) == 0 || !summary.GetComplete() {
				t.Errorf("stream: %d events, %v", len(events), summary)
			}
			g.fetch(t, token, "/v1/users/me/events/chat,"+own[0]+","+message, &parleyv1.Event{})
			for _, path := range []string{"/conversations/" + foreign, "/conversations/" + foreign + "/events", "/events/chat," + foreign + ",1"} {
				if status, reason, _ := g.ask(t, token, "/v1/users/me"+path); status != http.StatusNotFound {
					t.Errorf("another's chat: %s: %d %s", path, status, reason)
				}
			}
		})
	}
}
