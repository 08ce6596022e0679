package graphsim_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphsim"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	rows, pages := c.all("/v1.0/users?$select=id,displayName,userPrincipalName&$top=7")
	want := slices.Collect(s.Oracle("").Users())
	got := make([]graphsim.Person, 0, len(rows))
	for _, r := range rows {
		got = append(got, graphsim.Person{ID: text(r, "id"), UPN: text(r, "userPrincipalName"), Name: text(r, "displayName")})
		if len(r) != 3 {
			t.Errorf("not only what was selected: %v", r)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 6 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	guests := 0
	for _, p := range want {
		for _, id := range []string{p.ID, strings.ToUpper(p.UPN)} {
			if r := c.entity("/v1.0/users/" + url.PathEscape(id) + "?$select=id"); text(r, "id") != p.ID {
				t.Errorf("%s: %v", id, r)
			}
		}
		if strings.Contains(p.UPN, "#EXT#") {
			guests++
		}
	}
	if guests != 2 {
		t.Errorf("%d guests", guests)
	}
	if r := c.entity("/beta/USERS('" + want[0].ID + "')"); text(r, "displayName") != want[0].Name {
		t.Errorf("key in parentheses: %v", r)
	}
}

func TestChatForms(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.Messages = graphsim.DefaultMessages }) // no chat is empty
	c := newClient(t, s)
	u := s.DemoUser()
	rows, _ := c.all("/beta/users/" + u.UPN + "/chats?$expand=members,lastMessagePreview&$top=50")
	kinds, capped, lastTimes := map[string]int{}, 0, map[string]string{}
	for _, r := range rows {
		kinds[text(r, "chatType")]++
		id := text(r, "id")
		lastTimes[id] = text(r, "lastMessagePreview", "createdDateTime")
		members, _ := r["members"].([]any)
		full := c.page("/v1.0/chats/" + id + "/members")
		if len(members) > 25 || len(members) < len(full.Value) && len(members) != 25 {
			t.Errorf("%s: %d members of %d", id, len(members), len(full.Value))
		}
		if len(full.Value) > 25 {
			capped++
		}
		if text(r, "chatType") == "meeting" && !strings.Contains(text(r, "onlineMeetingInfo", "joinWebUrl"), url.QueryEscape(id)) {
			t.Errorf("%s: join URL %q", id, text(r, "onlineMeetingInfo", "joinWebUrl"))
		}
		if _, ok := r["createdBy"]; !ok {
			t.Errorf("%s: no createdBy in beta", id)
		}
	}
	if kinds["oneOnOne"] < 3 || kinds["group"] < 2 || kinds["meeting"] < 2 || capped < 2 {
		t.Errorf("kinds %v, %d large", kinds, capped)
	}
	// The same chat under every spelling of its path.
	id := text(rows[0], "id")
	for _, path := range []string{
		"/v1.0/chats/" + id, "/v1.0/chats/" + url.QueryEscape(id), "/v1.0/chats('" + url.QueryEscape(id) + "')", "/V1.0/Chats/" + id,
		"/v1.0/users/" + u.ID + "/chats/" + id, "/beta/users('" + u.ID + "')/chats('" + id + "')",
	} {
		if r := c.entity(path + "?$expand=members"); text(r, "id") != id || r["members"] == nil {
			t.Errorf("%s: %v", path, r["id"])
		}
	}
	ordered, _ := c.all("/v1.0/users/" + u.ID + "/chats?$top=6&$orderby=lastMessagePreview/createdDateTime%20desc&$expand=lastMessagePreview")
	if len(ordered) != len(rows) || !slices.IsSortedFunc(ordered, func(a, b row) int {
		return strings.Compare(lastTimes[text(b, "id")][:19], lastTimes[text(a, "id")][:19])
	}) {
		t.Errorf("%d chats of %d, not ordered by their last message", len(ordered), len(rows))
	}
	name := s.Oracle("").Members(id)[0]
	for _, r := range c.page("/v1.0/users/" + u.ID + "/chats?$top=50&" + filter("members/any(o: o/displayname eq '%s')", strings.ReplaceAll(name, "'", "''"))).Value {
		if !slices.Contains(s.Oracle("").Members(text(r, "id")), name) {
			t.Errorf("%s has no member %s", text(r, "id"), name)
		}
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestMessagesHaveEveryKindThatGraphSends checks that the data holds every kind of thing that Graph can send.
func TestMessagesHaveEveryKindThatGraphSends(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.MessagePageSize, c.Messages = 500, graphsim.DefaultMessages })
	c := newClient(t, s).with("Prefer", "include-unknown-enum-members")
	rows, _ := c.all("/beta/users/" + s.DemoUser().ID + "/chats/getAllMessages")
	seen, known := map[string]int{}, map[string]bool{}
	for _, r := range rows {
		known[text(r, "chatId")+" "+text(r, "id")] = true
	}
	for _, r := range rows {
		if r["@odata.type"] != "#microsoft.graph.chatMessage" {
			t.Fatalf("row without a type: %v", r)
		}
		seen["type "+text(r, "messageType")]++
		seen["event "+text(r, "eventDetail", "@odata.type")]++
		seen["user "+text(r, "from", "user", "userIdentityType")]++
		seen["app "+text(r, "from", "application", "applicationIdentityType")]++
		seen["importance "+text(r, "importance")]++
		seen["body "+text(r, "body", "contentType")]++
		for _, k := range []string{"lastEditedDateTime", "deletedDateTime", "policyViolation", "subject"} {
			if r[k] != nil {
				seen[k]++
			}
		}
		for _, k := range []string{"attachments", "mentions", "reactions", "messageHistory"} {
			if list, _ := r[k].([]any); len(list) > 0 {
				seen[k]++
			}
		}
		if list, _ := r["attachments"].([]any); len(list) > 0 {
			first, _ := list[0].(row)
			seen["attachment "+text(first, "contentType")]++
			switch text(first, "contentType") {
			case "messageReference":
				seen["answered"]++
				seen["answered and known"] += count(known[text(r, "chatId")+" "+text(first, "id")])
			case "reference":
				seen["file alone"] += count(strings.HasPrefix(text(r, "body", "content"), "<attachment"))
			}
		}
		content := text(r, "body", "content")
		seen["quote"] += count(strings.Contains(content, `itemtype="http://schema.skype.com/Reply" itemid="1`))
		seen["customemoji"] += count(strings.Contains(content, "<customemoji "))
		seen["picture alone"] += count(strings.HasPrefix(content, "<div><div>\n<div><img "))
	}
	for _, k := range []string{
		"type message", "type systemEventMessage", "user aadUser", "user federatedUser", "user anonymousGuest", "user phoneUser", "user personalMicrosoftAccountUser",
		"app bot", "importance high", "importance urgent", "body text", "body html", "lastEditedDateTime", "deletedDateTime", "policyViolation", "subject",
		"attachments", "mentions", "reactions", "messageHistory", "attachment reference", "attachment messageReference", "attachment forwardedMessageReference", "file alone", "quote", "customemoji", "picture alone", "attachment application/vnd.microsoft.card.adaptive",
	} {
		if seen[k] == 0 {
			t.Errorf("no %s in %d messages", k, len(rows))
		}
	}
	// The days before the first one are not in the data.
	if seen["answered and known"] < seen["answered"]*9/10 {
		t.Errorf("%d of %d answered messages are known", seen["answered and known"], seen["answered"])
	}
	events := 0
	for k := range seen {
		if strings.HasPrefix(k, "event #microsoft.graph.") {
			events++
		}
	}
	if events != 31 {
		t.Errorf("%d kinds of system events, want 31", events)
	}
}

func TestUnknownEnumMembers(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	path := "/v1.0/users/" + s.DemoUser().ID + "/chats/getAllMessages?$top=5&" + filter("messageType eq 'systemEventMessage'")
	for prefer, want := range map[string]string{"": "unknownFutureValue", "include-unknown-enum-members": "systemEventMessage", "odata.maxpagesize=3, include-unknown-enum-members": "systemEventMessage"} {
		for _, r := range c.with("Prefer", prefer).page(path).Value {
			if text(r, "messageType") != want || r["from"] != nil {
				t.Errorf("Prefer %q: %v", prefer, r)
			}
		}
	}
}

func TestSenderFilters(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.MessagePageSize = 500 })
	c := newClient(t, s)
	base := "/v1.0/users/" + s.DemoUser().ID + "/chats/getAllMessages?"
	all, _ := c.all(base)
	for _, q := range []struct {
		filter string
		holds  func(row) bool
	}{
		{"from/user/id eq '" + s.DemoUser().ID + "'", func(r row) bool { return text(r, "from", "user", "id") == s.DemoUser().ID }},
		{"from/user/userIdentityType eq 'anonymousGuest' or from/user/userIdentityType eq 'federatedUser'", func(r row) bool {
			k := text(r, "from", "user", "userIdentityType")
			return k == "anonymousGuest" || k == "federatedUser"
		}},
		{"from/application/applicationIdentityType eq 'bot'", func(r row) bool { return text(r, "from", "application", "applicationIdentityType") == "bot" }},
		{"messageType ne 'systemEventMessage'", func(r row) bool { return text(r, "messageType") == "message" }},
		{"(from/user/id eq '" + s.DemoUser().ID + "') and (lastModifiedDateTime gt 2026-10-01T00:00:00Z and lastModifiedDateTime lt 2026-11-01T00:00:00Z)", func(r row) bool {
			at := text(r, "lastModifiedDateTime")
			return text(r, "from", "user", "id") == s.DemoUser().ID && at > "2026-10-01T00:00:00Z" && at < "2026-11-01T00:00:00Z"
		}},
	} {
		id := func(r row) string { return text(r, "chatId") + text(r, "id") }
		rows, _ := c.all(base + filter("%s", q.filter))
		want := pagedKeys(slices.DeleteFunc(slices.Clone(all), func(r row) bool { return !q.holds(r) }), id)
		if diff := cmp.Diff(want, pagedKeys(rows, id)); diff != "" || len(want) == 0 {
			t.Errorf("%s: %d rows: %s", q.filter, len(want), diff)
		}
	}
}

func TestExportQuirks(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	path := "/v1.0/users/" + s.DemoUser().UPN + "/chats/getallMessages?$top=20"
	empty, repeated, disorder, total := 0, 0, 0, 0
	var last row
	for target := path; target != ""; {
		p, body := c.pageText(target)
		if next := strings.Index(body, `"@odata.nextLink"`); next > strings.Index(body, `"value"`) {
			t.Error("the link comes after the rows")
		}
		if p.Count != len(p.Value) {
			t.Errorf("count %d, %d rows", p.Count, len(p.Value))
		}
		if p.Next != "" {
			link, token, _ := strings.Cut(p.Next, "&$skiptoken=")
			if want := s.URL() + "/v1.0/users('" + strings.ReplaceAll(url.PathEscape(s.DemoUser().UPN), "@", "%40") + "')/chats/getallMessages?$top=20"; link != want {
				t.Fatalf("link %s, want %s", link, want)
			}
			if strings.ContainsAny(token, "=+/") || token != strings.ReplaceAll(strings.ReplaceAll(token, "%3D", "%3d"), "%2F", "%2f") {
				t.Fatalf("token %s", token)
			}
		}
		if len(p.Value) == 0 && p.Next != "" {
			empty++
		}
		for i, r := range p.Value {
			if i == 0 && last != nil && cmp.Equal(last, r) {
				repeated++
			}
			if last != nil && text(r, "lastModifiedDateTime") < text(last, "lastModifiedDateTime") {
				disorder++
			}
			last = r
			total++
		}
		target = p.Next
	}
	if empty == 0 || repeated == 0 || disorder == 0 || disorder*3 > total {
		t.Errorf("%d empty pages, %d repeated rows, %d of %d rows out of order", empty, repeated, disorder, total)
	}
	steady := start(t, func(c *graphsim.Config) { c.Steady = true })
	rows, pages := newClient(t, steady).all(path)
	if want := len(oracleKeys(t, steady, graphsim.SourceChat, steady.DemoUser().ID, time.Time{}, time.Time{})); len(rows) != want || pages != (want+19)/20 {
		t.Errorf("steady: %d rows in %d pages, want %d", len(rows), pages, want)
	}
}

func TestChatMessagesFilter(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	var chat string
	for id := range s.Oracle("").Chats(s.DemoUser().ID) {
		chat = id
		break
	}
	path := "/v1.0/users/" + s.DemoUser().ID + "/chats/" + chat + "/messages?$top=50&"
	clause := filter("lastModifiedDateTime gt 2026-10-01T00:00:00Z and lastModifiedDateTime lt 2026-11-01T00:00:00Z")
	all, _ := c.all(path)
	ignored, _ := c.all(path + clause)
	if len(ignored) != len(all) {
		t.Errorf("a filter without its order gave %d of %d", len(ignored), len(all))
	}
	other, _ := c.all(path + clause + "&$orderby=createdDateTime%20desc")
	if len(other) != len(all) {
		t.Errorf("a filter beside another order gave %d of %d", len(other), len(all))
	}
	rows, _ := c.all(path + clause + "&$orderby=lastModifiedDateTime%20desc")
	if len(rows) == 0 || len(rows) >= len(all) {
		t.Errorf("filtered %d of %d", len(rows), len(all))
	}
	for _, r := range rows {
		if at := text(r, "lastModifiedDateTime"); at <= "2026-10-01T00:00:00Z" || at >= "2026-11-01T00:00:00Z" {
			t.Errorf("outside: %s", at)
		}
	}
	one := c.entity("/v1.0/chats/" + chat + "/messages/" + text(rows[0], "id"))
	delete(one, "@odata.context")
	if diff := cmp.Diff(rows[0], one); diff != "" {
		t.Errorf("the message alone: %s", diff)
	}
	if r := c.get("/v1.0/users/" + unlicensedStranger(s, chat) + "/chats/" + chat + "/messages"); r.status != 404 {
		t.Errorf("a stranger's look: %d", r.status)
	}
}

// unlicensedStranger finds a user who is not in a chat.
func unlicensedStranger(s *graphsim.Sim, chat string) string {
	for p := range s.Oracle("").Users() {
		if !slices.Contains(slices.Collect(s.Oracle("").Chats(p.ID)), chat) {
			return p.ID
		}
	}
	return ""
}

func TestCopilotVariety(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.Interactions = 4000 })
	c := newClient(t, s)
	path := "/copilot/users/" + s.DemoUser().ID + "/interactionHistory/getAllEnterpriseInteractions?$top=100"
	rows, _ := c.all("/beta" + path)
	seen, requests := map[string]int{}, map[string][]string{}
	for _, r := range rows {
		seen[text(r, "interactionType")+" "+text(r, "body", "contentType")]++
		seen[text(r, "appClass")]++
		if text(r, "body", "messageBodyContentType") == "" {
			t.Error("no messageBodyContentType in beta")
		}
		if text(r, "interactionType") == "userPrompt" && text(r, "from", "user", "displayName") != "8:orgid:"+s.DemoUser().ID {
			t.Errorf("prompt from %v", r["from"])
		}
		if strings.HasPrefix(text(r, "body", "content"), "<attachment") {
			list, _ := r["attachments"].([]any)
			card, _ := list[0].(row)
			if content := text(card, "content"); strings.Count(content, "TextBlock") == 2 && strings.Contains(content, "\r\n") {
				seen["card"]++
			}
		}
		if list, _ := r["contexts"].([]any); len(list) > 0 {
			seen["meeting"]++
			if strings.Contains(text(r, "sessionId"), "meeting_") {
				seen["meeting session"]++
			}
		}
		requests[text(r, "requestId")] = append(requests[text(r, "requestId")], text(r, "interactionType"))
	}
	for _, kinds := range requests {
		seen[fmt.Sprint(slices.Sorted(slices.Values(kinds)))]++
	}
	for _, k := range []string{
		"userPrompt text", "aiResponse text", "aiResponse html", "card", "meeting", "meeting session", "[aiResponse userPrompt]", "[aiResponse aiResponse userPrompt]",
		"IPM.SkypeTeams.Message.Copilot.BizChat", "IPM.SkypeTeams.Message.Copilot.Teams", "IPM.SkypeTeams.Message.Copilot.Word",
	} {
		if seen[k] == 0 {
			t.Errorf("no %s in %d interactions", k, len(rows))
		}
	}
	word, _ := c.all("/v1.0" + path + "&" + filter("appClass eq 'IPM.SkypeTeams.Message.Copilot.Word' or appClass eq 'IPM.SkypeTeams.Message.Copilot.Loop'"))
	for _, r := range word {
		if text(r, "body", "messageBodyContentType") != "" {
			t.Error("messageBodyContentType in v1.0")
		}
	}
	want := seen["IPM.SkypeTeams.Message.Copilot.Word"] + seen["IPM.SkypeTeams.Message.Copilot.Loop"]
	if got := len(pagedKeys(word, func(r row) string { return text(r, "id") })); got > want || got < want/2 || got == 0 {
		t.Errorf("%d interactions of two apps, want about %d", got, want)
	}
}

// TestAMeetingHasOneThreadEverywhere finds one thread in a chat, in Copilot and in a call record.
func TestAMeetingHasOneThreadEverywhere(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := newClient(t, s)
	u := s.DemoUser().ID
	chats := slices.Collect(s.Oracle("").Chats(u))
	inCopilot := map[string]bool{}
	rows, _ := c.all("/v1.0/copilot/users/" + u + "/interactionHistory/getAllEnterpriseInteractions?$top=100")
	for _, r := range rows {
		if list, _ := r["contexts"].([]any); len(list) > 0 {
			first, _ := list[0].(row)
			inCopilot[strings.TrimPrefix(text(first, "contextReference"), "https://microsoft.teams.com/threads/")] = true
		}
	}
	shared := 0
	calls, _ := c.all("/v1.0/communications/callRecords?" + filter("participants_v2/any(p:p/id eq '%s')", u))
	for _, r := range calls {
		_, after, ok := strings.Cut(text(r, "joinWebUrl"), "/l/meetup-join/")
		if !ok {
			continue
		}
		thread, err := url.PathUnescape(strings.Split(after, "/")[0])
		if err != nil || !slices.Contains(chats, thread) {
			t.Errorf("thread %q of %v is none of the user's chats", thread, r["id"])
		}
		if inCopilot[thread] {
			shared++
		}
	}
	if shared == 0 {
		t.Errorf("no thread in all three of %d calls, %d Copilot threads", len(calls), len(inCopilot))
	}
}

// TestRetainedMessagesHaveTheTextsOfDeletedOnes checks that the export of retained messages takes the options of the export of all messages but the model, and
// has the texts of deleted messages.
func TestRetainedMessagesHaveTheTextsOfDeletedOnes(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *graphsim.Config) { c.MessagePageSize = 500 })
	c := newClient(t, s)
	path := "/v1.0/users/" + s.DemoUser().ID + "/chats/"
	messages, _ := c.all(path + "getAllMessages")
	copies, _ := c.all(path + "getAllRetainedMessages")
	texts, deleted := map[string]string{}, 0
	for _, r := range copies {
		texts[text(r, "chatId")+" "+text(r, "id")] = text(r, "body", "content")
	}
	for _, r := range messages {
		retained, known := texts[text(r, "chatId")+" "+text(r, "id")]
		if !known {
			t.Fatalf("no copy of %v", r)
		}
		if r["deletedDateTime"] != nil {
			deleted++
			if retained == "" || text(r, "body", "content") != "" {
				t.Errorf("%s: text %q, retained %q", text(r, "id"), text(r, "body", "content"), retained)
			}
		}
	}
	if deleted == 0 {
		t.Error("no message was deleted")
	}
	if a := c.get(path + "getAllRetainedMessages?model=A"); a.status != 400 {
		t.Errorf("a model: %d", a.status)
	}
}
