package summary_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source/summary"
)

const (
	meeting = "19:meeting_abc@thread.v2"
	group   = "19:abc@thread.v2"
)

// detailTypes are Graph's types of event message detail, as the options of SystemDetail name them.
func detailTypes(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	fields := (&parleyv1.SystemDetail{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		options, _ := proto.GetExtension(fields.Get(i).Options(), parleyv1.E_Graph).([]string)
		for _, option := range options {
			if name, _, _ := strings.Cut(option, "."); name != "eventMessageDetail" && strings.HasSuffix(name, "EventMessageDetail") {
				found[name] = true
			}
		}
	}
	types := make([]string, 0, len(found))
	for name := range found {
		types = append(types, name)
	}
	return types
}

func TestEveryDetailHasASummary(t *testing.T) {
	t.Parallel()
	types := detailTypes(t)
	if len(types) != 31 {
		t.Errorf("the model knows %d details, not 31", len(types))
	}
	for _, name := range types {
		for _, thread := range []string{meeting, group, ""} {
			got := summary.Note(&parleyv1.SystemDetail{EventType: name}, thread)
			if got.GetText() == "" || got.GetTemplateKey() == "" || got.GetLocale() != "en" {
				t.Errorf("%s in %q: summary %v", name, thread, got)
			}
			if strings.ContainsAny(got.GetText(), "{}[]") || strings.Contains(got.GetText(), "  ") {
				t.Errorf("%s in %q: the template shows: %q", name, thread, got.GetText())
			}
		}
	}
}

func TestANoteHasALine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ detail, thread, want string }{
		"members added": {
			`{"eventType":"membersAddedEventMessageDetail","initiator":{"user":{"id":"a","displayName":"Ada"}},"members":[{"id":"b","displayName":"Ben"}]}`, meeting,
			`{"text":"Ada added Ben to the meeting","locale":"en","templateKey":"members_added_meeting",
			"arguments":[{"name":"initiator","texts":["Ada"]},{"name":"members","texts":["Ben"],"number":1}]}`,
		},
		"names that Graph did not send": {
			`{"eventType":"membersAddedEventMessageDetail","initiator":{"user":{"id":"a"}},"members":[{"id":"b"},{"id":"c"}]}`, group,
			`{"text":"Someone added 2 people to the chat","locale":"en","templateKey":"members_added_chat",
			"arguments":[{"name":"initiator"},{"name":"members","number":2}]}`,
		},
		"one of three names": {
			`{"eventType":"membersDeletedEventMessageDetail","initiator":{"application":{"displayName":"Desk"}},"members":[{"id":"b"},{"displayName":"Cem"},{"id":"d"}]}`, group,
			`{"text":"Desk removed Cem and 2 others from the chat","locale":"en","templateKey":"members_removed_chat",
			"arguments":[{"name":"initiator","texts":["Desk"]},{"name":"members","texts":["Cem"],"number":3}]}`,
		},
		"three names": {
			`{"eventType":"membersJoinedEventMessageDetail","members":[{"displayName":"Ada"},{"displayName":"Ben"},{"displayName":"Cem"}],"message":{"channel":{"teamId":"t"}}}`, group,
			`{"text":"Ada, Ben and Cem joined the team","locale":"en","templateKey":"members_joined_team",
			"arguments":[{"name":"members","texts":["Ada","Ben","Cem"],"number":3}]}`,
		},
		"a member without a name": {
			`{"eventType":"membersLeftEventMessageDetail","members":[{"id":"a"}]}`, meeting,
			`{"text":"Someone left the meeting","locale":"en","templateKey":"members_left_meeting","arguments":[{"name":"members","number":1}]}`,
		},
		"a call that ended": {
			`{"eventType":"callEndedEventMessageDetail","callEventType":"CALL_EVENT_TYPE_CALL","callDuration":"2602s","callParticipants":[{},{},{},{},{}]}`, group,
			`{"text":"Call ended, 43 min, 5 people","locale":"en","templateKey":"call_ended",
			"arguments":[{"name":"duration","number":2602},{"name":"people","number":5}]}`,
		},
		"a meeting that ended, and nothing more": {
			`{"eventType":"callEndedEventMessageDetail","callEventType":"CALL_EVENT_TYPE_MEETING"}`, meeting,
			`{"text":"Meeting ended","locale":"en","templateKey":"meeting_ended"}`,
		},
		"roles": {
			`{"eventType":"conversationMemberRoleUpdatedEventMessageDetail","initiator":{"user":{"displayName":"Ada"}},"conversationMemberUser":{"displayName":"Ben"},"conversationMemberRoles":["owner"]}`, group,
			`{"text":"Ada changed the role of Ben to owner","locale":"en","templateKey":"member_role_changed",
			"arguments":[{"name":"initiator","texts":["Ada"]},{"name":"members","texts":["Ben"],"number":1},{"name":"roles","texts":["owner"]}]}`,
		},
		"a name of several lines with the marks of a template": {
			`{"eventType":"chatRenamedEventMessageDetail","initiator":{"user":{"displayName":"{name}"}},"chatDisplayName":"a [b]\n {initiator}"}`, group,
			`{"text":"{name} renamed the chat to a [b] {initiator}","locale":"en","templateKey":"chat_renamed",
			"arguments":[{"name":"initiator","texts":["{name}"]},{"name":"name","texts":["a [b] {initiator}"]}]}`,
		},
		"somebody whose name begins small": {
			`{"eventType":"tabUpdatedEventMessageDetail","initiator":{"user":{"displayName":"someone else"}}}`, group,
			`{"text":"someone else changed a tab","locale":"en","templateKey":"tab_changed","arguments":[{"name":"initiator","texts":["someone else"]}]}`,
		},
		"a policy": {
			`{"eventType":"meetingPolicyUpdatedEventMessageDetail","initiator":{"user":{"displayName":"Ada"}},"meetingChatEnabled":false}`, meeting,
			`{"text":"Ada turned off the chat of the meeting","locale":"en","templateKey":"meeting_chat_turned_off","arguments":[{"name":"initiator","texts":["Ada"]}]}`,
		},
		"a recording": {
			`{"eventType":"callRecordingEventMessageDetail","callRecordingStatus":"CALL_RECORDING_STATUS_SUCCESS","callRecordingDisplayName":"Review.mp4","callRecordingDuration":"7500s"}`, meeting,
			`{"text":"The recording Review.mp4 was stored, 2 h 5 min","locale":"en","templateKey":"recording_stored",
			"arguments":[{"name":"name","texts":["Review.mp4"]},{"name":"duration","number":7500}]}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			detail, want := &parleyv1.SystemDetail{}, &parleyv1.EventSummary{}
			unmarshal(t, test.detail, detail)
			unmarshal(t, test.want, want)
			if diff := cmp.Diff(want, summary.Note(detail, test.thread), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func unmarshal(t *testing.T, text string, into proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnknownDetailHasNoLine(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "EventMessageDetail", "pollClosedEventMessageDetail"} {
		if got := summary.Note(&parleyv1.SystemDetail{EventType: name}, group); got != nil {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestALineIsBounded(t *testing.T) {
	t.Parallel()
	detail := &parleyv1.SystemDetail{
		EventType: "membersAddedEventMessageDetail",
		Initiator: &parleyv1.IdentitySet{User: &parleyv1.Identity{DisplayName: strings.Repeat("ä", 5000)}},
	}
	for range 1000 {
		detail.Members = append(detail.Members, &parleyv1.Identity{DisplayName: strings.Repeat("b", 5000)})
	}
	got := summary.Note(detail, group)
	if size := proto.Size(got); size > 8<<10 {
		t.Errorf("a summary of %d bytes", size)
	}
	if !strings.Contains(got.GetText(), "… and 990 others to the chat") {
		t.Errorf("the others are not counted: %q", got.GetText()[len(got.GetText())-60:])
	}
	if initiator := got.GetArguments()[0].GetTexts()[0]; initiator != strings.Repeat("ä", 199)+"…" {
		t.Errorf("the initiator is %d bytes", len(initiator))
	}
}

func TestACallHasALine(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		start, end time.Time
		people     int
		want       string
	}{
		"whole":          {start, start.Add(43*time.Minute + 59*time.Second), 5, "Call, 43 min, 5 people"},
		"one":            {start, start.Add(time.Hour), 1, "Call, 1 h, 1 person"},
		"listed":         {start, start.Add(12 * time.Second), -1, "Call, 12 s"},
		"without an end": {start, time.Time{}, 2, "Call, 2 people"},
		"end before":     {start, start.Add(-time.Second), -1, "Call"},
		"no start":       {time.Time{}, start, -1, "Call"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := summary.Call(test.start, test.end, test.people); got.GetText() != test.want || got.GetTemplateKey() != "call" {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
}

// TestKeysAreDocumented holds the table of templates in docs/model.md.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/model.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `(.+)` \\|$").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2]
	}
	if diff := cmp.Diff(summary.Templates(), documented); diff != "" {
		t.Errorf("docs/model.md (- code, + page):\n%s", diff)
	}
}
