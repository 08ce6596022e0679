package source_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

const (
	chatPrefix = "/v1.0/users/" + userID + "/chats/" + chatEscaped
	member     = `{"@odata.type":"#microsoft.graph.aadUserConversationMember","id":"m","userId":"` + userID + `","email":"ada@contoso.com"}`
	stranger   = `{"@odata.type":"#microsoft.graph.aadUserConversationMember","id":"n","userId":"other","extra":1}`
	nameless   = `{"@odata.type":"#microsoft.graph.anonymousGuestConversationMember","displayName":"Guest"}`
)

func list(next string, records ...string) reply {
	link := ""
	if next != "" {
		link = `,"@odata.nextLink":"{origin}` + next + `"`
	}
	return reply{body: `{"value":[` + strings.Join(records, ",") + `]` + link + `}`}
}

func TestAMessageIsReadForAMemberOfItsChat(t *testing.T) {
	t.Parallel()
	message := reply{body: `{"id":"7","chatId":"` + chatID + `","messageType":"message","createdDateTime":"2024-11-20T10:00:00Z","body":{"contentType":"text","content":"hi"}}`}
	for _, tc := range []struct {
		name, user string
		replies    map[string]reply
		ref        source.Ref
		kind       string
	}{
		{
			name: "member on the second page", user: strings.ToUpper(userID), kind: "none",
			replies: map[string]reply{
				"/v1.0/users/" + strings.ToUpper(userID) + "/chats/" + chatEscaped + "/members": list("/v1.0/m2", stranger),
				"/v1.0/m2": list("", member),
				"/v1.0/users/" + strings.ToUpper(userID) + "/chats/" + chatEscaped + "/messages/7": message,
			},
		},
		{
			name: "member by address", user: "Ada@contoso.com", kind: "none",
			replies: map[string]reply{
				"/v1.0/users/Ada%40contoso.com/chats/" + chatEscaped + "/members":    list("", member),
				"/v1.0/users/Ada%40contoso.com/chats/" + chatEscaped + "/messages/7": message,
			},
		},
		{name: "no member", kind: "not found", replies: map[string]reply{chatPrefix + "/members": list("", stranger), chatPrefix + "/messages/7": message}},
		{name: "no members at all", kind: "not found", replies: map[string]reply{chatPrefix + "/members": list(""), chatPrefix + "/messages/7": message}},
		{name: "no chat", kind: "not found"},
		{name: "no message", kind: "not found", replies: map[string]reply{chatPrefix + "/members": list("", member)}},
		{name: "a list in the message's place", kind: "malformed answer", replies: map[string]reply{chatPrefix + "/members": list("", member), chatPrefix + "/messages/7": list("", message.body)}},
		{name: "message id is a path", kind: "not found", ref: source.Ref{Chat: chatID, ID: "../7"}, replies: map[string]reply{chatPrefix + "/members": list("", member)}},
		{name: "members repeat, no chat", kind: "not found", replies: map[string]reply{chatPrefix + "/members": list("/v1.0/again", stranger), "/v1.0/again": list("/v1.0/again", stranger)}},
		{name: "members refused, no chat", kind: "not found", replies: map[string]reply{chatPrefix + "/members": {status: http.StatusForbidden, body: graphError("Forbidden", "no")}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(tc.replies))
			if tc.user == "" {
				tc.user = userID
			}
			if tc.ref.ID == "" {
				tc.ref = source.Ref{Chat: chatID, ID: "7"}
			}
			tc.ref.Source = parleyv1.Source_SOURCE_CHAT
			event, err := source.NewChat(client, options("")).Event(t.Context(), userID, tc.user, tc.ref)
			if got := kindOf(t, err); got != tc.kind {
				t.Fatalf("kind %q, want %q: %v", got, tc.kind, err)
			}
			if tc.kind == "not found" {
				for _, target := range up.targets() {
					if strings.Contains(target, "/messages/") && tc.name != "no message" {
						t.Errorf("a stranger's request reached %s", target)
					}
				}
			}
			if tc.kind != "none" {
				return
			}
			if event.GetBody().GetPlainText() != "hi" || event.GetName() != "users/"+userID+"/events/chat,"+chatID+",7" {
				t.Errorf("event %v", event)
			}
		})
	}
}

func TestAnInteractionIsFoundInTheUsersHistory(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 11, 21, 0, 19, 17, 313_000_000, time.UTC)
	row := func(id, session string) string {
		return fmt.Sprintf(`{"id":%q,"sessionId":%s,"createdDateTime":"2024-11-21T00:19:17.313Z","interactionType":"aiResponse"}`, id, session)
	}
	const filter = "createdDateTime gt 2024-11-21T00:19:16Z and createdDateTime lt 2024-11-21T00:19:19Z"
	pages := func(target string) reply {
		if strings.HasSuffix(target, "/p2") {
			return list("/v1.0/p2", row("1732148357313", `"s2"`), row("5", "null"))
		}
		return list("/v1.0/p2", row("1732148357313", `"s1"`))
	}
	for _, tc := range []struct {
		name  string
		ref   source.Ref
		kind  string
		asked int
	}{
		{"first page", source.Ref{ID: "1732148357313", Session: "s1", Time: at}, "none", 1},
		{"same id in another session", source.Ref{ID: "1732148357313", Session: "s2", Time: at}, "none", 2},
		{"no session", source.Ref{ID: "5", Time: at}, "none", 2},
		{"time from the id", source.Ref{ID: "1732148357313", Session: "s1"}, "none", 1},
		{"another session", source.Ref{ID: "1732148357313", Session: "s3", Time: at}, "not found", 2},
		{"no time", source.Ref{ID: "x", Session: "s1"}, "not found", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, pages)
			event, err := source.NewCopilot(client, options("")).Event(t.Context(), userID, userID, tc.ref)
			if got := kindOf(t, err); got != tc.kind {
				t.Fatalf("kind %q, want %q: %v", got, tc.kind, err)
			}
			targets := up.targets()
			if len(targets) != tc.asked {
				t.Fatalf("asked %q, want %d", targets, tc.asked)
			}
			if tc.asked > 0 && !strings.HasSuffix(asked(t, targets[0]), filter) {
				t.Errorf("asked %s", asked(t, targets[0]))
			}
			if err == nil && (event.GetSource().GetId() != tc.ref.ID || event.GetCopilot().GetSessionId() != tc.ref.Session) {
				t.Errorf("event %v", event)
			}
		})
	}
}

func TestACallIsReadWithAllItsParts(t *testing.T) {
	t.Parallel()
	const (
		record       = "/v1.0/communications/callRecords/c1?$expand=sessions%28%24expand%3Dsegments%29"
		participants = "/v1.0/communications/callRecords/c1/participants_v2"
		sessions     = "/v1.0/communications/callRecords/c1/sessions?$expand=segments"
		artefact     = `https://graph.microsoft.com/v1.0/$metadata#communications/callRecords('c1')/sessions?$expand=segments&$skiptoken=abc`
	)
	head := `"id":"c1","version":3,"startDateTime":"2026-11-20T10:00:00Z","joinWebUrl":"https://teams.microsoft.com/l/meetup-join/` +
		strings.ToLower("19%3AMEETING_x%40THREAD.V2") + `/0?context=%7b%7d","participants_v2@odata.context":"x"`
	session := func(id, start string) string {
		return `{"id":"` + id + `","startDateTime":"` + start + `","segments":[{"id":"g"}],"odd":{"a":1}}`
	}
	me := `{"id":"` + userID + `","identity":{"user":{"id":"` + userID + `"}}}`
	other := `{"id":"+44","identity":{"phone":{"id":"+44"}}}`
	whole := func(sessions, link string) reply {
		if link != "" {
			link = `,"sessions@odata.nextLink":"` + link + `"`
		}
		return reply{body: `{` + head + `,"sessions":[` + sessions + `]` + link + `}`}
	}
	const s1, s2 = "2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z"
	for _, tc := range []struct {
		name, owner, user      string
		replies                map[string]reply
		kind                   string
		sessions, participants int
		asked                  int
		partial, noPart        bool
	}{
		{
			name: "one page", kind: "none", sessions: 1, participants: 1, asked: 2,
			replies: map[string]reply{record: whole(session("a", s1), ""), participants: list("", me)},
		},
		{
			name: "nested pages", kind: "none", sessions: 3, participants: 2, asked: 4,
			replies: map[string]reply{
				record:       whole(session("a", s1)+","+session("b", s1), "{origin}/v1.0/s2?x=%27"),
				participants: list("/v1.0/p2", other), "/v1.0/p2": list("", me),
				"/v1.0/s2?x=%27": list("", session("a", s2), strings.ReplaceAll(session("b", s1), `":`, `": `)), // one of the same id, one repeated
			},
		},
		{
			name: "nested pages, spelled otherwise", kind: "none", sessions: 2, participants: 2, asked: 4,
			replies: map[string]reply{
				record:       {body: `{` + head + `,"sessions":[` + session("a", s1) + `],"sessions@odata.nextlink":"{origin}/v1.0/s2"}`},
				participants: {body: `{"value":[` + other + `],"@odata.NextLink":"{origin}/v1.0/p2"}`}, "/v1.0/p2": list("", me),
				"/v1.0/s2": list("", session("b", s2)),
			},
		},
		{
			name: "segments behind a link, spelled otherwise", kind: "none", sessions: 1, participants: 1, asked: 3,
			replies: map[string]reply{
				record:       whole(`{"id":"a","segments":[{"id":"g1"}],"segments@odata.NextLink":"{origin}/v1.0/g2"}`, ""),
				participants: list("", me), "/v1.0/g2": list("", `{"id":"g2","odd":1}`),
			},
		},
		{
			// Of the kind "a link in any case": the list's name before the mark may be spelled otherwise too.
			name: "nested links whose lists are spelled otherwise", kind: "none", sessions: 2, participants: 1, asked: 4,
			replies: map[string]reply{
				record:       {body: `{` + head + `,"sessions":[{"id":"a","startDateTime":"` + s1 + `","odd":{"a":1},"segments":[{"id":"g1"}],"SEGMENTS@odata.nextlink":"{origin}/v1.0/g2"}],"Sessions@Odata.NEXTLINK":"{origin}/v1.0/s2"}`},
				participants: list("", me), "/v1.0/s2": list("", session("b", s2)), "/v1.0/g2": list("", `{"id":"g2","odd":1}`),
			},
		},
		{
			name: "a record without an id", kind: "malformed answer", asked: 2,
			replies: map[string]reply{record: {body: `{"version":3,"sessions":[]}`}, participants: list("", me)},
		},
		{
			name: "link that leads nowhere", kind: "none", sessions: 2, participants: 1, asked: 4,
			replies: map[string]reply{
				record: whole(session("a", s1), artefact), participants: list("", me),
				sessions: list("/v1.0/s2", session("a", s1)), "/v1.0/s2": list("", session("b", s1)),
			},
		},
		{
			name: "sessions missing", kind: "none", sessions: 1, participants: 1, asked: 3,
			replies: map[string]reply{record: {body: `{` + head + `}`}, participants: list("", me), sessions: list("", session("a", s1))},
		},
		{
			name: "segments behind a link", kind: "none", sessions: 1, participants: 1, asked: 3,
			replies: map[string]reply{
				record:       whole(`{"id":"a","segments":[{"id":"g1"}],"segments@odata.nextLink":"{origin}/v1.0/g2"}`, ""),
				participants: list("", me), "/v1.0/g2": list("", `{"id":"g2","odd":1}`),
			},
		},
		{
			name: "segments behind a link that leads nowhere", kind: "none", sessions: 1, participants: 1, asked: 2, partial: true,
			replies: map[string]reply{record: whole(`{"id":"a","segments@odata.nextLink":"`+artefact+`"}`, ""), participants: list("", me)},
		},
		{
			name: "link to another host", kind: "link refused", asked: 2,
			replies: map[string]reply{record: whole(session("a", s1), "https://example.org/v1.0/x"), participants: list("", me)},
		},
		{name: "no part in it", kind: "not found", noPart: true, asked: 2, replies: map[string]reply{record: whole("", ""), participants: list("", other)}},
		{
			name: "no part in any session", kind: "not found", noPart: true, asked: 3,
			replies: map[string]reply{
				record: whole(session("a", s1), "{origin}/v1.0/s2"), participants: list("", other), "/v1.0/s2": list("", session("b", s1)),
			},
		},
		{
			name: "caller of a session that the participants lack", kind: "none", sessions: 2, participants: 1, asked: 3,
			replies: map[string]reply{
				record: whole(session("a", s1), "{origin}/v1.0/s2"), participants: list("", other),
				"/v1.0/s2": list("", `{"id":"b","caller":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint",`+
					`"identity":{"user":{"id":"`+strings.ToUpper(userID)+`"}}},"odd":{"a":1}}`),
			},
		},
		{
			name: "callee of a session that the participants lack", kind: "none", sessions: 1, participants: 1, asked: 2,
			replies: map[string]reply{
				record: whole(`{"id":"b","callee":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint",`+
					`"associatedIdentity":{"id":"`+userID+`"}},"odd":{"a":1}}`, ""), participants: list("", other),
			},
		},
		{name: "nobody is named", kind: "not found", asked: 2, replies: map[string]reply{record: whole("", ""), participants: list("")}},
		{
			name: "perhaps in a session that cannot be read", kind: "not found", asked: 4,
			replies: map[string]reply{
				record: whole(session("a", s1), "{origin}/v1.0/s2"), participants: list("", other),
				"/v1.0/s2": {status: http.StatusBadRequest, body: graphError("BadRequest", "no")},
			},
		},
		{
			name: "organizer", user: "Org", kind: "none", participants: 1, asked: 2,
			replies: map[string]reply{
				record:       {body: `{` + head + `,"organizer_v2":{"id":"org"},"sessions":[]}`},
				participants: list("", other),
			},
		},
		{
			name: "organizer in the deprecated form", user: "org", kind: "none", participants: 1, asked: 2,
			replies: map[string]reply{record: {body: `{` + head + `,"organizer":{"user":{"id":"org"}},"sessions":[]}`}, participants: list("", other)},
		},
		{name: "whole tenant", owner: "-", user: "-", kind: "none", participants: 1, asked: 2, replies: map[string]reply{record: whole("", ""), participants: list("", other)}},
		{name: "too old or too new", kind: "not found", asked: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(tc.replies))
			owner, user := userID, userID
			if tc.user != "" {
				owner, user = tc.user, tc.user
			}
			event, err := source.NewCall(client, options("")).Event(t.Context(), owner, user, source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "c1"})
			if got := kindOf(t, err); got != tc.kind {
				t.Fatalf("kind %q, want %q: %v", got, tc.kind, err)
			}
			if got := errors.Is(err, source.ErrNotParticipant); got != tc.noPart {
				t.Errorf("no part: %v, want %v: %v", got, tc.noPart, err)
			}
			if got := up.targets(); len(got) != tc.asked {
				t.Errorf("asked %q, want %d", got, tc.asked)
			}
			for i, prefer := range up.prefer() {
				if !strings.HasPrefix(prefer, enumMembers) {
					t.Errorf("request %d has Prefer %q", i, prefer)
				}
			}
			if err != nil {
				return
			}
			call := event.GetCall()
			if len(call.GetSessions()) != tc.sessions || len(call.GetParticipants()) != tc.participants || call.GetPartial() != tc.partial {
				t.Errorf("sessions %d, participants %d, partial %v", len(call.GetSessions()), len(call.GetParticipants()), call.GetPartial())
			}
			if event.GetVersion() != 3 || call.GetJoinThreadId() != "19:meeting_x@thread.v2" || event.GetConversation() != "users/"+owner+"/conversations/19:meeting_x@thread.v2" {
				t.Errorf("version %d, thread %q, conversation %q", event.GetVersion(), call.GetJoinThreadId(), event.GetConversation())
			}
			for i := range call.GetSessions() {
				place := event.GetUnmapped().GetFields()["sessions"].GetStructValue().GetFields()[strconv.Itoa(i)].GetStructValue()
				if strings.HasPrefix(tc.name, "segments") {
					continue
				}
				if diff := cmp.Diff(1.0, place.GetFields()["odd"].GetStructValue().GetFields()["a"].GetNumberValue()); diff != "" {
					t.Errorf("session %d: unmapped (-want +got):\n%s", i, diff)
				}
			}
			if tc.name == "segments behind a link" && (len(call.GetSessions()[0].GetSegments()) != 2 || len(event.GetUnmapped().GetFields()) != 1) {
				t.Errorf("segments %v, unmapped %v", call.GetSessions()[0].GetSegments(), event.GetUnmapped())
			}
		})
	}
}

func TestAChatIsReadWithAllItsMembers(t *testing.T) {
	t.Parallel()
	chat := reply{body: `{"id":"` + chatID + `","chatType":"meeting","topic":"T","members":[{"id":"listed"}]}`}
	for _, tc := range []struct {
		name, id string
		replies  map[string]reply
		kind     string
		members  int // 0 = 2
	}{
		{name: "all members", kind: "none", replies: map[string]reply{chatPrefix: chat, chatPrefix + "/members": list("/v1.0/m2", stranger), "/v1.0/m2": list("", member)}},
		{
			name: "members that come again", kind: "none",
			replies: map[string]reply{
				chatPrefix: chat, chatPrefix + "/members": list("/v1.0/m2", stranger), "/v1.0/m2": list("/v1.0/m3", stranger, member), "/v1.0/m3": list("", member, stranger),
			},
		},
		{
			name: "members without an id", kind: "none", members: 4,
			replies: map[string]reply{
				chatPrefix: chat, chatPrefix + "/members": list("/v1.0/m2", stranger, nameless, nameless), "/v1.0/m2": list("", member, stranger),
			},
		},
		{name: "not a member", kind: "not found", replies: map[string]reply{chatPrefix: chat, chatPrefix + "/members": list("", stranger)}},
		{name: "a thread without a chat", kind: "not found"},
		{name: "no thread", id: "x", kind: "not found"},
		{name: "a path", id: "../../users", kind: "not found"},
		{name: "forbidden", kind: "forbidden", replies: map[string]reply{chatPrefix: {status: http.StatusForbidden, body: graphError("Forbidden", "")}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, client := newUpstream(t, script(tc.replies))
			id := tc.id
			if id == "" {
				id = chatID
			}
			got, err := source.NewConversations(client, options("")).Conversation(t.Context(), userID, userID, id)
			if kind := kindOf(t, err); kind != tc.kind {
				t.Fatalf("kind %q, error %v", kind, err)
			}
			if err != nil {
				return
			}
			if tc.members == 0 {
				tc.members = 2
			}
			if len(got.GetMembers()) != tc.members || got.GetMembersTruncated() || got.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_MEETING {
				t.Errorf("conversation %v", got)
			}
			if extra := got.GetUnmapped().GetFields()["members"].GetStructValue().GetFields()["0"].GetStructValue().GetFields()["extra"].GetNumberValue(); extra != 1 {
				t.Errorf("unmapped %v", got.GetUnmapped())
			}
		})
	}
}

func TestAPrincipalNameBecomesAnObjectID(t *testing.T) {
	t.Parallel()
	_, client := newUpstream(t, script(map[string]reply{
		"/v1.0/users/ada%40contoso.com?$select=id":  {body: `{"@odata.context":"x","id":"` + userID + `"}`},
		"/v1.0/users/null%40contoso.com?$select=id": {body: `{"id":null}`},
	}))
	users := source.NewUsers(client, source.Options{Version: graph.V1})
	if id, err := users.UserID(t.Context(), "ada@contoso.com"); err != nil || id != userID {
		t.Errorf("id %q, error %v", id, err)
	}
	if _, err := users.UserID(t.Context(), "bob@contoso.com"); kindOf(t, err) != "not found" {
		t.Errorf("unknown user: %v", err)
	}
	if _, err := users.UserID(t.Context(), "null@contoso.com"); kindOf(t, err) != "malformed answer" {
		t.Errorf("no id: %v", err)
	}
	if _, err := users.UserID(t.Context(), "a/b@contoso.com"); kindOf(t, err) != "not found" {
		t.Errorf("path: %v", err)
	}
}

// TestAParticipantIsVerifiedByTheRecord: a user's part in a call is proved by any part of its record: participants in both forms and on every page,
// organizers in both forms, both ends of every session; what cannot be read contradicts nothing.
func TestAParticipantIsVerifiedByTheRecord(t *testing.T) {
	t.Parallel()
	const (
		record       = "/v1.0/communications/callRecords/c1?$expand=sessions%28%24expand%3Dsegments%29"
		participants = "/v1.0/communications/callRecords/c1/participants_v2"
	)
	me, other := `{"id":"`+userID+`"}`, `{"id":"+44","identity":{"phone":{"id":"+44"}}}`
	mine := `{"id":"` + strings.ToUpper(userID) + `"}`
	end := func(name, identity string) string {
		return `{"id":"s","` + name + `":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint",` + identity + `}}`
	}
	broken := reply{status: http.StatusForbidden, body: graphError("Forbidden", "no")}
	others := list("", other)
	whole := func(more string) reply { return reply{body: `{"id":"c1","version":3` + more + `}`} }
	for name, tc := range map[string]struct {
		people, record reply
		next           reply // behind the only link
		kind           string
		noPart         bool
		asked          int
	}{
		"participant":                    {people: list("", other, me), kind: "none", asked: 1},
		"participant on another page":    {people: list("/v1.0/next", other), next: list("", me), kind: "none", asked: 2},
		"identity of a participant":      {people: list("", `{"id":"x","identity":{"user":`+mine+`}}`), kind: "none", asked: 1},
		"organizer":                      {people: others, record: whole(`,"organizer_v2":` + mine), kind: "none", asked: 2},
		"deprecated organizer":           {people: others, record: whole(`,"organizer":{"user":` + me + `}`), kind: "none", asked: 2},
		"deprecated participant":         {people: others, record: whole(`,"participants":[{"user":` + me + `}]`), kind: "none", asked: 2},
		"caller":                         {people: others, record: whole(`,"sessions":[` + end("caller", `"identity":{"user":`+me+`}`) + `]`), kind: "none", asked: 2},
		"callee":                         {people: others, record: whole(`,"sessions":[` + end("callee", `"associatedIdentity":`+mine) + `]`), kind: "none", asked: 2},
		"caller on another page":         {people: others, record: whole(`,"sessions":[],"sessions@odata.nextLink":"{origin}/v1.0/next"`), next: list("", end("caller", `"identity":{"user":`+me+`}`)), kind: "none", asked: 3},
		"participants broken, organized": {people: broken, record: whole(`,"organizer_v2":` + me), kind: "none", asked: 2},
		"participants broken, inside":    {people: broken, record: whole(`,"participants_v2":[` + me + `]`), kind: "none", asked: 2},
		"participants broken":            {people: broken, record: whole(`,"sessions":[` + end("caller", `"identity":{"user":{"id":"x"}}`) + `]`), kind: "forbidden", asked: 2},
		"sessions broken":                {people: others, record: whole(`,"sessions":[],"sessions@odata.nextLink":"{origin}/v1.0/next"`), next: broken, kind: "forbidden", asked: 3},
		"no record":                      {people: others, record: reply{status: http.StatusNotFound, body: graphError("NotFound", "")}, kind: "not found", asked: 2},
		"no part":                        {people: others, record: whole(`,"sessions":[]`), kind: "not found", noPart: true, asked: 2},
		"nobody is named":                {people: list(""), record: whole(`,"sessions":[]`), kind: "not found", asked: 2},
		"an organizer alone is named":    {people: list(""), record: whole(`,"sessions":[],"organizer_v2":{"id":"x"}`), kind: "not found", asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(map[string]reply{participants: tc.people, record: tc.record, "/v1.0/next": tc.next}))
			err := source.NewCall(client, options("")).VerifyParticipant(t.Context(), userID, source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: "c1"})
			if got := kindOf(t, err); got != tc.kind || errors.Is(err, source.ErrNotParticipant) != tc.noPart {
				t.Errorf("kind %q, want %q, no part %v: %v", got, tc.kind, tc.noPart, err)
			}
			if got := up.targets(); len(got) != tc.asked {
				t.Errorf("asked %q, want %d", got, tc.asked)
			}
		})
	}
	_, client := newUpstream(t, script(nil))
	for _, user := range []string{"", "ada@contoso.com"} {
		if err := source.NewCall(client, options("")).VerifyParticipant(t.Context(), user, source.Ref{ID: "c1"}); !errors.Is(err, source.ErrUserIDRequired) {
			t.Errorf("user %q: %v", user, err)
		}
	}
}
