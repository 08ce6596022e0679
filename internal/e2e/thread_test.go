package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

const (
	meetingChat = "19:meeting_YjQ4NThlNzUtMjEyNC00MjFlLTk0ODMtZTc2M2Q5MDVlNTE4@thread.v2"
	otherChat   = "19:meeting_MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw@thread.v2"
	session     = "19:YzBP1kUdkNjFtJnketPYT8kQdQ3A08Y51rDTxE_ENIk1@thread.v2"
)

// interaction is a record of a Copilot history; more are further members.
func interaction(id int, kind, session, request, more string) string {
	return fmt.Sprintf(`{"id":"%d","etag":"%d","createdDateTime":%q,"interactionType":%q,"sessionId":%s,"requestId":%s,`+
		`"appClass":"IPM.SkypeTeams.Message.Copilot.Teams","locale":"en-us","body":{"contentType":"text","content":"x"},`+
		`"from":{"user":{"id":%q,"displayName":"8:orgid:%s"}}%s}`, id, id, ago(5), kind, session, request, reader, reader, more)
}

func quote(s string) string { return `"` + s + `"` }

func callRecord(id, join string) string {
	return fmt.Sprintf(`{"id":%q,"version":1,"type":"groupCall","startDateTime":%q,"endDateTime":%q,"joinWebUrl":%q}`, id, ago(6), ago(5), join)
}

// TestMeetingIsOneConversation holds that a meeting's chat, the Copilot interactions in it and its calls, however their
// join address is written, are in one conversation, which can be read.
func TestMeetingIsOneConversation(t *testing.T) {
	t.Parallel()
	upper := strings.NewReplacer(":", "%3A", "@", "%40").Replace(meetingChat)
	lower := strings.NewReplacer(":", "%3a", "@", "%40").Replace(meetingChat)
	join := "https://teams.microsoft.com/l/meetup-join/"
	inContext := `,"contexts":[{"contextType":"TeamsMeeting","displayName":"m","contextReference":"https://microsoft.teams.com/threads/` + meetingChat + `"}]`
	asAttachment := `,"attachments":[{"attachmentId":"` + meetingChat + `","contentType":"reference","contentUrl":null,"content":null,"name":"m"}]`
	aboutOther := `,"contexts":[{"contextType":"TeamsMeeting","contextReference":"https://microsoft.teams.com/threads/` + otherChat + `"}]`
	g := overFixture(t, &fixture{
		rows: map[string][]string{
			messagesPath: {
				`{"id":"1","chatId":"` + meetingChat + `","messageType":"message","createdDateTime":"` + ago(6) + `","lastModifiedDateTime":"` + ago(6) + `","body":{"contentType":"text","content":"hello"}}`,
				`{"id":"2","chatId":"` + meetingChat + `","messageType":"systemEventMessage","createdDateTime":"` + ago(5) + `","lastModifiedDateTime":"` + ago(5) + `","body":{"contentType":"html","content":"<systemEventMessage/>"},"eventDetail":{"@odata.type":"#microsoft.graph.callEndedEventMessageDetail","callId":"c1","callDuration":"PT1H","callEventType":"meeting"}}`,
			},
			interactionsPath: {
				interaction(11, "userPrompt", quote(session), quote("r1"), inContext),
				interaction(12, "aiResponse", quote(session), quote("r1"), inContext+asAttachment),
				interaction(13, "userPrompt", "null", "null", asAttachment),
				interaction(14, "aiResponse", quote(meetingChat), quote("r2"), ""),
				interaction(15, "aiResponse", quote(meetingChat), quote("r3"), aboutOther), // asked in one meeting about another
			},
			callsPath: {
				callRecord("c1", join+upper+"/0?context=%7b%22Tid%22%3a%22x%22%7d"),
				callRecord("c2", join+lower+"/0"),
				callRecord("c3", join+meetingChat+"/0"),
				callRecord("c4", join+strings.ReplaceAll(upper, "%", "%25")+"/0"),
			},
		},
		fixed: map[string]string{
			"/users/" + reader + "/chats/" + upper:              `{"id":"` + meetingChat + `","chatType":"meeting","topic":"Planning"}`,
			"/users/" + reader + "/chats/" + upper + "/members": `{"value":[{"id":"m","userId":"` + reader + `"}]}`,
		},
	}, nil)
	want := "users/" + reader + "/conversations/" + meetingChat
	events, summary := g.stream(t, "/v1/users/"+reader+"/events:stream?startTime="+day(2))
	if len(events) != 11 || !summary.GetComplete() {
		t.Fatalf("%d events, complete %v", len(events), summary.GetComplete())
	}
	for _, e := range events {
		if e.GetConversation() != want {
			t.Errorf("%s is in %q", e.GetName(), e.GetConversation())
		}
	}
	var chat parleyv1.Conversation
	if status, body := g.get(t, "/v1/"+events[0].GetConversation(), &chat); status != http.StatusOK || chat.GetName() != want || chat.GetTopic() != "Planning" {
		t.Errorf("the conversation: HTTP %d %s", status, body)
	}
}

// TestMeetingsOfTheSimulator finds meetings whose chat, Copilot interactions and calls are in one conversation, and holds that
// a call's conversation can be read like any chat.
func TestMeetingsOfTheSimulator(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, nil)
	events, summary := g.stream(t, "/v1/users/"+g.sim.DemoUser().ID+"/events:stream?startTime="+day(28))
	if !summary.GetComplete() {
		t.Fatalf("summary %v", summary)
	}
	sources := map[string]map[parleyv1.Source]bool{}
	for _, e := range events {
		name := e.GetConversation()
		if sources[name] == nil {
			sources[name] = map[parleyv1.Source]bool{}
		}
		sources[name][e.GetSource().GetSource()] = true
	}
	for name, of := range sources {
		if len(of) < 3 || name == "" {
			continue
		}
		var chat parleyv1.Conversation
		if status, body := g.get(t, "/v1/"+name, &chat); status != http.StatusOK || chat.GetKind() != parleyv1.ConversationKind_CONVERSATION_KIND_MEETING {
			t.Errorf("%s: HTTP %d %s", name, status, body)
		}
		return
	}
	t.Errorf("no meeting among %d conversations has events of all three sources", len(sources))
}

// TestPromptsAndAnswers holds that what belongs together shares a correlation id: several answers, an answer first, and
// interactions that name no request or session.
func TestPromptsAndAnswers(t *testing.T) {
	t.Parallel()
	g := overFixture(t, &fixture{rows: map[string][]string{interactionsPath: {
		interaction(21, "userPrompt", quote(session), quote("r1"), ""),
		interaction(22, "aiResponse", quote(session), quote("r1"), ""),
		interaction(23, "aiResponse", quote(session), quote("r1"), ""),
		interaction(31, "aiResponse", quote(session), quote("r2"), ""),
		interaction(32, "userPrompt", quote(session), quote("r2"), ""),
		interaction(41, "userPrompt", "null", "null", ""),
		interaction(42, "aiResponse", quote(session), "null", ""),
		interaction(51, "somethingNew", quote(session), quote("r5"), ""),
	}}}, nil)
	events, _ := g.stream(t, "/v1/users/"+reader+"/events:stream?sources=SOURCE_COPILOT&startTime="+day(2))
	got := map[string][]string{}
	for _, e := range events {
		turn := e.GetCorrelationId()
		got[turn] = append(got[turn], strings.TrimPrefix(e.GetKind().String(), "EVENT_KIND_")+" "+e.GetSource().GetId())
		if user := e.GetActor().GetUser(); user.GetDisplayName() != "" || user.GetMri() != "8:orgid:"+reader {
			t.Errorf("an address is a name: %v", user)
		}
		var whole parleyv1.Event
		if status, body := g.get(t, "/v1/"+e.GetName(), &whole); status != http.StatusOK || whole.GetUid() != e.GetUid() || whole.GetVersion() != e.GetVersion() {
			t.Errorf("%s: HTTP %d %.200s", e.GetName(), status, body)
		}
	}
	for _, ids := range got {
		slices.Sort(ids)
	}
	want := map[string][]string{
		"r1": {"ANSWER 22", "ANSWER 23", "PROMPT 21"}, "r2": {"ANSWER 31", "PROMPT 32"}, "": {"ANSWER 42", "PROMPT 41"}, "r5": {"OTHER 51"},
	}
	if !maps.EqualFunc(want, got, slices.Equal) {
		t.Errorf("turns %v, want %v", got, want)
	}
}
