package resource_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
)

const (
	userID  = "4db02e4b-d144-400e-b194-53253a34c5be"
	chatID  = "19:meeting_YjQ4NThlNzUtMjEyNC00MjFlLTk0ODMtZTc2M2Q5MDVlNTE4@thread.v2"
	space1  = "19:0b4f1cf6_0d7c63d3@unq.gbl.spaces"
	oddChat = "19:a b/c,d%@x"
)

func TestNamesAreWrittenAndParsed(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 11, 21, 0, 19, 17, 313_000_000, time.UTC)
	for _, tc := range []struct{ name, got, want string }{
		{"user", resource.User(userID), "users/" + userID},
		{"user principal name", resource.User("ada@contoso.com"), "users/ada@contoso.com"},
		{"guest", resource.User("ada_x.org#EXT#@contoso.com"), "users/~YWRhX3gub3JnI0VYVCNAY29udG9zby5jb20"},
		{"any user", resource.User("-"), "users/-"},
		{"conversation", resource.Conversation(userID, chatID), "users/" + userID + "/conversations/" + chatID},
		{"odd conversation", resource.Conversation("u", oddChat), "users/u/conversations/~MTk6YSBiL2MsZCVAeA"},
		{"dash conversation", resource.Conversation("u", "-"), "users/u/conversations/~LQ"},
		{"tilde conversation", resource.Conversation("u", "~x"), "users/u/conversations/~fng"},
		{"dot conversation", resource.Conversation("u", ".."), "users/u/conversations/~Li4"},
		{
			"message", resource.Event(userID, resource.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: chatID, ID: "1621973534864"}),
			"users/" + userID + "/events/chat," + chatID + ",1621973534864",
		},
		{
			"interaction", resource.Event("u", resource.Ref{Source: parleyv1.Source_SOURCE_COPILOT, Session: space1, ID: "7", Time: at}),
			"users/u/events/copilot,2024-11-21T00:19:17.313Z," + space1 + ",7",
		},
		{
			"interaction without a session and a time", resource.Event("u", resource.Ref{Source: parleyv1.Source_SOURCE_COPILOT, ID: "7"}),
			"users/u/events/copilot,-,-,7",
		},
		{"call", resource.Event("-", resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "3cf3"}), "users/-/events/call,3cf3"},
		{"no id", resource.Event("u", resource.Ref{Source: parleyv1.Source_SOURCE_CALL}), ""},
		{"no source", resource.Event("u", resource.Ref{ID: "1"}), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

func TestParseAcceptsEverySpelling(t *testing.T) {
	t.Parallel()
	want := resource.Ref{Source: parleyv1.Source_SOURCE_CHAT, Chat: chatID, ID: "7"}
	escaped := strings.NewReplacer(":", "%3A", "@", "%40").Replace(chatID)
	for _, event := range []string{
		"chat," + chatID + ",7",
		"chat," + escaped + ",7",
		"chat," + strings.ToLower("%3A") + "x,7",
		"chat%2C" + escaped + "%2c7",
		url.PathEscape("chat," + chatID + ",7"),
	} {
		user, ref, err := resource.ParseEvent("users/" + userID + "/events/" + event)
		if strings.Contains(event, "%3ax") {
			if err != nil || ref.Chat != ":x" {
				t.Errorf("lower-case escape: %+v, %v", ref, err)
			}
			continue
		}
		if err != nil || user != userID || ref != want {
			t.Errorf("%s: user %q, ref %+v, error %v", event, user, ref, err)
		}
	}
	for _, conversation := range []string{chatID, escaped, strings.ReplaceAll(escaped, "%3A", "%3a"), url.QueryEscape(chatID)} {
		user, id, err := resource.ParseParent("users/ada%40contoso.com/conversations/" + conversation)
		if err != nil || user != "ada@contoso.com" || id != chatID {
			t.Errorf("%s: user %q, conversation %q, error %v", conversation, user, id, err)
		}
	}
	if user, conversation, err := resource.ParseParent("users/me"); err != nil || user != "me" || conversation != "" {
		t.Errorf("users/me: %q, %q, %v", user, conversation, err)
	}
	if user, err := resource.ParseUser("users/-"); err != nil || user != resource.AnyUser {
		t.Errorf("users/-: %q, %v", user, err)
	}
}

func TestAMalformedNameIsAnError(t *testing.T) {
	t.Parallel()
	parent := func(name string) error { _, _, err := resource.ParseParent(name); return err }
	conversation := func(name string) error { _, _, err := resource.ParseConversation(name); return err }
	event := func(name string) error { _, _, err := resource.ParseEvent(name); return err }
	for _, tc := range []struct {
		parse       func(string) error
		name, field string
	}{
		{parent, "", "parent"},
		{parent, "users", "parent"},
		{parent, "users/", "parent"},
		{parent, "teams/x", "parent"},
		{parent, "users/a/", "parent"},
		{parent, "users/a/conversations/", "parent"},
		{parent, "users/a/chats/b", "parent"},
		{parent, "users/a/conversations/b/c", "parent"},
		{parent, "users/..", "parent"},
		{parent, "users/.", "parent"},
		{parent, "users/%2e%2e", "parent"},
		{parent, "users/a%2Fb", "parent"},
		{parent, `users/a\b`, "parent"},
		{parent, "users/a%00b", "parent"},
		{parent, "users/a\x7fb", "parent"},
		{parent, "users/%zz", "parent"},
		{parent, "users/%ff", "parent"},
		{parent, "users/~", "parent"},
		{parent, "users/~!", "parent"},
		{parent, "users/~LQ", "parent"},
		{parent, "users/" + strings.Repeat("a", 257), "parent"},
		{parent, "users/a/conversations/%0a", "parent"},
		{conversation, "users/a", "name"},
		{conversation, "users//conversations/b", "name"},
		{conversation, "users/a/conversations/" + strings.Repeat("b", 1025), "name"},
		{event, "users/a/events/", "name"},
		{event, "users/a/events/chat", "name"},
		{event, "users/a/events/chat,b", "name"},
		{event, "users/a/events/chat,b,", "name"},
		{event, "users/a/events/chat,b,c,d", "name"},
		{event, "users/a/events/mail,b", "name"},
		{event, "users/a/events/call,", "name"},
		{event, "users/a/events/copilot,yesterday,s,1", "name"},
		{event, "users/a/events/copilot,2024-11-21,s,1", "name"},
		{event, "users/a/conversations/call,1", "name"},
	} {
		err := tc.parse(tc.name)
		var e *resource.Error
		if !errors.As(err, &e) {
			t.Errorf("%.60q: error %v, want *resource.Error", tc.name, err)
			continue
		}
		if e.Field != tc.field || e.Problem == "" || e.Fix == "" {
			t.Errorf("%.60q: field %q, problem %q, fix %q; want field %q", tc.name, e.Field, e.Problem, e.Fix, tc.field)
		}
	}
	if err := parent("users/" + strings.Repeat("ä", 256)); err != nil {
		t.Errorf("256 characters: %v", err)
	}
}

func FuzzSegment(f *testing.F) {
	for _, id := range []string{userID, chatID, oddChat, "-", "~", "..", "a,b", "%41", "\xff", "ä"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		segment := resource.Segment(id)
		if strings.ContainsAny(segment, "/,%?# ") || segment == "-" || segment == "." || segment == ".." {
			t.Errorf("Segment(%q) = %q is not one plain segment", id, segment)
		}
		if back, err := resource.ParseSegment(segment); err != nil || back != id {
			t.Errorf("ParseSegment(Segment(%q)) = %q, %v", id, back, err)
		}
	})
}

func FuzzEventRoundTrip(f *testing.F) {
	f.Add(userID, int32(1), chatID, "1732148357313", int64(1732148357313000000))
	f.Add("ada@contoso.com", int32(2), "", "1", int64(0))
	f.Add("-", int32(3), "", "3cf3bbc8", int64(0))
	f.Fuzz(func(t *testing.T, user string, source int32, thread, id string, nanos int64) {
		ref := resource.Ref{Source: parleyv1.Source(source), ID: id}
		switch ref.Source {
		case parleyv1.Source_SOURCE_CHAT:
			ref.Chat = thread
		case parleyv1.Source_SOURCE_COPILOT:
			ref.Session = thread
			if nanos != 0 {
				ref.Time = time.Unix(0, nanos).UTC()
			}
		default:
		}
		name := resource.Event(user, ref)
		gotUser, got, err := resource.ParseEvent(name)
		if err != nil {
			var e *resource.Error
			if !errors.As(err, &e) || e.Field != "name" {
				t.Errorf("error %v is not an *Error of the field name", err)
			}
			return
		}
		if gotUser != user || !cmp.Equal(got, ref) {
			t.Errorf("%q: got %q %+v, want %q %+v", name, gotUser, got, user, ref)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("users/" + userID + "/events/chat," + chatID + ",7")
	f.Add("users/ada%40contoso.com/conversations/19%3Ax%40thread.v2")
	f.Add("users/~/events/~,~")
	f.Fuzz(func(t *testing.T, name string) {
		if user, conversation, err := resource.ParseParent(name); err == nil {
			if user == "" || strings.ContainsAny(user, "/\\\x00") {
				t.Errorf("%q: user %q", name, user)
			}
			if conversation != "" {
				again, id, err := resource.ParseConversation(resource.Conversation(user, conversation))
				if err != nil || again != user || id != conversation {
					t.Errorf("%q does not come back: %q %q %v", name, again, id, err)
				}
			}
		}
		if user, ref, err := resource.ParseEvent(name); err == nil {
			again, back, err := resource.ParseEvent(resource.Event(user, ref))
			if err != nil || again != user || !cmp.Equal(back, ref) {
				t.Errorf("%q does not come back: %q %+v %v", name, again, back, err)
			}
		}
	})
}

// TestErrorsAreDiscreet holds that an error names the field and the fix and not the user.
func TestErrorsAreDiscreet(t *testing.T) {
	t.Parallel()
	_, _, err := resource.ParseParent("users/secret%2Fname/conversations/x")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), "parent: ") || !strings.Contains(err.Error(), "; give ") {
		t.Errorf("error %v", err)
	}
	if _, err = resource.ParseSegment("secret%zz"); err == nil || strings.Contains(err.Error(), "secret") || strings.HasPrefix(err.Error(), ":") {
		t.Errorf("error %v", err)
	}
}
