package source_test

import (
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
)

// readOne normalizes one record through a source.
func readOne(t *testing.T, build func(source.Graph, source.Options) source.EventReader, q source.EventQuery, record string) source.Item {
	t.Helper()
	_, client := newUpstream(t, func(string) reply { return list("", record) })
	q.User, q.Start, q.End = q.Owner, start, end
	page, err := build(client, options(graph.Beta)).Events(t.Context(), q, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 1 {
		t.Fatalf("%d items", len(page.Items))
	}
	return page.Items[0]
}

func chatReader(g source.Graph, o source.Options) source.EventReader { return source.NewChat(g, o) }
func copilotReader(g source.Graph, o source.Options) source.EventReader {
	return source.NewCopilot(g, o)
}
func callReader(g source.Graph, o source.Options) source.EventReader { return source.NewCall(g, o) }

func TestAMessageRecordBecomesAnEvent(t *testing.T) {
	t.Parallel()
	q := source.EventQuery{Owner: userID}
	own := source.EventQuery{Owner: userID, Conversation: chatID, ByCreateTime: true}
	for _, tc := range []struct {
		name, record string
		query        source.EventQuery
		kind         parleyv1.EventKind
		version      int64
		time         string // empty = none
		conversation string
	}{
		{
			name:   "edited and reacted to after its entity tag",
			record: `{"id":"1","chatId":"c","etag":"1700000000000","messageType":"message","createdDateTime":"2024-11-20T10:00:00Z","lastModifiedDateTime":"2024-11-20T10:00:02.5Z","lastEditedDateTime":"2024-11-20T10:00:01Z","reactions":[{"createdDateTime":"2024-11-20T10:00:03Z"}]}`,
			kind:   parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1732096803000, time: "2024-11-20T10:00:02.5Z", conversation: "c",
		},
		{
			name:   "deleted",
			record: `{"id":"1","chatId":"c","etag":"W/\"5\"","messageType":"message","lastModifiedDateTime":"2024-11-20T10:00:02Z","deletedDateTime":"2024-11-20T10:00:04Z","body":{"contentType":"text","content":""}}`,
			kind:   parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1732096804000, time: "2024-11-20T10:00:02Z", conversation: "c",
		},
		{
			name:   "deleted in the old form",
			record: `{"id":"1","chatId":"c","etag":"9","messageType":"message","createdDateTime":"2024-11-20T10:00:00Z","deletedDateTime":null,"body":{"contentType":"text","content":""}}`,
			kind:   parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 9, time: "2024-11-20T10:00:00Z", conversation: "c",
		},
		{
			name:   "malformed modification time",
			record: `{"id":"1","chatId":"c","messageType":"message","createdDateTime":"2021-03-17T06:47:05.1234567Z","lastModifiedDateTime":"2021-03-1706:47:05.123Z"}`,
			kind:   parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1615963625123, time: "2021-03-17T06:47:05.1234567Z", conversation: "c",
		},
		{
			name: "no time", record: `{"id":"1","chatId":"c","messageType":"message","createdDateTime":"0001-01-01T00:00:00Z"}`,
			kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, conversation: "c",
		},
		{
			name:   "a note of Teams",
			record: `{"id":"1","chatId":"c","etag":"1","messageType":"systemEventMessage","from":null,"body":{"contentType":"html","content":"<systemEventMessage/>"},"eventDetail":{"@odata.type":"#microsoft.graph.chatRenamedEventMessageDetail"}}`,
			kind:   parleyv1.EventKind_EVENT_KIND_SYSTEM, version: 1, conversation: "c",
		},
		{
			name:   "a note hidden as unknownFutureValue",
			record: `{"id":"1","chatId":"c","etag":"1","messageType":"unknownFutureValue","eventDetail":{"@odata.type":"#microsoft.graph.futureDetail"}}`,
			kind:   parleyv1.EventKind_EVENT_KIND_SYSTEM, version: 1, conversation: "c",
		},
		{name: "unknown sort", record: `{"id":"1","chatId":"c","etag":"1","messageType":"hologram"}`, kind: parleyv1.EventKind_EVENT_KIND_OTHER, version: 1, conversation: "c"},
		{name: "typing", record: `{"id":"1","chatId":"c","etag":"1","messageType":"typing"}`, kind: parleyv1.EventKind_EVENT_KIND_OTHER, version: 1, conversation: "c"},
		{name: "no sort", record: `{"id":"1","chatId":"c","etag":"1"}`, kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1, conversation: "c"},
		{
			name: "channel", record: `{"id":"1","etag":"1","chatId":null,"channelIdentity":{"teamId":"t","channelId":"19:ch@thread.tacv2"}}`,
			kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1, conversation: "19:ch@thread.tacv2",
		},
		{name: "no chat", record: `{"id":"1","etag":"1"}`, kind: parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1},
		{
			name: "asked of its chat by creation", query: own,
			record: `{"id":"1","etag":"1","createdDateTime":"2024-11-20T10:00:00Z","lastModifiedDateTime":"2024-11-22T10:00:00Z"}`,
			kind:   parleyv1.EventKind_EVENT_KIND_MESSAGE, version: 1732269600000, time: "2024-11-20T10:00:00Z", conversation: chatID,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.query.Owner == "" {
				tc.query = q
			}
			item := readOne(t, chatReader, tc.query, tc.record)
			event := eventOf(t, item)
			if event.GetKind() != tc.kind || event.GetVersion() != tc.version {
				t.Errorf("kind %v, version %d", event.GetKind(), event.GetVersion())
			}
			if got := strings.TrimPrefix(event.GetConversation(), "users/"+userID+"/conversations/"); got != tc.conversation {
				t.Errorf("conversation %q", got)
			}
			checkTime(t, item, tc.time)
			if event.GetOwner() != "users/"+userID || event.GetSource().GetSource() != parleyv1.Source_SOURCE_CHAT || event.GetSource().GetApiVersion() != "beta" {
				t.Errorf("owner %q, source %v", event.GetOwner(), event.GetSource())
			}
			if tc.name == "malformed modification time" && event.GetUnmapped().GetFields()["lastModifiedDateTime"].GetStringValue() == "" {
				t.Errorf("the malformed time is lost: %v", event.GetUnmapped())
			}
		})
	}
}

func checkTime(t *testing.T, item source.Item, want string) {
	t.Helper()
	if want == "" {
		if !item.NoTime || !item.Time.IsZero() || eventOf(t, item).GetEventTime() != nil {
			t.Errorf("time %v %v", item.Time, eventOf(t, item).GetEventTime())
		}
		return
	}
	if got := item.Time.Format(time.RFC3339Nano); item.NoTime || got != want {
		t.Errorf("time %s, want %s", got, want)
	}
}

func TestAnInteractionRecordBecomesAnEvent(t *testing.T) {
	t.Parallel()
	const thread, other = "19:meeting_a-B_1@thread.v2", "19:meeting_b@thread.v2"
	for _, tc := range []struct {
		name, record, conversation string
		kind                       parleyv1.EventKind
		version                    int64
	}{
		{
			name: "session", record: `{"id":"1","sessionId":"s","etag":"1731701801008","interactionType":"userPrompt"}`,
			conversation: "s", kind: parleyv1.EventKind_EVENT_KIND_PROMPT, version: 1731701801008,
		},
		{
			name: "no session and no request", record: `{"id":"1","sessionId":null,"requestId":null,"createdDateTime":"2024-11-15T20:16:41.008Z","interactionType":"aiResponse"}`,
			kind: parleyv1.EventKind_EVENT_KIND_ANSWER, version: 1731701801008,
		},
		{
			name: "meeting in a context", conversation: thread, kind: parleyv1.EventKind_EVENT_KIND_OTHER,
			record: `{"id":"1","sessionId":"s","interactionType":"tool","contexts":[{"contextType":"teamsMeeting","contextReference":"https://microsoft.teams.com/threads/` + thread + `"},{"contextType":"File","contextReference":"` + other + `"}]}`,
		},
		{
			name: "meeting in an attachment", conversation: thread, kind: parleyv1.EventKind_EVENT_KIND_OTHER,
			record: `{"id":"1","sessionId":"s","attachments":[{"attachmentId":"x","contentType":"reference","contentUrl":"https://microsoft.teams.com/threads/19%3Ameeting_a-B_1%40Thread.v2"}]}`,
		},
		{
			name: "the session's own meeting before one that is asked about", conversation: thread, kind: parleyv1.EventKind_EVENT_KIND_OTHER,
			record: `{"id":"1","sessionId":"` + thread + `","contexts":[{"contextType":"TeamsMeeting","contextReference":"https://microsoft.teams.com/threads/` + other + `"}]}`,
		},
		{
			name: "two meetings", conversation: "s", kind: parleyv1.EventKind_EVENT_KIND_OTHER,
			record: `{"id":"1","sessionId":"s","attachments":[{"attachmentId":"` + thread + `","contentType":"reference"},{"attachmentId":"` + other + `","contentType":"reference"}]}`,
		},
		{
			name: "a card is no meeting", conversation: "s", kind: parleyv1.EventKind_EVENT_KIND_OTHER,
			record: `{"id":"1","sessionId":"s","attachments":[{"attachmentId":"` + thread + `","contentType":"application/vnd.microsoft.card.adaptive"}]}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			event := eventOf(t, readOne(t, copilotReader, source.EventQuery{Owner: userID}, tc.record))
			if got := strings.TrimPrefix(event.GetConversation(), "users/"+userID+"/conversations/"); got != tc.conversation {
				t.Errorf("conversation %q, want %q", got, tc.conversation)
			}
			if event.GetKind() != tc.kind || event.GetVersion() != tc.version {
				t.Errorf("kind %v, version %d", event.GetKind(), event.GetVersion())
			}
		})
	}
	markdown := eventOf(t, readOne(t, copilotReader, source.EventQuery{Owner: userID},
		`{"id":"1","body":{"contentType":"text","messageBodyContentType":"markdown","content":"**bold** <attachment id=\"a\"></attachment>"},"attachments":[{"attachmentId":"a","name":"f.docx","contentType":"reference","content":"é"}]}`))
	if got := markdown.GetBody().GetPlainText(); got != "bold [f.docx]" {
		t.Errorf("plain text %q", got)
	}
	if markdown.GetAttachments()[0].GetContentSize() != 2 {
		t.Errorf("content size %d", markdown.GetAttachments()[0].GetContentSize())
	}
}

func TestAListedCallIsPartial(t *testing.T) {
	t.Parallel()
	item := readOne(t, callReader, source.EventQuery{Owner: userID},
		`{"id":"c","version":"12","startDateTime":"2024-11-20T18:52:21.2169889Z","organizer":{"user":{"id":"u"}},"organizer_v2":null}`)
	checkTime(t, item, "2024-11-20T18:52:21.2169889Z")
	event := eventOf(t, item)
	if event.GetVersion() != 12 || !event.GetCall().GetPartial() || event.GetActor().GetUser().GetId() != "u" ||
		event.GetConversation() != resource.Conversation(userID, "call:c") {
		t.Errorf("event %v", event)
	}
	if !event.GetCreateTime().AsTime().Equal(item.Time) {
		t.Errorf("create time %v", event.GetCreateTime())
	}
	checkTime(t, readOne(t, callReader, source.EventQuery{Owner: userID}, `{"id":"c"}`), "")
}

// TestSameThingsHaveTheSameUID holds what is the same thing and what is not.
func TestSameThingsHaveTheSameUID(t *testing.T) {
	t.Parallel()
	const message = `{"id":"1","chatId":"c","etag":"1","lastModifiedDateTime":"2024-11-20T10:00:00Z"}`
	const interaction = `{"id":"1","sessionId":"s"}`
	uid := func(build func(source.Graph, source.Options) source.EventReader, owner, record string) string {
		t.Helper()
		item := readOne(t, build, source.EventQuery{Owner: owner}, record)
		if item.Key == "" {
			t.Error("no key")
		}
		return eventOf(t, item).GetUid()
	}
	base := uid(chatReader, "a", message)
	if base != uid(chatReader, "b", strings.Replace(message, `"etag":"1"`, `"etag":"2"`, 1)) {
		t.Error("owners and versions of one message differ")
	}
	own := uid(copilotReader, "a", interaction)
	ask, answer := `{"id":"1","sessionId":"s","requestId":"r","interactionType":"userPrompt"}`, `{"id":"1","sessionId":"s","requestId":"r","interactionType":"aiResponse"}`
	if own != uid(copilotReader, "A", interaction) {
		t.Error("the spelling of the owner's id matters")
	}
	seen := map[string]string{}
	for name, got := range map[string]string{
		"message":              base,
		"message, other id":    uid(chatReader, "a", strings.Replace(message, `"1"`, `"2"`, 1)),
		"message, other chat":  uid(chatReader, "a", strings.Replace(message, `"c"`, `"d"`, 1)),
		"message without id":   uid(chatReader, "a", `{"chatId":"c"}`),
		"another without id":   uid(chatReader, "a", `{"chatId":"c","etag":"2"}`),
		"message without chat": uid(chatReader, "a", `{"id":"1"}`),
		"another user's":       uid(chatReader, "b", `{"id":"1"}`),
		"interaction":          own,
		"other owner":          uid(copilotReader, "b", interaction),
		"other session":        uid(copilotReader, "a", `{"id":"1","sessionId":"t"}`),
		"long session":         uid(copilotReader, "a", `{"id":"1","sessionId":"`+strings.Repeat("s", 300)+`"}`),
		"another long session": uid(copilotReader, "a", `{"id":"1","sessionId":"`+strings.Repeat("s", 301)+`"}`),
		// Of one millisecond and session: a prompt and its answer, another exchange's, a type that the contract does not know.
		"prompt":                 uid(copilotReader, "a", ask),
		"its answer":             uid(copilotReader, "a", answer),
		"another prompt":         uid(copilotReader, "a", strings.Replace(ask, `"r"`, `"q"`, 1)),
		"of an unknown type":     uid(copilotReader, "a", strings.Replace(ask, "userPrompt", "toolResult", 1)),
		"call":                   uid(callReader, "a", `{"id":"1"}`),
		"call of another id":     uid(callReader, "a", `{"id":"2"}`),
		"call, as interaction":   uid(copilotReader, "a", `{"id":"1"}`),
		"message id with chat c": uid(chatReader, "a", `{"id":"c1","chatId":""}`),
	} {
		if before, taken := seen[got]; taken {
			t.Errorf("%s and %s have one uid", name, before)
		}
		seen[got] = name
	}
}

func TestAListedChatSaysWhetherItsMembersAreCut(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat(stranger+",", n), ",") }
	_, client := newUpstream(t, func(string) reply {
		return list("",
			`{"id":"a","chatType":"group","members":[`+many(24)+`],"lastMessagePreview":{"createdDateTime":"2024-11-20T10:00:00Z","body":{"contentType":"html","content":"<p>hi</p>"}}}`,
			`{"id":"b","chatType":"oneOnOne","members":[`+many(25)+`]}`,
			`{"id":"c","chatType":"hologram","members":[`+stranger+`],"members@odata.nextLink":"x"}`)
	})
	page, err := source.NewConversations(client, options("")).Conversations(t.Context(), source.ConversationQuery{Owner: "u", User: "u"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		kind      parleyv1.ConversationKind
		truncated bool
	}{
		{parleyv1.ConversationKind_CONVERSATION_KIND_GROUP, false},
		{parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE, true},
		{parleyv1.ConversationKind_CONVERSATION_KIND_OTHER, true},
	} {
		if chat := page.Items[i]; chat.GetKind() != want.kind || chat.GetMembersTruncated() != want.truncated {
			t.Errorf("chat %d: kind %v, truncated %v", i, chat.GetKind(), chat.GetMembersTruncated())
		}
	}
	first := page.Items[0]
	if first.GetLastMessage().GetBody().GetPlainText() != "hi" || first.GetLastMessageTime().AsTime().Hour() != 10 || page.Items[1].GetLastMessageTime() != nil {
		t.Errorf("last message %v at %v", first.GetLastMessage(), first.GetLastMessageTime())
	}
}

// TestAnswersWrittenInMarkdownAreReadAsMarkdown: Markdown where the type says HTML. Answers of Copilot alone are read so.
func TestAnswersWrittenInMarkdownAreReadAsMarkdown(t *testing.T) {
	t.Parallel()
	const html = `"contentType":"html","content":"<div>\n## Plan\n\n- **one** [1](https://x.example/1)\n</div>"`
	for _, tc := range []struct {
		name, record, want string
		read               func(source.Graph, source.Options) source.EventReader
	}{
		{"answer", `{"id":"1","sessionId":"s","interactionType":"aiResponse","body":{` + html + `}}`, "Plan\n\n- one [1] (https://x.example/1)", copilotReader},
		{"prompt", `{"id":"1","sessionId":"s","interactionType":"userPrompt","body":{` + html + `}}`, "## Plan - **one** [1](https://x.example/1)", copilotReader},
		{"message", `{"id":"1","chatId":"c","messageType":"message","body":{` + html + `}}`, "## Plan - **one** [1](https://x.example/1)", chatReader},
		{"answer with controls", `{"id":"1","sessionId":"s","interactionType":"aiResponse","body":{"contentType":"text","content":"a\u0000\u001b[1m\r\nb"}}`, "a[1m\nb", copilotReader},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			event := eventOf(t, readOne(t, tc.read, source.EventQuery{Owner: userID}, tc.record))
			if got := event.GetBody().GetPlainText(); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
