package source_test

import (
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// TestDocumentedPayloadsAreRead serves the payloads of the documents that the project was founded on, by both generations.
func TestDocumentedPayloadsAreRead(t *testing.T) {
	t.Parallel()
	events := func(build func(source.Graph, source.Options) source.EventReader, owner string) func(*testing.T, source.Graph, string, string) {
		return func(t *testing.T, client source.Graph, version, name string) {
			t.Helper()
			page, err := build(client, options(version)).Events(t.Context(), source.EventQuery{Owner: owner, User: owner, End: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)}, "")
			if err != nil {
				t.Fatal(err)
			}
			all := eventsOf(t, page.Items)
			golden(t, name, all)
		}
	}
	copilot := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewCopilot(g, o) }, userID)
	chat := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewChat(g, o) }, userID)
	call := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewCall(g, o) }, "-")
	chats := func(t *testing.T, client source.Graph, version, name string) {
		t.Helper()
		page, err := source.NewConversations(client, options(version)).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID}, "")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, page.Items)
	}
	usage := func(t *testing.T, client source.Graph, version, name string) {
		t.Helper()
		page, err := source.NewUsage(client, options(version)).Usage(t.Context(), source.UsageQuery{Period: "D7"}, "")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, itemsOf(t, page))
	}
	for _, tc := range []struct {
		seed string
		read func(t *testing.T, client source.Graph, version, name string)
	}{
		{"000_aiinteraction__ex1.as_seed.json", copilot},
		{"000_aiinteraction__ex2.as_seed.json", copilot},
		{"001_copilot_usage_user_detail__ex1.json", usage},
		{"001_copilot_usage_user_detail__csv_header.csv", usage},
		{"002_chats_getallmessages__ex1.json", chat},
		{"003_list_callrecords__ex1.json", call},
		{"003_list_callrecords__ex2.json", call},
		{"003_list_callrecords__ex3.json", call},
		{"004_list_chats_beta__ex1.json", chats},
		{"004_list_chats_beta__ex2.json", chats},
		{"004_list_chats_beta__ex3.json", chats},
		{"004_list_chats_beta__ex4.json", chats},
		{"004_list_chats_beta__ex5.json", chats},
		{"004_list_chats_beta__ex6.json", chats},
	} {
		for _, version := range []string{graph.V1, graph.Beta} {
			name := strings.TrimSuffix(strings.TrimSuffix(tc.seed, ".json"), ".csv") + "." + version
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				body := seed(t, tc.seed)
				_, client := newUpstream(t, func(string) reply { return reply{body: body} })
				tc.read(t, client, version, name)
			})
		}
	}
}

func eventsOf(t *testing.T, items []source.Item) []*parleyv1.Event {
	t.Helper()
	all := make([]*parleyv1.Event, 0, len(items))
	for _, item := range items {
		all = append(all, eventOf(t, item))
	}
	return all
}
