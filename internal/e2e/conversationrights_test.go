package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/resource"
)

// somePolicy has rules that leave one source out, beside the rules for applications of the handbook's policy.
const somePolicy = `
rules:
  - name: everything
    match: {role: Everything}
    allow: {rpcs: [ListUsers, GetUser, ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [user, conversation, copilot, chat, call], view: full, users: all}
  - name: own
    match: {role: Own}
    allow: {rpcs: [GetUser, ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [user, conversation, copilot, chat, call], view: full, users: own}
  - name: without-copilot
    match: {role: WithoutCopilot}
    allow: {rpcs: [ListUsers, GetUser, ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [user, conversation, chat, call], view: full, users: all}
  - name: without-calls
    match: {role: WithoutCalls}
    allow: {rpcs: [ListUsers, GetUser, ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [user, conversation, copilot, chat], view: full, users: all}
  - name: copilot-alone
    match: {role: CopilotAlone}
    allow: {rpcs: [ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [copilot], view: full, users: all}
  - name: metadata
    match: {role: Metadata}
    allow: {rpcs: [ListUsers, GetUser, ListConversations, StreamConversations, GetConversation, ListEvents, StreamEvents, GetEvent], sources: [user, conversation, copilot, chat, call], view: metadata, users: all}
`

// kindsOfConversations is a gateway with somePolicy, and conversations of every kind.
type kindsOfConversations struct {
	*guarded

	user, other            string // object ids
	meeting, session, call string // names of conversations of the user; the session and the call have no chat
}

func (g *kindsOfConversations) role(t *testing.T, role string) string {
	t.Helper()
	return g.token(t, graphsim.CallerToken{User: g.user, Roles: []string{role}})
}

// guardBySomePolicy is a gateway with somePolicy.
func guardBySomePolicy(t *testing.T, simulator graphsim.Config) *kindsOfConversations {
	t.Helper()
	g := &kindsOfConversations{guarded: guardOver(t, simulator, func(settings *config.Settings) {
		settings.PolicyFile = filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(settings.PolicyFile, []byte(somePolicy), 0o600); err != nil {
			t.Fatal(err)
		}
	})}
	g.user, g.other = demo(g.sim), anotherLicensed(t, g.sim)
	return g
}

func withKinds(t *testing.T) *kindsOfConversations {
	t.Helper()
	g := guardBySomePolicy(t, graphsim.Config{Messages: 6000})
	everything := g.token(t, graphsim.CallerToken{User: g.user, Roles: []string{"Everything"}})
	events, _ := g.streamed(t, everything, "/v1/users/"+g.user+"/events:stream?startTime="+day(28))
	g.meeting = busiestMeeting(events)
	for _, event := range events {
		_, id, err := resource.ParseConversation(event.GetConversation())
		if err != nil {
			continue
		}
		_, alone := resource.CallOfConversation(id)
		switch {
		case event.GetCall() != nil && alone:
			g.call = event.GetConversation()
		case event.GetCopilot() != nil && !strings.Contains(id, "meeting") && event.GetConversation() != g.meeting:
			g.session = event.GetConversation()
		}
	}
	if g.meeting == "" || g.session == "" || g.call == "" {
		t.Fatalf("the data have no %q, %q, %q", g.meeting, g.session, g.call)
	}
	return g
}

// TestConversationsNeedTheirSources asks for conversations of every kind under rules that leave a source out: it is in no list, in no
// conversation and below none, and what it alone proves is not found.
func TestConversationsNeedTheirSources(t *testing.T) {
	t.Parallel()
	g := withKinds(t)
	all := "/v1/users/" + g.user + "/conversations"
	for _, tc := range []struct {
		role, path string
		status     int
	}{
		{"WithoutCopilot", all + "?sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCopilot", all + "?sources=SOURCE_CHAT&sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCopilot", all + ":stream?sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCopilot", all + "?sources=SOURCE_CHAT&sources=SOURCE_CALL", http.StatusOK},
		{"WithoutCopilot", all + ":stream?sources=SOURCE_CHAT&sources=SOURCE_CALL", http.StatusOK},
		{"WithoutCopilot", "/v1/" + g.session, http.StatusNotFound},
		{"WithoutCopilot", "/v1/" + g.session + "/events", http.StatusNotFound},
		{"WithoutCopilot", "/v1/" + g.session + "/events:stream", http.StatusNotFound},
		{"WithoutCopilot", "/v1/" + g.session + "/events?sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCopilot", "/v1/" + g.meeting + "/events?sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCopilot", "/v1/" + g.call, http.StatusOK},
		{"WithoutCalls", all + "?sources=SOURCE_CALL", http.StatusForbidden},
		{"WithoutCalls", all + ":stream?sources=SOURCE_CALL&sources=SOURCE_COPILOT", http.StatusForbidden},
		{"WithoutCalls", all + "?sources=SOURCE_COPILOT", http.StatusOK},
		{"WithoutCalls", "/v1/" + g.call, http.StatusNotFound},
		{"WithoutCalls", "/v1/" + g.call + "/events", http.StatusNotFound},
		{"WithoutCalls", "/v1/" + g.call + "/events:stream", http.StatusNotFound},
		{"WithoutCalls", "/v1/" + g.call + "/events?sources=SOURCE_CALL", http.StatusForbidden},
		{"WithoutCalls", "/v1/users/-/conversations/" + g.call[strings.LastIndex(g.call, "/")+1:], http.StatusForbidden},
		{"WithoutCalls", "/v1/" + g.session, http.StatusOK},
		{"CopilotAlone", all, http.StatusForbidden},
		{"CopilotAlone", "/v1/" + g.session, http.StatusOK},
		{"CopilotAlone", "/v1/" + g.session + "/events", http.StatusOK},
	} {
		if status, reason, body := g.ask(t, g.role(t, tc.role), tc.path); status != tc.status {
			t.Errorf("%s: %s: %d %s %.300s, want %d", tc.role, tc.path, status, reason, body, tc.status)
		}
	}
	for role, lacks := range map[string]parleyv1.Source{"WithoutCopilot": parleyv1.Source_SOURCE_COPILOT, "WithoutCalls": parleyv1.Source_SOURCE_CALL} {
		token := g.role(t, role)
		var meeting parleyv1.Conversation
		g.fetch(t, token, "/v1/"+g.meeting, &meeting)
		activity := meeting.GetActivity()
		if lacks == parleyv1.Source_SOURCE_CALL && (len(meeting.GetCalls()) > 0 || activity.GetCallEvents() > 0 || activity.GetCopilotEvents() == 0) ||
			lacks == parleyv1.Source_SOURCE_COPILOT && (len(meeting.GetCopilotSessions()) > 0 || activity.GetCopilotEvents() > 0 || activity.GetCallEvents() == 0) {
			t.Errorf("%s: %v", role, &meeting)
		}
		if meeting.GetTopic() == "" || len(meeting.GetNotices()) > 0 {
			t.Errorf("%s: topic %q, notices %v", role, meeting.GetTopic(), meeting.GetNotices())
		}
		var page parleyv1.ListEventsResponse
		g.fetch(t, token, "/v1/"+g.meeting+"/events?pageSize=1000", &page)
		streamed, summary := g.streamed(t, token, "/v1/"+g.meeting+"/events:stream")
		for _, event := range append(page.GetEvents(), streamed...) {
			if event.GetSource().GetSource() == lacks {
				t.Errorf("%s reads %s", role, event.GetName())
			}
		}
		for _, report := range append(page.GetSources(), summary.GetSources()...) {
			if report.GetSource() == lacks {
				t.Errorf("%s: report %v", role, report)
			}
		}
		if len(streamed) == 0 || len(page.GetEvents()) == 0 {
			t.Errorf("%s: %d and %d events", role, len(page.GetEvents()), len(streamed))
		}
	}
}

// TestMetadataOfConversations reads conversations of every kind, their events and people as a caller who may read metadata alone: no
// view that shows more, and no names.
func TestMetadataOfConversations(t *testing.T) {
	t.Parallel()
	g := withKinds(t)
	token := g.role(t, "Metadata")
	user := "/v1/users/" + g.user
	enriched := []string{
		user + "/events?startTime=" + day(2), user + "/events:stream?startTime=" + day(2), "/v1/" + g.meeting + "/events?", "/v1/" + g.meeting + "/events:stream?",
		"/v1/" + g.session + "/events?", "/v1/" + g.session + "/events:stream?", "/v1/" + g.call + "/events?", "/v1/" + g.call + "/events:stream?",
	}
	others := []string{
		user + "/conversations?" + everyKind + "&startTime=" + day(28), user + "/conversations:stream?" + everyKind + "&startTime=" + day(28),
		"/v1/" + g.meeting + "?", "/v1/" + g.session + "?", "/v1/" + g.call + "?", user + "?", "/v1/users?",
	}
	for _, path := range slices.Concat(others, enriched) {
		if status, reason, body := g.ask(t, token, path+"&view=EVENT_VIEW_METADATA"); status != http.StatusOK || strings.Contains(body, `"topic"`) || strings.Contains(body, `"content":`) ||
			strings.Contains(body, `"plainText"`) || strings.Contains(body, `"text":`) || strings.Contains(body, `"jobTitle"`) {
			t.Errorf("%s: %d %s %.500s", path, status, reason, body)
		}
		for _, view := range []string{"&view=EVENT_VIEW_BASIC", "&view=EVENT_VIEW_FULL", ""} {
			if status, reason, body := g.ask(t, token, path+view); status != http.StatusForbidden || reason != "POLICY_DENIED" {
				t.Errorf("%s, view %q: %d %s %.300s", path, view, status, reason, body)
			}
		}
	}
	for _, path := range enriched {
		for _, view := range []string{"EVENT_VIEW_METADATA", "EVENT_VIEW_BASIC"} {
			if status, reason, body := g.ask(t, token, path+"&enrich=NAMES&view="+view); status != http.StatusForbidden || reason != "POLICY_DENIED" {
				t.Errorf("%s with names: %d %s %.300s", path, status, reason, body)
			}
		}
	}
}

// TestConversationsOfSomebodyElse asks for sessions and calls of one user as those of another, by everybody who may read one of them:
// there are none.
func TestConversationsOfSomebodyElse(t *testing.T) {
	t.Parallel()
	g := withKinds(t)
	officer := g.role(t, "Everything")
	var others []string
	events, _ := g.streamed(t, officer, "/v1/users/"+g.other+"/events:stream?sources=SOURCE_COPILOT&sources=SOURCE_CALL&startTime="+day(28))
	mine, _ := g.streamed(t, officer, "/v1/users/"+g.user+"/events:stream?startTime="+day(28))
	for _, event := range events {
		as := strings.Replace(event.GetConversation(), g.other, g.user, 1)
		if slices.ContainsFunc(mine, func(e *parleyv1.Event) bool { return e.GetConversation() == as }) || slices.Contains(others, as) {
			continue
		}
		if _, id, err := resource.ParseConversation(as); err == nil && (event.GetCopilot() != nil || strings.HasPrefix(id, "call:")) {
			others = append(others, as)
		}
	}
	if len(others) < 2 {
		t.Fatalf("the other user has %d conversations alone", len(others))
	}
	kinds := map[bool]int{}
	for _, name := range others {
		isCall := strings.Contains(name, "/call:")
		if kinds[isCall]++; kinds[isCall] > 1 {
			continue // Graph gives one chat a second
		}
		own := "/v1/users/me" + strings.TrimPrefix(name, "users/"+g.user)
		for token, path := range map[string]string{officer: "/v1/" + name, g.role(t, "Own"): own} {
			for _, suffix := range []string{"", "/events", "/events:stream?sources=SOURCE_COPILOT&sources=SOURCE_CALL"} {
				if status, reason, body := g.ask(t, token, path+suffix); status != http.StatusNotFound || !strings.Contains(body, `"status":"NOT_FOUND"`) {
					t.Errorf("%s%s: %d %s %.300s", path, suffix, status, reason, body)
				}
			}
		}
		theirs := "/v1/" + strings.Replace(name, g.user, g.other, 1)
		if status, _, body := g.ask(t, officer, theirs); status != http.StatusOK {
			t.Errorf("%s: %d %.300s", theirs, status, body)
		}
		if status, reason, _ := g.ask(t, g.role(t, "Own"), theirs); status != http.StatusForbidden {
			t.Errorf("%s by another: %d %s", theirs, status, reason)
		}
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Errorf("sessions and calls of the other user: %v", kinds)
	}
}

// TestConversationsOfTheTenant reads the conversations that events below users/- name, and the events below each. What Graph has for
// one user alone is refused, and the refusal says what to do.
func TestConversationsOfTheTenant(t *testing.T) {
	t.Parallel()
	g := guardBySomePolicy(t, graphsim.Config{Messages: 300, Interactions: 50, Calls: 50})
	officer := g.role(t, "Everything")
	var calls []*parleyv1.Event
	token := ""
	for {
		var page parleyv1.ListEventsResponse
		g.fetch(t, officer, "/v1/users/-/events?pageSize=1000&pageToken="+token, &page)
		calls = append(calls, page.GetEvents()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	counts := map[string]int64{}
	for _, event := range calls {
		counts[event.GetConversation()]++
	}
	kinds, meeting := map[bool]int{}, ""
	for name, count := range counts {
		isCall := strings.Contains(name, "/call:")
		if !isCall {
			meeting = "/v1/" + name
		}
		if kinds[isCall]++; kinds[isCall] > 1 {
			continue
		}
		var found parleyv1.Conversation
		g.fetch(t, officer, "/v1/"+name, &found)
		if found.GetName() != name || found.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_CALL || !found.GetDerived() ||
			found.GetActivity().GetCallEvents() != count || int64(len(found.GetCalls())) != count || !strings.HasPrefix(found.GetCalls()[0], "users/-/events/call,") {
			t.Errorf("%s of %d calls: %v", name, count, &found)
		}
		var page parleyv1.ListEventsResponse
		g.fetch(t, officer, "/v1/"+name+"/events?pageSize=1000", &page)
		streamed, summary := g.streamed(t, officer, "/v1/"+name+"/events:stream?sources=SOURCE_CALL")
		for _, events := range [][]*parleyv1.Event{page.GetEvents(), streamed} {
			if int64(len(events)) != count || slices.ContainsFunc(events, func(e *parleyv1.Event) bool { return e.GetConversation() != name }) {
				t.Errorf("below %s: %d events, want %d", name, len(events), count)
			}
		}
		if !page.GetComplete() || !summary.GetComplete() {
			t.Errorf("below %s: not complete", name)
		}
	}
	if kinds[true] == 0 || kinds[false] == 0 {
		t.Fatalf("the calls are in %v", kinds)
	}
	const hint = "`users/-` holds call records only; name a user"
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/v1/users/-/conversations/a-session-of-copilot":                             {http.StatusBadRequest, hint},
		"/v1/users/-/conversations/a-session-of-copilot/events":                      {http.StatusBadRequest, hint},
		meeting + "/events?sources=SOURCE_COPILOT":                                   {http.StatusBadRequest, hint},
		meeting + "/events:stream?sources=SOURCE_CHAT&sources=SOURCE_CALL":           {http.StatusBadRequest, hint},
		"/v1/users/-/conversations/19:nobody@thread.v2":                              {http.StatusNotFound, ""},
		"/v1/users/-/conversations/call:12345678-0000-4000-8000-000000000000":        {http.StatusNotFound, ""},
		"/v1/users/-/conversations/call:12345678-0000-4000-8000-000000000000/events": {http.StatusNotFound, ""},
	} {
		if status, reason, body := g.ask(t, officer, path); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: %d %s %s", path, status, reason, body)
		}
	}
	if status, reason, _ := g.ask(t, g.role(t, "Own"), meeting); status != http.StatusForbidden {
		t.Errorf("by somebody who may read their own: %d %s", status, reason)
	}
}
