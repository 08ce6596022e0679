package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
)

// page is a page of a list, with a link to the next one if next is not empty.
func page(next string, records ...string) string {
	link := ""
	if next != "" {
		link = `,"@odata.nextLink":"{origin}/v1.0` + next + `"`
	}
	return `{"value":[` + strings.Join(records, ",") + `]` + link + `}`
}

// TestCallsAreWhole holds that GetEvent and streams of the view FULL follow the nested pages of sessions, of their segments
// and of participants, and that everything else says that a call is partial.
func TestCallsAreWhole(t *testing.T) {
	t.Parallel()
	segments := func(ids ...string) string {
		all := make([]string, len(ids))
		for i, id := range ids {
			all[i] = `{"id":"` + id + `","future":"of ` + id + `"}`
		}
		return `"segments":[` + strings.Join(all, ",") + `]`
	}
	participant := func(id string) string {
		return `{"id":"` + id + `","identity":{"user":{"id":"` + id + `","displayName":"P ` + id + `"}}}`
	}
	listed := callRecord("c1", "https://teams.microsoft.com/l/meetup-join/"+meetingChat+"/0")
	one := callsPath + "/c1"
	f := &fixture{
		rows: map[string][]string{callsPath: {listed}},
		fixed: map[string]string{
			one + "?$expand=sessions%28%24expand%3Dsegments%29": strings.TrimSuffix(listed, "}") + `,"sessions":[` +
				`{"id":"s1",` + segments("g1", "g2") + `,"segments@odata.nextLink":"{origin}/v1.0` + one + `/sessions('s1')/segments?$skiptoken=a"},` +
				`{"id":"s2",` + segments("g1") + `}],"sessions@odata.nextLink":"{origin}/v1.0` + one + `/sessions?$skiptoken=b"}`,
			one + "/sessions('s1')/segments?$skiptoken=a":  page(one+"/sessions('s1')/segments?$skiptoken=a2", `{"id":"g3","future":"of g3"}`),
			one + "/sessions('s1')/segments?$skiptoken=a2": page("", `{"id":"g4"}`),
			one + "/sessions?$skiptoken=b": page("", `{"id":"s3",`+segments("h1")+`,"segments@odata.nextLink":"{origin}/v1.0`+one+`/sessions('s3')/segments?$skiptoken=c"}`,
				`{"id":"s3",`+segments("other")+`}`), // two sessions of one id are legitimate
			one + "/sessions('s3')/segments?$skiptoken=c": page("", `{"id":"h2"}`),
			one + "/participants_v2":                      page(one+"/participants_v2?$skiptoken=d", participant("p1"), participant("p2")),
			one + "/participants_v2?$skiptoken=d":         page("", participant(reader)),
		},
	}
	g := overFixture(t, f, nil)
	check := func(how string, event *parleyv1.Event) {
		call := event.GetCall()
		sessions, people := make([]string, 0, len(call.GetSessions())), make([]string, 0, len(call.GetParticipants()))
		for _, s := range call.GetSessions() {
			ids := make([]string, len(s.GetSegments()))
			for i, segment := range s.GetSegments() {
				ids[i] = segment.GetId()
			}
			sessions = append(sessions, fmt.Sprint(s.GetId(), ids))
		}
		for _, p := range call.GetParticipants() {
			people = append(people, p.GetId())
		}
		if want := []string{"s1[g1 g2 g3 g4]", "s2[g1]", "s3[h1 h2]", "s3[other]"}; !slices.Equal(sessions, want) {
			t.Errorf("%s: sessions %v, want %v", how, sessions, want)
		}
		if want := []string{"p1", "p2", reader}; !slices.Equal(people, want) {
			t.Errorf("%s: participants %v, want %v", how, people, want)
		}
		if call.GetPartial() {
			t.Errorf("%s: a whole record says that it is partial", how)
		}
		if got := len(call.GetQuality().GetParticipants()); got != len(people) {
			t.Errorf("%s: the quality of the line is of %d people, want %d", how, got, len(people))
		}
		at := event.GetUnmapped().GetFields()["sessions"].GetStructValue().GetFields()["0"].GetStructValue().GetFields()["segments"].GetStructValue()
		if got := at.GetFields()["2"].GetStructValue().GetFields()["future"].GetStringValue(); got != "of g3" {
			t.Errorf("%s: what is undeclared in a nested page is %q", how, got)
		}
	}
	user := "/v1/users/" + reader + "/events"
	streamed, summary := g.stream(t, user+":stream?sources=SOURCE_CALL&view=EVENT_VIEW_FULL&startTime="+day(2))
	if len(streamed) != 1 || !summary.GetComplete() {
		t.Fatalf("%d events, summary %v", len(streamed), summary)
	}
	check("stream", streamed[0])
	if again, _ := g.stream(t, user+":stream?sources=SOURCE_CALL&view=EVENT_VIEW_FULL&startTime="+day(2)); len(again) != 1 || !proto.Equal(again[0], streamed[0]) {
		t.Error("the second stream differs")
	}
	if n := f.count(one + "/participants_v2"); n != 1 {
		t.Errorf("two streams asked %d times for one version of the record", n)
	}
	var got parleyv1.Event
	if status, body := g.get(t, "/v1/"+streamed[0].GetName(), &got); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	check("get", &got)
	var list parleyv1.ListEventsResponse
	for _, path := range []string{user + "?view=EVENT_VIEW_FULL&sources=SOURCE_CALL&startTime=" + day(2), user + "?sources=SOURCE_CALL&startTime=" + day(2)} {
		if status, body := g.get(t, path, &list); status != http.StatusOK || len(list.GetEvents()) != 1 || !list.GetEvents()[0].GetCall().GetPartial() ||
			list.GetEvents()[0].GetCall().GetQuality() != nil {
			t.Errorf("%s: HTTP %d %s", path, status, body)
		}
	}
	basic, _ := g.stream(t, user+":stream?sources=SOURCE_CALL&startTime="+day(2))
	if len(basic) != 1 || !basic[0].GetCall().GetPartial() || basic[0].GetCall().GetQuality() != nil || basic[0].GetUid() != got.GetUid() {
		t.Errorf("basic stream: %v", basic)
	}
}

// TestForeignCallsAreLeftOut stands before a Graph that honours the interval and ignores the participant beside it: streams of
// the view FULL hold the calls of the user and of the filter alone, and those of strangers that cannot be told from them.
func TestForeignCallsAreLeftOut(t *testing.T) {
	t.Parallel()
	f := &fixture{rows: map[string][]string{}, fixed: map[string]string{}}
	add := func(id, sessions, participants string) {
		listed, path := callRecord(id, ""), callsPath+"/"+id
		f.rows[callsPath] = append(f.rows[callsPath], listed)
		f.fixed[path+"?$expand=sessions%28%24expand%3Dsegments%29"] = strings.TrimSuffix(listed, "}") + `,"sessions":[` + sessions + `]}`
		f.fixed[path+"/participants_v2"] = page("", participants)
	}
	const stranger = `{"id":"p2","identity":{"user":{"id":"p2"}}}`
	add("own", "", stranger+`,{"id":"`+reader+`","identity":{"user":{"id":"`+reader+`"}}}`)
	add("foreign", `{"id":"s"}`, stranger)
	add("session", `{"id":"s","caller":{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint","identity":{"user":{"id":"`+reader+`"}}}}`, stranger)
	for _, lost := range []bool{false, true} {
		want := []string{"own", "session"}
		if lost {
			add("lost", "", "")
			delete(f.fixed, callsPath+"/lost/participants_v2")
			want = []string{"lost", "own", "session"}
		}
		g := overFixture(t, f, nil)
		for _, path := range []string{"/v1/users/" + reader + "/events:stream?", "/v1/users/-/events:stream?filter=call.participants.id:%22" + reader + "%22&"} {
			events, summary := g.stream(t, path+"sources=SOURCE_CALL&view=EVENT_VIEW_FULL&startTime="+day(2))
			ids := make([]string, 0, len(events))
			for _, e := range events {
				ids = append(ids, e.GetSource().GetId())
			}
			slices.Sort(ids)
			told := slices.ContainsFunc(summary.GetNotices(), func(n *parleyv1.Notice) bool { return n.GetCode() == "FILTER_NOT_EVALUATED" })
			if !slices.Equal(ids, want) || summary.GetComplete() == lost || told != lost || len(summary.GetSources()) != 1 || len(summary.GetSources()[0].GetFilteredByGraph()) > 0 {
				t.Errorf("%s: %v, want %v, summary %v", path, ids, want, summary)
			}
		}
	}
}

// TestGetConversationHasAllMembers reads a chat whose members fill three pages, more than Graph expands in a list.
func TestGetConversationHasAllMembers(t *testing.T) {
	t.Parallel()
	person := func(i int) string {
		return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.aadUserConversationMember","id":"m%d","userId":"u%d","displayName":"Member %d","roles":[]}`, i, i, i)
	}
	var pages [3][]string
	for i := range 60 {
		pages[i/25] = append(pages[i/25], person(i))
	}
	pages[2] = append(pages[2], `{"id":"self","userId":"`+reader+`","displayName":"8:orgid:`+reader+`"}`)
	chat := `{"id":"` + groupChat + `","chatType":"group","topic":"All"`
	path := "/users/" + reader + "/chats"
	one := path + "/" + strings.NewReplacer(":", "%3A", "@", "%40").Replace(groupChat)
	g := overFixture(t, &fixture{
		rows: map[string][]string{path: {chat + `,"members":[` + strings.Join(pages[0], ",") + `]}`}},
		fixed: map[string]string{
			one:                           chat + "}",
			one + "/members":              page(one+"/members?$skiptoken=2", pages[0]...),
			one + "/members?$skiptoken=2": page(one+"/members?$skiptoken=3", pages[1]...),
			one + "/members?$skiptoken=3": page("", pages[2]...),
		},
	}, nil)
	var listed parleyv1.ListConversationsResponse
	if status, body := g.get(t, "/v1/users/"+reader+"/conversations", &listed); status != http.StatusOK || len(listed.GetConversations()) != 1 {
		t.Fatalf("HTTP %d %s", status, body)
	}
	if first := listed.GetConversations()[0]; len(first.GetMembers()) != 25 || !first.GetMembersTruncated() {
		t.Errorf("listed with %d members, truncated %v", len(first.GetMembers()), first.GetMembersTruncated())
	}
	var whole parleyv1.Conversation
	if status, body := g.get(t, "/v1/"+listed.GetConversations()[0].GetName(), &whole); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	if len(whole.GetMembers()) != 61 || whole.GetMembersTruncated() {
		t.Fatalf("%d members, truncated %v", len(whole.GetMembers()), whole.GetMembersTruncated())
	}
	if self := whole.GetMembers()[60]; self.GetDisplayName() != "" || self.GetMri() != "8:orgid:"+reader {
		t.Errorf("an address is a name: %v", self)
	}
}

// TestSpellingsOfLinks: Graph's own pages print the links to next pages in several ways. Every one is followed: the same events and
// chats as by the usual spelling.
func TestSpellingsOfLinks(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, planned ...faults.Fault) (events, chats int) {
		t.Helper()
		g := serve(t, graphsim.Config{Users: 4, Chats: 150, Messages: 3000, Interactions: 1500, Calls: 1, Faults: planned}, nil)
		user := "/v1/users/" + demo(g.sim)
		all, summary := g.stream(t, user+"/events:stream?sources=SOURCE_CHAT&sources=SOURCE_COPILOT&startTime="+day(20)+"&endTime="+day(1))
		if !summary.GetComplete() {
			t.Errorf("not complete: %v", summary)
		}
		var list parleyv1.ListConversationsResponse
		if status, body := g.get(t, user+"/conversations?pageSize=1000", &list); status != http.StatusOK {
			t.Fatalf("HTTP %d %s", status, body)
		}
		return len(all), len(list.GetConversations())
	}
	events, chats := read(t)
	if events <= 200 || chats <= 50 {
		t.Fatalf("%d events and %d chats are one page", events, chats)
	}
	for _, name := range []string{"@odata.NextLink", "@odata.nextlink", "@nextLink"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e, c := read(t, faults.Fault{Kind: faults.LinkName, Name: name}); e != events || c != chats {
				t.Errorf("%d events and %d chats, want %d and %d", e, c, events, chats)
			}
		})
	}
}
