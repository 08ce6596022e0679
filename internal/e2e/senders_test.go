package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

// TestAnyOfSeveralSenders: conditions on different properties of the sender, joined by or. Graph evaluates all of it, so the
// walk takes the requests of the messages that match and not of all there are, and the events are those that match.
func TestAnyOfSeveralSenders(t *testing.T) {
	t.Parallel()
	const senders = `actor.application.identity_type = IDENTITY_TYPE_BOT OR actor.user.identity_type = IDENTITY_TYPE_ANONYMOUS_GUEST OR ` +
		`actor.user.identity_type = IDENTITY_TYPE_FEDERATED_USER`
	g := serve(t, graphsim.Config{Messages: 6000, Chats: 12, Users: 12, Interactions: 1, Calls: 1}, func(s *config.Settings) { s.CacheSize = "0" })
	path := "/v1/users/" + g.sim.DemoUser().ID + "/events?sources=SOURCE_CHAT&pageSize=1000&filter="
	walk := func(filter string) (names []string, report *parleyv1.SourceReport, asked int) {
		before := g.sim.RequestCounts()[graphsim.SourceChat]
		for token := ""; ; {
			var page parleyv1.ListEventsResponse
			status, body := g.get(t, path+url.QueryEscape(filter)+"&pageToken="+url.QueryEscape(token), &page)
			if status != http.StatusOK {
				t.Fatalf("HTTP %d %.300s", status, body)
			}
			for _, event := range page.GetEvents() {
				names = append(names, event.GetName())
			}
			if token = page.GetNextPageToken(); token == "" {
				if !page.GetComplete() {
					t.Errorf("not complete: %v", page.GetSources())
				}
				return names, page.GetSources()[0], g.sim.RequestCounts()[graphsim.SourceChat] - before
			}
		}
	}
	pushed, report, asked := walk(senders)
	// The same condition in a form that Graph has no word for.
	here, _, whole := walk("NOT (NOT (" + senders + "))")
	t.Logf("%d messages: %d requests, and %d where the gateway evaluates the filter", len(pushed), asked, whole)
	if len(pushed) == 0 || !slices.Equal(pushed, here) {
		t.Errorf("%d messages, and %d where the gateway evaluates the filter", len(pushed), len(here))
	}
	if asked*2 > whole {
		t.Errorf("%d requests, and %d where the gateway evaluates the filter", asked, whole)
	}
	fields := []string{"actor.application.identity_type", "actor.user.identity_type"}
	if diff := cmp.Diff(fields, report.GetFilteredByGraph()); diff != "" {
		t.Errorf("by Graph (-want +got):\n%s", diff)
	}
}
