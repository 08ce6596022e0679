package filter_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/filter"
)

// word is an interaction of an application class.
func word(class string) *parleyv1.Event {
	return &parleyv1.Event{Detail: &parleyv1.Event_Copilot{Copilot: &parleyv1.CopilotDetail{AppClass: class}}}
}

// TestAStarIsAWildcardInTexts: a * in a filter. A wildcard in texts that know it, and itself elsewhere and behind a backslash.
func TestAStarIsAWildcardInTexts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		filter, class string
		want          filter.Result
	}{
		{`copilot.app_class = "IPM.*.Copilot.Word"`, "ipm.skypeteams.message.copilot.word", filter.True},
		{`copilot.app_class = "IPM.*.Copilot.Word"`, "IPM.SkypeTeams.Message.Copilot.Excel", filter.False},
		{`copilot.app_class != "IPM.*.Copilot.Word"`, "IPM.SkypeTeams.Message.Copilot.Excel", filter.True},
		{`copilot.app_class = IPM.*`, "IPM.X", filter.True},
		{`copilot.app_class = *.Word`, "IPM.Word", filter.True},
		{`copilot.app_class = *.Word`, "IPM.Words", filter.False},
		{`copilot.app_class = "*"`, "x", filter.True},
		{`copilot.app_class = "*"`, "", filter.False},
		{`copilot.app_class = "a**b"`, "ab", filter.True},
		{`copilot.app_class = "ab*b"`, "ab", filter.False},
		{`copilot.app_class = "*a*b*"`, "xbxa", filter.False},
		{`copilot.app_class = "a\*b"`, "a*b", filter.True},
		{`copilot.app_class = "a\*b"`, "axb", filter.False},
		{`copilot.app_class = 'a\**'`, "a*bc", filter.True},
		{`copilot.app_class = 'a\**'`, "abc", filter.False},
		{`copilot.app_class = "a\\*"`, `a\b`, filter.True},
		{`copilot.app_class = "É*K"`, "éx k", filter.True},
		{`copilot.app_class = "*ß"`, "ẞ", filter.True},
	}
	for _, test := range tests {
		if got := compile(t, test.filter).Match(word(test.class)); got != test.want {
			t.Errorf("%s of %q: %v, want %v", test.filter, test.class, got, test.want)
		}
		if pushed := compile(t, test.filter).Push(parleyv1.Source_SOURCE_COPILOT); strings.Contains(test.filter, `"*`) && len(pushed.Fields) > 0 {
			t.Errorf("%s: Graph is asked for a pattern", test.filter)
		}
	}
	// Graph masks numbers; ids are compared as they are, and so asked for.
	const masked = "+1206555****"
	message := &parleyv1.Event{Actor: &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: masked}}}
	call := &parleyv1.Event{Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Participants: []*parleyv1.CallParticipant{{Id: masked}}}}}
	other := &parleyv1.Event{Actor: &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: "+12065551234"}}}
	for text, event := range map[string]*parleyv1.Event{
		`actor.user.id = "+1206555****"`: message, `actor.user.id = "+1206555\*\*\*\*"`: message,
		`call.participants.id = "+1206555****"`: call, `call.participants.id : '+1206555***\*'`: call,
	} {
		f := compile(t, text)
		if f.Match(event) != filter.True || f.Match(other) == filter.True {
			t.Errorf("%s: %v, and %v of another number", text, f.Match(event), f.Match(other))
		}
		clause := f.Push(parleyv1.Source_SOURCE_CALL).Clause
		if asked := clause.ParticipantID + strings.Join(f.Push(parleyv1.Source_SOURCE_CHAT).Clause.UserIDs, ""); asked != masked {
			t.Errorf("%s: asked for %q", text, asked)
		}
	}
	conversation := &parleyv1.Event{Conversation: "users/u/conversations/~MTk6Kg"}
	if compile(t, `conversation = "users/u/conversations/*"`).Match(conversation) != filter.False {
		t.Error("a conversation's name knows wildcards")
	}
}

// TestNamesOfMembersAndUsersTakeWildcards: names of members and of users in the report know wildcards, apps do not.
func TestNamesOfMembersAndUsersTakeWildcards(t *testing.T) {
	t.Parallel()
	usage, err := filter.Compile(`user_principal_name = "*@contoso.example"`, filter.Usage(), basic)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]filter.Result{"Ada@Contoso.example": filter.True, "ada@fabrikam.example": filter.False} {
		if got := usage.Match(&parleyv1.CopilotUsageRow{UserPrincipalName: name}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	chats, err := filter.Compile(`members.display_name = "Ada *" AND installed_apps : "a*"`, filter.Conversations(), basic)
	if err != nil {
		t.Fatal(err)
	}
	member, app, fields := chats.PushChats()
	if diff := cmp.Diff([]string{"", "a*", "installed_apps"}, append([]string{member, app}, fields...)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	ada := []*parleyv1.ConversationMember{{DisplayName: "Bob"}, {DisplayName: "ada lovelace"}}
	for name, test := range map[string]struct {
		chat  *parleyv1.Conversation
		asked bool
		want  filter.Result
	}{
		"asked, a member":           {&parleyv1.Conversation{Members: ada}, true, filter.True},
		"not asked, a member":       {&parleyv1.Conversation{Members: ada}, false, filter.Unknown},
		"asked, no member":          {&parleyv1.Conversation{Members: ada[:1]}, true, filter.False},
		"asked, not all are listed": {&parleyv1.Conversation{Members: ada[:1], MembersTruncated: true}, true, filter.Unknown},
	} {
		if got := chats.MatchChat(test.chat, test.asked); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestAHostileWildcardCostsNoMoreThanItsText: a pattern costs no more than a look at the text for each of its pieces. One that tried every way to share the text
// out among them would not come to an end.
func TestAHostileWildcardCostsNoMoreThanItsText(t *testing.T) {
	t.Parallel()
	f := compile(t, `copilot.app_class = "`+strings.Repeat("*a", 240)+`*b"`)
	class := word(strings.Repeat("a", 1<<20))
	if f.Match(class) != filter.False {
		t.Error("a text without a b matches")
	}
}

// FuzzWildcards compares the patterns with a table of all beginnings, which is slow and plainly right.
func FuzzWildcards(f *testing.F) {
	f.Add("a*b*c", "axbxc")
	f.Add("**\\*", "*")
	f.Add("*aab", "aaab")
	f.Fuzz(func(t *testing.T, pattern, class string) {
		if len(pattern) > 100 || len(class) > 100 || strings.Contains(pattern, `"`) {
			return
		}
		for _, r := range pattern + class {
			if r > 0x7e {
				return
			}
		}
		compiled, err := filter.Compile(`copilot.app_class = "`+pattern+`"`, filter.Events(), basic)
		if err != nil {
			return
		}
		type element struct {
			c    byte
			wild bool
		}
		var want []element
		for i := 0; i < len(pattern); i++ {
			switch {
			case pattern[i] == '\\' && i+1 < len(pattern):
				i++
				want = append(want, element{c: pattern[i]})
			default:
				want = append(want, element{pattern[i], pattern[i] == '*'})
			}
		}
		fits := make([]bool, len(class)+1) // the elements so far fit the first n characters
		fits[0] = true
		for _, e := range want {
			next := make([]bool, len(class)+1)
			for n := range next {
				if e.wild {
					next[n] = fits[n] || n > 0 && next[n-1]
				} else {
					next[n] = n > 0 && fits[n-1] && strings.EqualFold(class[n-1:n], string(e.c))
				}
			}
			fits = next
		}
		want2 := fits[len(class)] && class != ""
		if got := compiled.Match(word(class)) == filter.True; got != want2 {
			t.Errorf("%q of %q: %v", pattern, class, got)
		}
	})
}
