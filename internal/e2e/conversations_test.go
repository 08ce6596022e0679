package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
)

// everyKind are the parameters of a list of conversations of every kind.
const everyKind = "sources=SOURCE_CHAT&sources=SOURCE_COPILOT&sources=SOURCE_CALL"

// listed lists the conversations of a path to the last page.
func (g *tenantUnderTest) listed(t *testing.T, path string) (all []*parleyv1.Conversation, last *parleyv1.ListConversationsResponse) {
	t.Helper()
	token := ""
	for range 1000 {
		last = &parleyv1.ListConversationsResponse{}
		if status, body := g.get(t, path+"&pageToken="+url.QueryEscape(token), last); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		all = append(all, last.GetConversations()...)
		if token = last.GetNextPageToken(); token == "" {
			return all, last
		}
		if len(token) > 1500 {
			t.Errorf("a token of %d characters", len(token))
		}
	}
	t.Fatal("no end")
	return nil, nil
}

func namesOf(all []*parleyv1.Conversation) []string {
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.GetName())
	}
	return names
}

// TestConversationsOfEveryKind holds that a list of chats, Copilot sessions and calls has the conversation of each event once, in
// pages of any size, cold and warm; and that GetConversation reads each of them, the same by a gateway that has read nothing.
func TestConversationsOfEveryKind(t *testing.T) {
	t.Parallel()
	sim := simulated(t, graphsim.Config{Messages: 300, Interactions: 300, Calls: 60})
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	warm, cold := over(t, sim, settings), over(t, sim, settings)
	user := "/v1/users/" + demo(sim)
	since := "startTime=" + day(21) + "&endTime=" + day(0)
	events, summary := warm.stream(t, user+"/events:stream?"+since)
	if !summary.GetComplete() {
		t.Fatalf("the events are not complete: %v", summary)
	}
	first, last := cold.listed(t, user+"/conversations?"+everyKind+"&pageSize=1000&"+since)
	if !last.GetComplete() || len(last.GetSources()) != 3 {
		t.Errorf("complete %v, reports %v", last.GetComplete(), last.GetSources())
	}
	small, _ := cold.listed(t, user+"/conversations?"+everyKind+"&pageSize=2&"+since)
	again, _ := warm.listed(t, user+"/conversations?"+everyKind+"&pageSize=7&"+since)
	for what, other := range map[string][]*parleyv1.Conversation{"in small pages": small, "warm": again} {
		if diff := cmp.Diff(first, other, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	names := namesOf(first)
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) != len(names) {
		t.Errorf("%d names, %d of them different", len(names), len(unique))
	}
	counts := map[string]int64{}
	for _, event := range events {
		if !slices.Contains(names, event.GetConversation()) {
			t.Errorf("%s is in %s, which is not listed", event.GetName(), event.GetConversation())
		}
		if event.GetChat() == nil && event.GetSystem() == nil {
			counts[event.GetConversation()]++
		}
	}
	ever, _ := cold.listed(t, user+"/conversations?"+everyKind+"&pageSize=1000")
	told := map[string]*parleyv1.Conversation{}
	for _, c := range ever {
		told[c.GetName()] = c
	}
	kinds := map[parleyv1.ConversationKind]int{}
	for _, c := range first {
		if !c.GetDerived() {
			continue
		}
		activity := c.GetActivity()
		if got := activity.GetCopilotEvents() + activity.GetCallEvents(); got != counts[c.GetName()] {
			t.Errorf("%s counts %d events, want %d", c.GetName(), got, counts[c.GetName()])
		}
		if kinds[c.GetKind()]++; kinds[c.GetKind()] > 2 {
			continue // each takes a second of Graph's budget for members
		}
		var fromWarm, fromCold parleyv1.Conversation
		for g, into := range map[*tenantUnderTest]*parleyv1.Conversation{warm: &fromWarm, cold: &fromCold} {
			if status, body := g.get(t, "/v1/"+c.GetName(), into); status != http.StatusOK {
				t.Errorf("%s: %d %s", c.GetName(), status, body)
			}
		}
		if diff := cmp.Diff(&fromWarm, &fromCold, protocmp.Transform()); diff != "" {
			t.Errorf("%s differs warm and cold: %s", c.GetName(), diff)
		}
		if want := proto.CloneOf(told[c.GetName()]); c.GetKind() == parleyv1.ConversationKind_CONVERSATION_KIND_COPILOT {
			if diff := cmp.Diff(want, &fromWarm, protocmp.Transform()); diff != "" {
				t.Errorf("%s as listed over all time, and as read: %s", c.GetName(), diff)
			}
		}
		if fromWarm.GetKind() != c.GetKind() || fromWarm.GetUid() != c.GetUid() || !fromWarm.GetDerived() {
			t.Errorf("read %v, listed %v", &fromWarm, c)
		}
		if c.GetKind() == parleyv1.ConversationKind_CONVERSATION_KIND_CALL {
			continue // the other one may have taken part
		}
		stranger := strings.Replace(c.GetName(), demo(sim), anotherLicensed(t, sim), 1)
		if status, body := cold.get(t, "/v1/"+stranger, nil); status != http.StatusNotFound {
			t.Errorf("%s of somebody else: %d %s", stranger, status, body)
		}
	}
	if kinds[parleyv1.ConversationKind_CONVERSATION_KIND_COPILOT] == 0 || kinds[parleyv1.ConversationKind_CONVERSATION_KIND_CALL] == 0 {
		t.Errorf("the data hold %v", kinds)
	}
}

// anotherLicensed is a user of the simulator with a Copilot licence who is not the demo user.
func anotherLicensed(t *testing.T, sim *graphsim.Sim) string {
	t.Helper()
	oracle := sim.Oracle("")
	for person := range oracle.Users() {
		if person.ID != demo(sim) && oracle.Licensed(person.ID) {
			return person.ID
		}
	}
	t.Fatal("nobody else")
	return ""
}

// TestMeetingInFewRequests holds that everything in one meeting's conversation is read with at most eight requests to Graph, is what the
// user's events with a filter hold, and is the same in pages.
func TestMeetingInFewRequests(t *testing.T) {
	t.Parallel()
	sim := simulated(t, graphsim.Config{Messages: 6000})
	settings := settingsFor(t, sim.URL(), sim.CACertPEM())
	reference, g := over(t, sim, settings), over(t, sim, settings)
	user := "/v1/users/" + demo(sim)
	since := "startTime=" + day(28) + "&endTime=" + day(0)
	events, _ := reference.stream(t, user+"/events:stream?"+since)
	meeting := busiestMeeting(events)
	if meeting == "" {
		t.Fatal("no meeting has events of every source")
	}
	want := map[string]bool{}
	for _, event := range events {
		if event.GetConversation() == meeting {
			want[event.GetName()] = true
		}
	}
	sim.ResetRequests()
	below, summary := g.stream(t, "/v1/"+meeting+"/events:stream?"+since)
	asked := 0
	for _, request := range sim.Requests() {
		if request.Source != "token" {
			asked++
		}
	}
	if t.Logf("%d requests for %d events", asked, len(below)); asked > 8 || asked == 0 {
		t.Errorf("%d requests for one meeting", asked)
	}
	if !summary.GetComplete() || len(summary.GetSources()) != 3 {
		t.Errorf("summary %s", protojson.Format(summary))
	}
	got := map[string]bool{}
	for _, event := range below {
		got[event.GetName()] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("below the meeting: %s", diff)
	}
	for _, order := range []string{"event_time", "event_time%20desc", "create_time%20desc"} {
		var paged []string
		token := ""
		for range 100 {
			var page parleyv1.ListEventsResponse
			if status, body := g.get(t, fmt.Sprintf("/v1/%s/events?%s&pageSize=3&orderBy=%s&pageToken=%s", meeting, since, order, url.QueryEscape(token)), &page); status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			for _, event := range page.GetEvents() {
				paged = append(paged, event.GetName())
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if order == "create_time%20desc" {
			continue // bounded by another time
		}
		names := slices.Sorted(slices.Values(paged))
		all := make([]string, 0, len(want))
		for name := range want {
			all = append(all, name)
		}
		slices.Sort(all)
		if diff := cmp.Diff(all, names); diff != "" {
			t.Errorf("in pages by %s: %s", order, diff)
		}
	}
}

// busiestMeeting is the conversation with events of every source.
func busiestMeeting(events []*parleyv1.Event) string {
	kinds := map[string]map[parleyv1.Source]bool{}
	for _, event := range events {
		in := kinds[event.GetConversation()]
		if in == nil {
			in = map[parleyv1.Source]bool{}
			kinds[event.GetConversation()] = in
		}
		if in[event.GetSource().GetSource()] = true; len(in) == 3 {
			return event.GetConversation()
		}
	}
	return ""
}
