package filter_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
)

const basic = parleyv1.EventView_EVENT_VIEW_BASIC

func compile(t *testing.T, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Compile(text, filter.Events(), basic)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func TestAFilterMatchesEvents(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC)
	message := &parleyv1.Event{
		Kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, EventTime: timestamppb.New(at),
		Conversation: "users/u/conversations/19:x@thread.v2",
		Actor: &parleyv1.IdentitySet{User: &parleyv1.Identity{
			Id: "ABC-1", IdentityType: parleyv1.IdentityType_IDENTITY_TYPE_AAD_USER,
		}},
		Detail: &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{}},
	}
	prompt := &parleyv1.Event{
		Kind: parleyv1.EventKind_EVENT_KIND_PROMPT, EventTime: timestamppb.New(at.Add(time.Hour)),
		Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "IPM.SkypeTeams.Message.Copilot.Word"}},
	}
	call := &parleyv1.Event{Kind: parleyv1.EventKind_EVENT_KIND_CALL, Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}}
	whole := &parleyv1.Event{Kind: parleyv1.EventKind_EVENT_KIND_CALL, Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{
		Participants: []*parleyv1.CallParticipant{{Id: "p1"}, {Id: "p2"}},
	}}}
	tests := []struct {
		filter string
		want   string // of message, prompt, call, whole: t, f, ?
	}{
		{"", "tttt"},
		{"  ", "tttt"},
		{`kind = EVENT_KIND_MESSAGE`, "tfff"},
		{`kind != EVENT_KIND_MESSAGE`, "fttt"},
		{`NOT kind = EVENT_KIND_MESSAGE`, "fttt"},
		{`-kind = EVENT_KIND_MESSAGE`, "fttt"},
		{`kind = "EVENT_KIND_MESSAGE" OR kind = 'EVENT_KIND_PROMPT'`, "ttff"},
		{`kind = EVENT_KIND_MESSAGE AND actor.user.id = "abc-1"`, "tfff"},
		{`kind = EVENT_KIND_MESSAGE actor.user.id = other`, "ffff"},
		{`actor.user.id != "abc-1"`, "fttt"},
		{`actor.user.identity_type = IDENTITY_TYPE_AAD_USER`, "tfff"},
		{`actor.application.identity_type = IDENTITY_TYPE_BOT`, "ffff"},
		{`copilot.app_class = "IPM.SkypeTeams.Message.Copilot.Word"`, "ftff"},
		{`conversation = "19:x@thread.v2"`, "tfff"},
		{`conversation = "users/u/conversations/19:x@thread.v2"`, "tfff"},
		{`event_time >= "2026-03-01T12:00:00.5Z"`, "ttff"},
		{`event_time > "2026-03-01T12:00:00.5Z"`, "ftff"},
		{`event_time <= "2026-03-01T13:00:00.5+01:00"`, "tfff"},
		{`event_time = "2026-03-01T12:00:00.5Z"`, "tfff"},
		{`create_time < "2030-01-01T00:00:00Z"`, "ffff"},
		{`call.participants.id = "p2"`, "ff?t"},
		{`call.participants.id : p3`, "ff?f"},
		{`call.participants.id = "p2" AND kind = EVENT_KIND_MESSAGE`, "ffff"},
		// OR binds more tightly than AND.
		{`kind = EVENT_KIND_CALL AND kind = EVENT_KIND_CALL OR kind = EVENT_KIND_MESSAGE`, "fftt"},
		{`(kind = EVENT_KIND_CALL AND actor.user.id = x) OR kind = EVENT_KIND_MESSAGE`, "tfff"},
		{`kind = EVENT_KIND_MESSAGE OR kind = EVENT_KIND_CALL AND event_time > "2000-01-01T00:00:00Z"`, "tfff"},
	}
	for _, test := range tests {
		f := compile(t, test.filter)
		got := ""
		var gotSb82 strings.Builder
		for _, event := range []*parleyv1.Event{message, prompt, call, whole} {
			gotSb82.WriteString(map[filter.Result]string{filter.True: "t", filter.False: "f", filter.Unknown: "?"}[f.Match(event)])
		}
		got += gotSb82.String()
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.filter, got, test.want)
		}
	}
}

// TestWhoeverARecordNamesAttended: whoever a whole record names anywhere attended; one that names nobody leaves it open.
func TestWhoeverARecordNamesAttended(t *testing.T) {
	t.Parallel()
	user := func(id string) *parleyv1.IdentitySet { return &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: id}} }
	phone := &parleyv1.IdentitySet{Phone: &parleyv1.Identity{Id: "P"}}
	other := []*parleyv1.CallParticipant{{Id: "q"}}
	for name, test := range map[string]struct {
		call *parleyv1.CallDetail
		want filter.Result
	}{
		"participant":            {&parleyv1.CallDetail{Participants: []*parleyv1.CallParticipant{{Id: "P"}}}, filter.True},
		"identity":               {&parleyv1.CallDetail{Participants: []*parleyv1.CallParticipant{{Id: "x", Identity: phone}}}, filter.True},
		"deprecated form":        {&parleyv1.CallDetail{Participants: other, LegacyParticipants: []*parleyv1.IdentitySet{user("p")}}, filter.True},
		"caller":                 {&parleyv1.CallDetail{Participants: other, Sessions: []*parleyv1.CallSession{{Caller: &parleyv1.CallEndpoint{Identity: user("p")}}}}, filter.True},
		"callee":                 {&parleyv1.CallDetail{Participants: other, Sessions: []*parleyv1.CallSession{{Callee: &parleyv1.CallEndpoint{AssociatedIdentity: user("p").GetUser()}}}}, filter.True},
		"organizer alone":        {&parleyv1.CallDetail{Participants: other, Organizer: &parleyv1.CallParticipant{Id: "p"}}, filter.False},
		"others":                 {&parleyv1.CallDetail{Participants: other, Sessions: []*parleyv1.CallSession{{}}}, filter.False},
		"nobody":                 {&parleyv1.CallDetail{}, filter.Unknown},
		"listed":                 {&parleyv1.CallDetail{Partial: true, LegacyParticipants: []*parleyv1.IdentitySet{user("q")}}, filter.Unknown},
		"listed, in the old way": {&parleyv1.CallDetail{Partial: true, LegacyParticipants: []*parleyv1.IdentitySet{user("p")}}, filter.True},
		"partly read":            {&parleyv1.CallDetail{Partial: true, Participants: other}, filter.False},
	} {
		event := &parleyv1.Event{Kind: parleyv1.EventKind_EVENT_KIND_CALL, Detail: &parleyv1.Event_Call{Call: test.call}}
		if got := compile(t, `call.participants.id = p`).Match(event); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestAMalformedFilterIsAnErrorAtItsPosition(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", 17) + "kind = EVENT_KIND_CALL" + strings.Repeat(")", 17)
	tests := []struct {
		filter   string
		position int
	}{
		{`colour = "red"`, 1},
		{`kind = EVENT_KIND_CALL AND colour = red`, 28},
		{`kind`, 5},
		{`kind =`, 7},
		{`= kind`, 1},
		{`"kind" = EVENT_KIND_CALL`, 1},
		{`kind = EVENT_KIND_PARTY`, 8},
		{`kind = 5`, 8},
		{`kind = EVENT_KIND_UNSPECIFIED`, 8},
		{`kind > EVENT_KIND_CALL`, 1},
		{`kind : EVENT_KIND_CALL`, 1},
		{`actor.user.id < "x"`, 1},
		{`actor.user.id = ""`, 17},
		{`kind = "EVENT_KIND_*"`, 8},
		{`event_time = "2026-*"`, 14},
		{`event_time > yesterday`, 14},
		{`event_time > "2026-03-01"`, 14},
		{`event_time > 2026`, 14},
		{`event_time > -1`, 14},
		{`kind = EVENT_KIND_CALL OR`, 26},
		{`AND kind = EVENT_KIND_CALL`, 1},
		{`(kind = EVENT_KIND_CALL`, 24},
		{`kind = EVENT_KIND_CALL)`, 23},
		{`kind = "EVENT_KIND_CALL`, 8},
		{`kind ! EVENT_KIND_CALL`, 6},
		{`kind(x)`, 1},
		{`kind = EVENT_KIND_CALL; drop`, 23},
		{`kind = EVENT_KIND_CALL OR call.participants.id = x`, 27},
		{`NOT call.participants.id = x`, 5},
		{`call.participants.id != x`, 1},
		{"kind = \xff", 1},
		{deep, 17},
		{strings.Repeat("NOT ", 17) + "kind = EVENT_KIND_CALL", 65},
		{strings.Repeat("x", 513), 513},
	}
	for _, test := range tests {
		_, err := filter.Compile(test.filter, filter.Events(), basic)
		var fault *filter.Error
		if !errors.As(err, &fault) || fault.Position != test.position {
			t.Errorf("%s: %v, want position %d", test.filter, err, test.position)
		}
	}
	for _, fine := range []string{deep[1 : len(deep)-1], strings.Repeat("NOT ", 16) + "kind = EVENT_KIND_CALL", "kind = EVENT_KIND_CALL" + strings.Repeat(" ", 490)} {
		compile(t, fine)
	}
	if _, err := filter.Compile(`actor.user.id = "secret words`, filter.Events(), basic); strings.Contains(err.Error(), "secret") {
		t.Errorf("the error quotes a literal: %v", err)
	}
}

func TestReadersOfMetadataFilterByMetadataAlone(t *testing.T) {
	t.Parallel()
	const metadata = parleyv1.EventView_EVENT_VIEW_METADATA
	if _, err := filter.Compile(`kind = EVENT_KIND_CALL AND actor.user.id = x AND event_time > "2026-01-01T00:00:00Z"`, filter.Events(), metadata); err != nil {
		t.Errorf("marked fields: %v", err)
	}
	if _, err := filter.Compile(`installed_apps = x`, filter.Conversations(), metadata); err == nil {
		t.Error("a field that is not marked was accepted")
	}
}

func TestConditionsArePushedToGraph(t *testing.T) {
	t.Parallel()
	const chat, copilot, call = parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL
	tests := []struct {
		filter string
		src    parleyv1.Source
		want   filter.Pushed
	}{
		{`copilot.app_class = a`, copilot, filter.Pushed{Clause: source.Clause{AppClasses: []string{"a"}}, Fields: []string{"copilot.app_class"}}},
		{`copilot.app_class = a OR copilot.app_class = b`, copilot, filter.Pushed{Clause: source.Clause{AppClasses: []string{"a", "b"}}, Fields: []string{"copilot.app_class"}}},
		{`copilot.app_class = a AND copilot.app_class = b`, copilot, filter.Pushed{Clause: source.Clause{AppClasses: []string{"a"}}, Fields: []string{"copilot.app_class"}}},
		{`copilot.app_class != a`, copilot, filter.Pushed{}},
		{`NOT copilot.app_class = a`, copilot, filter.Pushed{}},
		{`copilot.app_class = a OR kind = EVENT_KIND_PROMPT`, copilot, filter.Pushed{}},
		{`copilot.app_class = a`, chat, filter.Pushed{}},
		{`actor.user.id = a actor.user.identity_type = IDENTITY_TYPE_ANONYMOUS_GUEST`, chat, filter.Pushed{
			Clause: source.Clause{Sender: source.Sender{UserIDs: []string{"a"}, UserTypes: []string{"anonymousGuest"}}},
			Fields: []string{"actor.user.id", "actor.user.identity_type"},
		}},
		{`actor.application.identity_type = IDENTITY_TYPE_BOT OR actor.application.identity_type = IDENTITY_TYPE_TENANT_BOT`, chat, filter.Pushed{
			Clause: source.Clause{Sender: source.Sender{ApplicationTypes: []string{"bot", "tenantBot"}}}, Fields: []string{"actor.application.identity_type"},
		}},
		{`kind = EVENT_KIND_SYSTEM`, chat, filter.Pushed{Clause: source.Clause{SystemOnly: true}, Fields: []string{"kind"}}},
		{`kind != EVENT_KIND_SYSTEM`, chat, filter.Pushed{Clause: source.Clause{NoSystem: true}, Fields: []string{"kind"}}},
		{`kind = EVENT_KIND_MESSAGE`, chat, filter.Pushed{Clause: source.Clause{NoSystem: true}, Fields: []string{"kind"}}},
		{`kind = EVENT_KIND_OTHER`, chat, filter.Pushed{}},
		{`kind = EVENT_KIND_SYSTEM`, call, filter.Pushed{}},
		{`call.participants.id = p AND kind = EVENT_KIND_CALL`, call, filter.Pushed{Clause: source.Clause{ParticipantID: "p"}, Fields: []string{"call.participants.id"}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, compile(t, test.filter).Push(test.src)); diff != "" {
			t.Errorf("%s for %v (-want +got):\n%s", test.filter, test.src, diff)
		}
	}
	member, app, fields := func() (string, string, []string) {
		f, err := filter.Compile(`members.display_name = "Ada" AND installed_apps : "x" AND kind = CONVERSATION_KIND_GROUP`, filter.Conversations(), basic)
		if err != nil {
			t.Fatal(err)
		}
		return f.PushChats()
	}()
	if diff := cmp.Diff([]string{"Ada", "x", "members.display_name", "installed_apps"}, append([]string{member, app}, fields...)); diff != "" {
		t.Error(diff)
	}
}

func TestSourcesThatCannotMatchAreKnown(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // copilot, chat, call
		`copilot.app_class = a`:                                         "tff",
		`copilot.app_class != a`:                                        "ttt",
		`call.participants.id = a`:                                      "fft",
		`kind = EVENT_KIND_SYSTEM`:                                      "ftf",
		`kind = EVENT_KIND_CALL OR copilot.app_class = a`:               "tft",
		`NOT kind = EVENT_KIND_CALL`:                                    "ttf",
		`kind = EVENT_KIND_OTHER`:                                       "ttf",
		`kind = EVENT_KIND_CALL AND kind = EVENT_KIND_MESSAGE`:          "fff",
		`event_time > "2026-01-01T00:00:00Z"`:                           "ttt",
		`copilot.app_class = a AND event_time > "2026-01-01T00:00:00Z"`: "tff",
	}
	for text, want := range tests {
		got := ""
		var gotSb221 strings.Builder
		for _, src := range []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL} {
			if compile(t, text).Possible(src) {
				gotSb221.WriteString("t")
			} else {
				gotSb221.WriteString("f")
			}
		}
		got += gotSb221.String()
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// FuzzCompile checks that nothing breaks the parser, and that what it accepts can be evaluated and pushed.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`kind = EVENT_KIND_CALL`, `NOT (actor.user.id = "x" OR -kind != 'EVENT_KIND_CALL') copilot.app_class = a\"`,
		`copilot.app_class = "*a\**b*" OR copilot.app_class != *`, `actor.user.id = '+1206555****'`, `event_time >= "2026-03-01T12:00:00.5Z"`, "((((", `"\`, "call.participants.id:x",
		`attachments:* AND attachments.name:"*budget*"`, `copilot.app = CHAT OR copilot.app = "x"`, `actor = "A*" mentions.user.id:'u' reply_to:* links.url:"*"`,
	} {
		f.Add(seed)
	}
	schema := filter.Events()
	event := &parleyv1.Event{Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "xaa*b"}}}
	wire, err := proto.Marshal(event)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := filter.Compile(text, schema, basic)
		if err != nil {
			var fault *filter.Error
			if !errors.As(err, &fault) || fault.Position < 1 || fault.Position > len(text)+1 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if encoded, err := compiled.MatchWire(wire); err != nil || encoded != compiled.Match(event) {
			t.Errorf("%q: %v encoded, %v decoded, %v", text, encoded, compiled.Match(event), err)
		}
		for src := range parleyv1.Source_name {
			compiled.Push(parleyv1.Source(src))
			compiled.Possible(parleyv1.Source(src))
		}
	})
}

// TestAMistypedNameGetsAHint holds what a mistyped field or value of a filter is answered with.
func TestAMistypedNameGetsAHint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`eventTime > "2026-01-01T00:00:00Z"`: "unknown field; did you mean event_time? known are copilot.app_class, ",
		`actor.user.ids = "x"`:               "unknown field; did you mean actor.user.id? known are ",
		`colour = "x"`:                       "unknown field; known are ",
		`kind = MESSAGE`:                     "expected a value of EventKind; did you mean EVENT_KIND_MESSAGE? known are EVENT_KIND_MESSAGE, EVENT_KIND_SYSTEM, ",
		`kind = nonsense`:                    "expected a value of EventKind; known are EVENT_KIND_MESSAGE, ",
	} {
		_, err := filter.Compile(text, filter.Events(), parleyv1.EventView_EVENT_VIEW_BASIC)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
