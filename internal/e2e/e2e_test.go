package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// TestEventsAreWhatGraphHolds compares lists over both faces, and the stream, with the simulator's ground truth.
func TestEventsAreWhatGraphHolds(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, nil)
	user := g.sim.DemoUser()
	start := time.Now().UTC().AddDate(0, 0, -7).Truncate(24 * time.Hour)
	end := time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	for name, source := range map[string]parleyv1.Source{
		graphsim.SourceCopilot: parleyv1.Source_SOURCE_COPILOT,
		graphsim.SourceChat:    parleyv1.Source_SOURCE_CHAT,
		graphsim.SourceCall:    parleyv1.Source_SOURCE_CALL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for record := range g.sim.Oracle("").Records(name, user.ID, start, end) {
				want = append(want, record.Container+" "+record.ID)
			}
			if len(want) < 3 {
				t.Fatalf("the simulator holds %d records: too few to prove anything", len(want))
			}
			query := fmt.Sprintf("startTime=%s&endTime=%s&sources=%s", start.Format(time.RFC3339), end.Format(time.RFC3339), source)
			listed := g.listREST(t, "/v1/users/"+user.ID+"/events?pageSize=7&"+query)
			streamed, summary := g.stream(t, "/v1/users/"+user.ID+"/events:stream?"+query)
			if !summary.GetComplete() {
				t.Errorf("stream is not complete: %v", summary)
			}
			if diff := cmp.Diff(streamed, listed, protocmp.Transform()); diff != "" {
				t.Errorf("list and stream differ:\n%s", diff)
			}
			if diff := cmp.Diff(sorted(want), sorted(identities(streamed))); diff != "" {
				t.Errorf("events differ from what Graph holds:\n%s", diff)
			}
			overGRPC := g.listGRPC(t, &parleyv1.ListEventsRequest{
				Parent: "users/" + user.ID, PageSize: 1000, Sources: []parleyv1.Source{source}, StartTime: timestamp(start), EndTime: timestamp(end),
			})
			if diff := cmp.Diff(listed, overGRPC, protocmp.Transform()); diff != "" {
				t.Errorf("REST and gRPC differ:\n%s", diff)
			}
		})
	}
}

// identities are container and id, as the oracle names records; a call's container is the chat of its meeting, which a
// listed record does not always tell, so the oracle's is used only where the event has one.
func identities(events []*parleyv1.Event) []string {
	ids := make([]string, 0, len(events))
	for _, e := range events {
		container := e.GetSource().GetChatId()
		switch {
		case e.GetCopilot() != nil:
			container = e.GetCopilot().GetSessionId()
		case e.GetCall() != nil:
			container = e.GetCall().GetJoinThreadId()
		}
		ids = append(ids, container+" "+e.GetSource().GetId())
	}
	return ids
}

func sorted(s []string) []string {
	return slices.Sorted(slices.Values(s))
}

func (g *tenantUnderTest) listREST(t *testing.T, path string) []*parleyv1.Event {
	t.Helper()
	var events []*parleyv1.Event
	for token := ""; ; {
		var page parleyv1.ListEventsResponse
		if status, body := g.get(t, path+"&pageToken="+url.QueryEscape(token), &page); status != http.StatusOK {
			t.Fatalf("HTTP %d %s", status, body)
		}
		events = append(events, page.GetEvents()...)
		if token = page.GetNextPageToken(); token == "" {
			if !page.GetComplete() {
				t.Errorf("the last page is not complete: %v", page.GetSources())
			}
			return events
		}
		if page.GetComplete() {
			t.Error("complete while a token is present")
		}
	}
}

func (g *tenantUnderTest) listGRPC(t *testing.T, request *parleyv1.ListEventsRequest) []*parleyv1.Event {
	t.Helper()
	var events []*parleyv1.Event
	for {
		page, err := parleyv1.NewEventServiceClient(g.conn).ListEvents(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.GetEvents()...)
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			return events
		}
	}
}

// TestBothGenerationsAnswer reads every source in v1.0 and beta.
func TestBothGenerationsAnswer(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := serve(t, graphsim.Config{}, func(s *config.Settings) { s.GraphVersion = version })
			user := "/v1/users/" + g.sim.DemoUser().ID
			var events parleyv1.ListEventsResponse
			if status, body := g.get(t, user+"/events?pageSize=1000&startTime="+day(7), &events); status != http.StatusOK {
				t.Fatalf("HTTP %d %s", status, body)
			}
			seen := map[parleyv1.Source]string{}
			for _, e := range events.GetEvents() {
				seen[e.GetSource().GetSource()] = e.GetSource().GetApiVersion()
			}
			if len(seen) != 3 {
				t.Errorf("sources of the events: %v, want three", seen)
			}
			for source, have := range seen {
				if have != version {
					t.Errorf("%v was read from %q, want %q", source, have, version)
				}
			}
			var chats parleyv1.ListConversationsResponse
			if status, body := g.get(t, user+"/conversations", &chats); status != http.StatusOK || len(chats.GetConversations()) < 3 {
				t.Errorf("conversations: HTTP %d %.200s", status, body)
			}
			var usage parleyv1.ListCopilotUsageResponse
			if status, body := g.get(t, "/v1/copilotUsage?period=D7", &usage); status != http.StatusOK || len(usage.GetRows()) == 0 {
				t.Errorf("usage: HTTP %d %.200s", status, body)
			}
			status, csv := g.get(t, "/v1/copilotUsage:download?period=D7", nil)
			if status != http.StatusOK || !strings.Contains(string(csv), "Report Refresh Date,") {
				t.Errorf("download: HTTP %d %.200s", status, csv)
			}
		})
	}
}

// TestReportDownloadCarriesNothing proves that the redirect to the report host is followed without any of our headers:
// the simulator's report host refuses requests that carry them.
func TestReportDownloadCarriesNothing(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, func(s *config.Settings) { s.GraphVersionUsage = "beta" })
	if status, body := g.get(t, "/v1/copilotUsage:download?period=D7", nil); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	found := false
	for _, request := range g.sim.Requests() {
		if request.Source != "download" {
			continue
		}
		found = true
		for _, name := range request.Headers {
			if !slices.Contains([]string{"Accept-Encoding", "Accept", "User-Agent", "Host", "Connection"}, http.CanonicalHeaderKey(name)) {
				t.Errorf("the report host was sent %s", name)
			}
		}
		if request.Authorization {
			t.Error("the report host was sent a token")
		}
	}
	if !found {
		t.Error("the report host was not asked")
	}
}

// TestChatIDsInEveryPath asks for one chat by its id raw, percent-encoded in both cases, and by its base64url form.
func TestChatIDsInEveryPath(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, nil)
	user := "/v1/users/" + g.sim.DemoUser().ID
	chat := g.aChat(t)
	var want parleyv1.Conversation
	if status, body := g.get(t, user+"/conversations/"+chat, &want); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	lower := strings.NewReplacer(":", "%3a", "@", "%40").Replace(chat)
	upper := strings.NewReplacer(":", "%3A", "@", "%40").Replace(chat)
	for _, form := range []string{chat, lower, upper} {
		var have parleyv1.Conversation
		status, body := g.get(t, user+"/conversations/"+form, &have)
		if status != http.StatusOK || !proto.Equal(&want, &have) {
			t.Errorf("conversations/%s: HTTP %d %.200s", form, status, body)
		}
		var page parleyv1.ListEventsResponse
		if status, body := g.get(t, user+"/conversations/"+form+"/events?pageSize=2&startTime="+day(180), &page); status != http.StatusOK || len(page.GetEvents()) == 0 {
			t.Errorf("events of %s: HTTP %d %.200s", form, status, body)
		}
		for _, e := range page.GetEvents() {
			if e.GetConversation() != want.GetName() {
				t.Errorf("event of %q, want %q", e.GetConversation(), want.GetName())
			}
		}
		if events, summary := g.stream(t, user+"/conversations/"+form+"/events:stream?startTime="+day(180)); summary == nil {
			t.Errorf("stream of %s ended without a summary after %d events", form, len(events))
		}
	}
}

func (g *tenantUnderTest) aChat(t *testing.T) string {
	t.Helper()
	for chat := range g.sim.Oracle("").Chats(g.sim.DemoUser().ID) {
		for range g.sim.Oracle("").ChatMessages(chat, time.Time{}, time.Time{}) {
			return chat
		}
	}
	t.Fatal("the demo user has no chat with a message")
	return ""
}

// TestNobodyReadsWhatIsNotTheirs asks for a chat, a message, a call and an interaction under a user who has no part in them.
func TestNobodyReadsWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, nil)
	owner := g.sim.DemoUser().ID
	chat := g.aChat(t)
	stranger := g.stranger(t, chat)
	var own parleyv1.ListEventsResponse
	if status, body := g.get(t, "/v1/users/"+owner+"/events?pageSize=1000&startTime="+day(7), &own); status != http.StatusOK {
		t.Fatalf("HTTP %d %s", status, body)
	}
	paths := []string{"/conversations/" + chat, "/conversations/" + chat + "/events?startTime=" + day(10)}
	seen := map[parleyv1.Source]bool{}
	for _, e := range own.GetEvents() {
		source := e.GetSource().GetSource()
		if seen[source] || g.shares(t, stranger, e) {
			continue
		}
		seen[source] = true
		paths = append(paths, strings.TrimPrefix(e.GetName(), "users/"+owner))
	}
	if len(seen) != 3 {
		t.Fatalf("found events of %v only, among %d", seen, len(own.GetEvents()))
	}
	for _, path := range paths {
		if status, body := g.get(t, "/v1/users/"+owner+path, nil); status != http.StatusOK {
			t.Errorf("owner's %s: HTTP %d %.300s", path, status, body)
		}
		if status, body := g.get(t, "/v1/users/"+stranger+path, nil); status != http.StatusNotFound {
			t.Errorf("stranger's %s: HTTP %d %.300s, want 404", path, status, body)
		}
	}
}

// stranger is a licensed user who is no member of the chat.
func (g *tenantUnderTest) stranger(t *testing.T, chat string) string {
	t.Helper()
	members := g.sim.Oracle("").Members(chat)
	for user := range g.sim.Oracle("").Users() {
		if !slices.Contains(members, user.Name) && g.sim.Oracle("").Licensed(user.ID) {
			return user.ID
		}
	}
	t.Fatal("everybody is a member")
	return ""
}

// shares reports whether the user holds the event's record too.
func (g *tenantUnderTest) shares(t *testing.T, user string, e *parleyv1.Event) bool {
	t.Helper()
	name := map[parleyv1.Source]string{
		parleyv1.Source_SOURCE_COPILOT: graphsim.SourceCopilot, parleyv1.Source_SOURCE_CHAT: graphsim.SourceChat, parleyv1.Source_SOURCE_CALL: graphsim.SourceCall,
	}[e.GetSource().GetSource()]
	at := e.GetEventTime().AsTime()
	for record := range g.sim.Oracle("").Records(name, user, at.Add(-time.Second), at.Add(time.Second)) {
		if record.ID == e.GetSource().GetId() {
			return true
		}
	}
	return false
}

// TestPages serves what needs no tenant.
func TestPages(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{}, nil)
	for path, want := range map[string]string{
		"/docs": "<html", "/openapi.json": `"openapi"`, "/descriptor.binpb": "parley/v1/event.proto", "/descriptor-full.binpb": "buf/validate/validate.proto", "/healthz": "", "/readyz": "",
	} {
		answer := g.open(t, path)
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // read to its end
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: HTTP %d, %v, %.100q lacks %q", path, answer.StatusCode, err, body, want)
		}
	}
}
