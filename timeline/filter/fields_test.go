package filter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
)

// asked is a prompt about a file, answered is its answer, and wrote a message; plain has nothing that can be left out.
var (
	asked = &parleyv1.Event{
		CorrelationId: "R-1",
		Actor:         &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u1", DisplayName: "Ada Lovelace"}},
		Body:          &parleyv1.Body{Content: "<b>secret</b>", PlainText: "Sum up the BUDGET of May"},
		Attachments:   []*parleyv1.Attachment{{Id: "1"}, {Id: "2", Name: "Budget 2026.xlsx"}},
		Detail:        &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "IPM.SkypeTeams.Message.Copilot.BizChat"}},
	}
	answered = &parleyv1.Event{
		CorrelationId: "r-1",
		Actor:         &parleyv1.IdentitySet{Application: &parleyv1.Identity{Id: "a1", DisplayName: "Copilot in Word"}},
		Body:          &parleyv1.Body{PlainText: "budget"},
		Links:         []*parleyv1.Link{{Url: "https://contoso.example/a*b"}},
		Detail:        &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: "IPM.SkypeTeams.Message.Copilot.Word"}},
	}
	wrote = &parleyv1.Event{
		ReplyTo:  "1700000000000",
		Actor:    &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u2", DisplayName: "Ben"}},
		Mentions: []*parleyv1.Mention{{Mentioned: &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "u1"}}}},
		Detail:   &parleyv1.Event_Chat{Chat: &parleyv1.ChatDetail{}},
	}
	plain = &parleyv1.Event{Kind: parleyv1.EventKind_EVENT_KIND_CALL, Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{}}}
)

// TestEachFieldFindsDecodedAndEncodedEvents holds what each field of the contents of events finds, decoded and encoded.
func TestEachFieldFindsDecodedAndEncodedEvents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // asked, answered, wrote, plain
		`correlation_id = "R-1"`:                   "ttff",
		`correlation_id = "R-*"`:                   "ffff", // an id knows no wildcards
		`correlation_id:*`:                         "ttff",
		`body.plain_text = "*budget*"`:             "ttff",
		`body.plain_text = "*BUDGET"`:              "ftff",
		`body.plain_text = "sum up*"`:              "tfff",
		`body.plain_text = "sum*of*may"`:           "tfff",
		`body.plain_text = "*secret*"`:             "ffff",
		`NOT body.plain_text:*`:                    "fftt",
		`body.plain_text != "*budget*"`:            "fftt",
		`attachments:*`:                            "tfff",
		`NOT attachments:*`:                        "fttt",
		`attachments.name:"*budget*"`:              "tfff",
		`attachments.name = "budget"`:              "ffff",
		`attachments.name:*`:                       "tfff",
		`links.url:"https://contoso.example/*"`:    "ftff",
		`links.url:"https://contoso.example/a\*b"`: "ftff",
		`links:*`:                                  "ftff",
		`mentions.user.id:"U1"`:                    "fftf",
		`mentions.user.id = "u*"`:                  "ffff",
		`mentions:*`:                               "fftf",
		`reply_to:*`:                               "fftf",
		`reply_to = "1700000000000"`:               "fftf",
		`reply_to = "17*"`:                         "ffff",
		`copilot.app = CHAT`:                       "tfff",
		`copilot.app = chat`:                       "tfff",
		`copilot.app = BizChat`:                    "tfff",
		`copilot.app = "WORD"`:                     "ftff",
		`copilot.app != WORD`:                      "tftt",
		`copilot.app = OUTLOOK`:                    "ffff",
		`copilot.app:*`:                            "ttff",
		`actor = "ada*"`:                           "tfff",
		`actor = "copilot in word"`:                "ftff",
		`actor = "a"`:                              "ffff",
		`actor:*`:                                  "tttf",
		`kind:*`:                                   "ffft",
		`attachments:* OR reply_to:*`:              "tftf",
		`attachments:* AND correlation_id = "r-1"`: "tfff",
	} {
		f, got := compile(t, text), ""
		for _, event := range []*parleyv1.Event{asked, answered, wrote, plain} {
			wire, err := proto.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			result := f.Match(event)
			if encoded, err := f.MatchWire(wire); err != nil || encoded != result {
				t.Errorf("%s: %v decoded, %v encoded, %v", text, result, encoded, err)
			}
			got += map[filter.Result]string{filter.True: "t", filter.False: "f", filter.Unknown: "?"}[result] //nolint:perfsprint // four characters
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if _, err := compile(t, `body.plain_text = x`).MatchWire([]byte{0xff}); err == nil {
		t.Error("broken bytes were evaluated")
	}
}

// TestAConditionThatAFieldCannotHaveIsAnError: what cannot be asked of a field is refused at its position, with the field's name or what is allowed.
func TestAConditionThatAFieldCannotHaveIsAnError(t *testing.T) {
	t.Parallel()
	const metadata = parleyv1.EventView_EVENT_VIEW_METADATA
	for _, test := range []struct {
		filter   string
		view     parleyv1.EventView
		position int
		message  string
	}{
		{`attachments = "x"`, basic, 1, "attachments:*"},
		{`attachments : x`, basic, 1, "attachments:*"},
		{`kind = EVENT_KIND_CALL mentions:"*"`, basic, 24, "mentions:*"},
		{`reply_to : x`, basic, 1, "reply_to:*"},
		{`copilot.app = "W*"`, basic, 15, "CHAT, EXCEL, LOOP, TEAMS, WORD"},
		{`copilot.app = "IPM.x"`, basic, 15, "CHAT, EXCEL, LOOP, TEAMS, WORD"},
		{`call.participants.id:*`, basic, 1, "call.participants.id"},
		{`body.content = x`, basic, 1, "body.plain_text"},
		{`actor < x`, basic, 1, "actor"},
		{`kind = EVENT_KIND_CALL AND body.plain_text = "x"`, metadata, 28, "they may name copilot.app_class, copilot.app, correlation_id"},
		{`attachments.name:*`, metadata, 1, "attachments.name may not"},
		{`NOT (links.url:"x")`, metadata, 6, "links.url may not"},
	} {
		_, err := filter.Compile(test.filter, filter.Events(), test.view)
		var fault *filter.Error
		if !errors.As(err, &fault) || fault.Position != test.position || !strings.Contains(fault.Message, test.message) {
			t.Errorf("%s: %v, want position %d and %q", test.filter, err, test.position, test.message)
		}
	}
	for _, fine := range []string{`attachments:*`, `links:*`, `mentions.user.id:"x"`, `reply_to:*`, `copilot.app = WORD`, `correlation_id = x`} {
		if _, err := filter.Compile(fine, filter.Events(), metadata); err != nil {
			t.Errorf("%s under METADATA: %v", fine, err)
		}
	}
}

// TestSenderConditionsReachGraphWholeOrNotAtAll: conditions on the sender that are joined by OR reach Graph as a whole, or not at all.
func TestSenderConditionsReachGraphWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	const chat, copilot = parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT
	const several = `actor.application.identity_type = IDENTITY_TYPE_BOT OR actor.user.identity_type = IDENTITY_TYPE_ANONYMOUS_GUEST OR actor.user.id = a`
	senders := source.Sender{UserIDs: []string{"a"}, UserTypes: []string{"anonymousGuest"}, ApplicationTypes: []string{"bot"}}
	fields := []string{"actor.application.identity_type", "actor.user.identity_type", "actor.user.id"}
	for _, test := range []struct {
		filter string
		src    parleyv1.Source
		want   filter.Pushed
	}{
		{several, chat, filter.Pushed{Clause: source.Clause{AnySender: senders}, Fields: fields}},
		{several, parleyv1.Source_SOURCE_RETAINED_CHAT, filter.Pushed{Clause: source.Clause{AnySender: senders}, Fields: fields}},
		{several, copilot, filter.Pushed{}},
		{`(` + several + `) AND kind != EVENT_KIND_SYSTEM AND body.plain_text = "*x*"`, chat, filter.Pushed{
			Clause: source.Clause{AnySender: senders, NoSystem: true}, Fields: append(append([]string(nil), fields...), "kind"),
		}},
		{`actor.user.id = b AND (` + several + `)`, chat, filter.Pushed{
			Clause: source.Clause{AnySender: senders, Sender: source.Sender{UserIDs: []string{"b"}}},
			Fields: []string{"actor.user.id", "actor.application.identity_type", "actor.user.identity_type"},
		}},
		{`actor.user.id = a OR kind = EVENT_KIND_SYSTEM`, chat, filter.Pushed{}},
		{`actor.user.id = a OR actor = "Ben"`, chat, filter.Pushed{}},
		{`actor.user.id:*`, chat, filter.Pushed{}},
		{`actor.user.id = a OR NOT actor.user.identity_type = IDENTITY_TYPE_AAD_USER`, chat, filter.Pushed{}},
		{`copilot.app = word OR copilot.app_class = "x"`, copilot, filter.Pushed{
			Clause: source.Clause{AppClasses: []string{"IPM.SkypeTeams.Message.Copilot.Word", "x"}}, Fields: []string{"copilot.app", "copilot.app_class"},
		}},
		{`copilot.app = OUTLOOK`, copilot, filter.Pushed{}}, // nobody knows how Graph spells its class
		{`copilot.app:*`, copilot, filter.Pushed{}},
	} {
		if diff := cmp.Diff(test.want, compile(t, test.filter).Push(test.src)); diff != "" {
			t.Errorf("%s for %v (-want +got):\n%s", test.filter, test.src, diff)
		}
	}
}
