package source_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

var (
	aclFailed  = reply{status: http.StatusForbidden, body: `{"error":{"code":"Forbidden","message":"InsufficientPrivileges","innerError":{"code":"1","message":"AclCheckFailed-The initiator is not in the roster"}}}`}
	noThread   = reply{status: http.StatusBadRequest, body: graphError("BadRequest", "The thread is not a ChatThread.")}
	overloaded = reply{status: http.StatusServiceUnavailable, body: graphError("ServiceUnavailable", "")}
	unknown    = reply{status: http.StatusNotFound, body: graphError("NotFound", "")}
	textOf7    = reply{body: `{"id":"7","messageType":"message","createdDateTime":"2024-11-20T10:00:00Z","body":{"contentType":"text","content":"hi"}}`}
)

// TestAChatIsTheUsersByMembersOrByItsPath: members are one proof of several that a chat is a user's. What Graph does not give is not a refusal of the
// user, whichever of the two it is; members that were read to their end decide; trouble that passes decides nothing.
func TestAChatIsTheUsersByMembersOrByItsPath(t *testing.T) {
	t.Parallel()
	chat := reply{body: `{"id":"` + chatID + `","chatType":"meeting","topic":"T"}`}
	for name, tc := range map[string]struct {
		chat, members, next reply
		kind                string // of GetConversation
		event               string // of GetEvent, if it is another
		count               int    // members
		truncated           bool
		notices             []string
	}{
		"both":                             {chat: chat, members: list("", member), kind: "none", count: 1},
		"members refused":                  {chat: chat, members: aclFailed, kind: "none", notices: []string{"MEMBERS_NOT_READ"}},
		"members unknown":                  {chat: chat, members: unknown, kind: "none", notices: []string{"MEMBERS_NOT_READ"}},
		"members not a chat's":             {chat: chat, members: noThread, kind: "none", notices: []string{"MEMBERS_NOT_READ"}},
		"members in a circle":              {chat: chat, members: list("/v1.0/next", stranger), next: list("/v1.0/next", nameless), kind: "none", count: 2, truncated: true, notices: []string{"MEMBERS_NOT_READ"}},
		"members end in a refusal":         {chat: chat, members: list("/v1.0/next", stranger), next: aclFailed, kind: "none", count: 1, truncated: true, notices: []string{"MEMBERS_NOT_READ"}},
		"chat refused":                     {chat: aclFailed, members: list("", stranger, member), kind: "none", count: 2, notices: []string{"CHAT_NOT_READ"}},
		"chat unknown":                     {chat: unknown, members: list("", member), kind: "none", count: 1, notices: []string{"CHAT_NOT_READ"}},
		"chat unknown, members cut":        {chat: unknown, members: list("/v1.0/next", member), next: overloaded, kind: "none", count: 1, truncated: true, notices: []string{"CHAT_NOT_READ"}},
		"not a member":                     {chat: chat, members: list("", stranger), kind: "not found"},
		"no members":                       {chat: chat, members: list(""), kind: "not found"},
		"chat unknown, not a member":       {chat: unknown, members: list("", stranger), kind: "not found"},
		"both unknown":                     {chat: unknown, members: unknown, kind: "not found"},
		"both refused":                     {chat: aclFailed, members: aclFailed, kind: "permission missing"},
		"chat unknown, members refused":    {chat: unknown, members: aclFailed, kind: "not found"},
		"members overloaded":               {chat: chat, members: overloaded, kind: "unavailable"},
		"chat unknown, members overloaded": {chat: unknown, members: overloaded, kind: "unavailable"},
		"chat overloaded, members refused": {chat: overloaded, members: aclFailed, kind: "unavailable"},
		"chat overloaded":                  {chat: overloaded, members: list("", member), kind: "unavailable", event: "none"},
		"members end in trouble":           {chat: chat, members: list("/v1.0/next", stranger), next: overloaded, kind: "unavailable"},
		"a member, then trouble":           {chat: chat, members: list("/v1.0/next", member), next: overloaded, kind: "unavailable", event: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(map[string]reply{
				chatPrefix: tc.chat, chatPrefix + "/members": tc.members, "/v1.0/next": tc.next, chatPrefix + "/messages/7": textOf7,
			}))
			got, err := source.NewConversations(client, options("")).Conversation(t.Context(), userID, userID, chatID)
			if kind := kindOf(t, err); kind != tc.kind {
				t.Fatalf("kind %q, want %q: %v", kind, tc.kind, err)
			}
			if err == nil {
				codes := make([]string, 0, 1)
				for _, n := range got.GetNotices() {
					codes = append(codes, n.GetCode())
				}
				if diff := cmp.Diff(append([]string{}, tc.notices...), codes); diff != "" || len(got.GetMembers()) != tc.count || got.GetMembersTruncated() != tc.truncated {
					t.Errorf("%d members, truncated %v, notices (-want +got): %s", len(got.GetMembers()), got.GetMembersTruncated(), diff)
				}
				if got.GetName() != "users/"+userID+"/conversations/"+chatID || got.GetChatId() != chatID || got.GetUid() == "" || got.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_MEETING {
					t.Errorf("conversation %v", got)
				}
			}
			if tc.event == "" {
				tc.event = tc.kind
			}
			event, err := source.NewChat(client, options("")).Event(t.Context(), userID, userID, source.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: chatID, ID: "7"})
			if kind := kindOf(t, err); kind != tc.event || err == nil && event.GetBody().GetPlainText() != "hi" {
				t.Errorf("event: kind %q, want %q: %v", kind, tc.event, err)
			}
			for _, target := range up.targets() {
				if err != nil && strings.Contains(target, "/messages/") {
					t.Errorf("a request without proof reached %s", target)
				}
			}
		})
	}
}

// TestThreadsThatAreNoChatsAreTheUsersOwn: threads that every user has under one id, and notes that hold their user in it, are read by their
// messages below the user's path alone. Their member is the owner, who is part of every digest where the id does not tell.
func TestThreadsThatAreNoChatsAreTheUsersOwn(t *testing.T) {
	t.Parallel()
	const other = "11111111-2222-4333-8444-555555555555"
	plain := strings.ReplaceAll(userID, "-", "")
	for name, tc := range map[string]struct {
		thread string
		answer reply
		own    bool // it is read as a thread that is no chat
		kind   string
	}{
		"notes":                      {thread: "48:notes", answer: list("", textOf7.body), own: true, kind: "none"},
		"empty notes":                {thread: "48:notes", answer: list(""), own: true, kind: "none"},
		"saved":                      {thread: "48:saved", answer: list("", textOf7.body), own: true, kind: "none"},
		"calls":                      {thread: "48:calllogs", answer: list(""), own: true, kind: "none"},
		"one that Graph knows not":   {thread: "48:nothing", answer: noThread, own: true, kind: "not found"},
		"an unknown user":            {thread: "48:notes", answer: unknown, own: true, kind: "not found"},
		"overloaded":                 {thread: "48:notes", answer: overloaded, own: true, kind: "unavailable"},
		"notes under an own id":      {thread: "19:notes_" + userID + "@thread.v2", answer: list("", textOf7.body), own: true, kind: "none"},
		"notes under a longer id":    {thread: "19:x-y_notes_" + strings.ToUpper(plain) + "@thread.v2", answer: list(""), own: true, kind: "none"},
		"another's notes":            {thread: "19:notes_" + other + "@thread.v2", answer: list("", textOf7.body), kind: "bad request"},
		"notes without a separator":  {thread: "19:a1notes" + userID + "@thread.v2", answer: list(""), own: true, kind: "none"},
		"a thread that names a user": {thread: "19:" + userID + "@thread.v2", answer: list("", textOf7.body), kind: "bad request"},
		"notes in another domain":    {thread: "19:notes_" + userID + "@thread.skype", answer: list("", textOf7.body), kind: "bad request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := func(user string) string {
				return "/v1.0/users/" + user + "/chats/" + strings.NewReplacer(":", "%3A", "@", "%40").Replace(tc.thread)
			}
			replies := map[string]reply{}
			for _, user := range []string{userID, other} {
				replies[path(user)], replies[path(user)+"/members"] = noThread, noThread
				replies[path(user)+"/messages?$top=1"], replies[path(user)+"/messages/7"] = tc.answer, textOf7
			}
			up, client := newUpstream(t, script(replies))
			conversations, messages := source.NewConversations(client, options("")), source.NewChat(client, options(""))
			got, err := conversations.Conversation(t.Context(), userID, userID, tc.thread)
			if kind := kindOf(t, err); kind != tc.kind {
				t.Fatalf("kind %q, want %q: %v", kind, tc.kind, err)
			}
			ref := source.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: tc.thread, ID: "7"}
			event, err := messages.Event(t.Context(), userID, userID, ref)
			if (err == nil) != tc.own {
				t.Fatalf("event: %v", err)
			}
			for _, target := range up.targets() {
				if tc.own != strings.Contains(target, "/messages") {
					t.Errorf("asked %s", target)
				}
			}
			if tc.kind != "none" {
				return
			}
			if len(got.GetMembers()) != 1 || got.GetMembers()[0].GetUserId() != userID || len(got.GetNotices()) > 0 || got.GetName() != event.GetConversation() {
				t.Errorf("conversation %v of %v", got, event)
			}
			if !strings.HasPrefix(tc.thread, "48:") {
				return
			}
			theirs, err := conversations.Conversation(t.Context(), other, other, tc.thread)
			theirEvent, eventErr := messages.Event(t.Context(), other, other, ref)
			if err := errors.Join(err, eventErr); err != nil {
				t.Fatal(err)
			}
			if theirs.GetUid() == got.GetUid() || theirs.GetName() == got.GetName() || theirEvent.GetUid() == event.GetUid() || theirEvent.GetConversation() == event.GetConversation() {
				t.Errorf("two users' threads are one: %v %v, %v %v", got, theirs, event, theirEvent)
			}
			again, err := messages.Event(t.Context(), strings.ToUpper(userID), userID, ref)
			if err != nil || again.GetUid() != event.GetUid() {
				t.Errorf("the same owner, written otherwise: %v %v", again.GetUid(), err)
			}
		})
	}
}
