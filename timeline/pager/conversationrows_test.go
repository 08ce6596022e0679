package pager_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/pager"
	"github.com/parley-gateway/parley/timeline/query"
)

// sessions are conversations that are derived from events, by name, with the minute of the last event of each.
type sessions map[string]int

// with returns the sessions with another last event of one of them.
func (s sessions) with(name string, minute int) sessions {
	changed := maps.Clone(s)
	changed[name] = minute
	return changed
}

// derivation returns what reading the interval gives. Those of a partial reading are not all.
func (s sessions) derivation(partial bool) *pager.Derivation {
	found := &pager.Derivation{
		Complete: !partial,
		Reports:  []*parleyv1.SourceReport{{Source: parleyv1.Source_SOURCE_COPILOT, State: parleyv1.SourceState_SOURCE_STATE_READ, Counts: &parleyv1.SourceCounts{}}},
	}
	if partial {
		found.Reports[0].Gaps = []*parleyv1.Gap{{Reason: "GRAPH_UNAVAILABLE"}}
	}
	for name, minute := range s {
		last := timestamppb.New(time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC))
		found.Conversations = append(found.Conversations, &parleyv1.Conversation{
			Name: "users/u/conversations/" + name, Kind: parleyv1.ConversationKind_CONVERSATION_KIND_COPILOT, Activity: &parleyv1.ConversationActivity{LastEventTime: last},
		})
	}
	slices.SortFunc(found.Conversations, derived.Compare)
	return found
}

// TestLateEventsMoveConversations: between two pages, events come late and move conversations. Newest first that may be to before the
// position. None is lost, or the list is not complete.
func TestLateEventsMoveConversations(t *testing.T) {
	t.Parallel()
	still := sessions{"a": 10, "b": 20, "c": 30, "d": 40}
	late := still.with("b", 35)
	for name, tc := range map[string]struct {
		readings  []sessions // of the pages in turn; the last one stands
		ascending bool
		partial   bool     // the second reading is not complete
		chats     []string // names that are chats, and not listed a second time
		pages     []string
		notices   []string
		gaps      []string
	}{
		"nothing moves":                     {readings: []sessions{still}, pages: []string{"dc", "ba"}},
		"one that was not delivered":        {readings: []sessions{still, late}, pages: []string{"dc", "db", "ca"}, notices: []string{"RESTARTED"}},
		"one that was delivered":            {readings: []sessions{still, still.with("c", 50)}, pages: []string{"dc", "ba"}},
		"one that is new":                   {readings: []sessions{still, still.with("e", 50)}, pages: []string{"dc", "ed", "cb", "a"}, notices: []string{"RESTARTED"}},
		"one that goes before and one away": {readings: []sessions{still, {"a": 10, "b": 35, "c": 30}}, pages: []string{"dc", "bc", "a"}, notices: []string{"RESTARTED"}},
		"a second time": {
			readings: []sessions{still, late, late.with("a", 60)},
			pages:    []string{"dc", "db", "c"}, notices: []string{"RESTARTED", "LIST_CHANGED"}, gaps: []string{"LIST_CHANGED"},
		},
		"in a reading that is not complete": {readings: []sessions{still, late, still}, partial: true, pages: []string{"dc", "a"}, gaps: []string{"GRAPH_UNAVAILABLE"}},
		"a chat":                            {readings: []sessions{still, still.with("x@thread.v2", 50)}, chats: []string{"x@thread.v2"}, pages: []string{"xd", "cb", "a"}},
		"oldest first":                      {readings: []sessions{still, late, late}, ascending: true, pages: []string{"ab", "cb", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reading := 0
			lister := newDerivingLister(t, func(context.Context, query.Sources, *query.Conversations, time.Time) (*pager.Derivation, error) {
				found := tc.readings[min(reading, len(tc.readings)-1)].derivation(tc.partial && reading == 1)
				reading++
				return found, nil
			})
			req := query.Conversations{
				Caller: "c", Owner: "u", User: "u", Sources: []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT}, ByLastMessage: !tc.ascending,
				Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
			}
			if tc.chats != nil {
				req.Sources = append(req.Sources, parleyv1.Source_SOURCE_CONVERSATION)
			}
			var pages, notices, gaps []string
			complete := false
			for token, more := "", true; more && len(pages) < 10; more = token != "" {
				page, err := lister.ListConversations(t.Context(), query.Sources{Conversations: chatNames(tc.chats)}, req, token, 2)
				if err != nil {
					t.Fatal(err)
				}
				var shown strings.Builder
				for _, c := range page.GetConversations() {
					shown.WriteByte(strings.TrimPrefix(c.GetName(), "users/u/conversations/")[0])
				}
				pages = append(pages, shown.String())
				for _, n := range page.GetNotices() {
					notices = append(notices, n.GetCode())
				}
				gaps = nil
				for _, gap := range page.GetSources()[0].GetGaps() {
					gaps = append(gaps, gap.GetReason())
				}
				token, complete = page.GetNextPageToken(), page.GetComplete()
			}
			if diff := cmp.Diff([][]string{tc.pages, tc.notices, tc.gaps}, [][]string{pages, notices, gaps}); diff != "" {
				t.Errorf("pages, notices, gaps (-want +got):\n%s", diff)
			}
			if complete != (tc.gaps == nil) {
				t.Errorf("complete is %v", complete)
			}
		})
	}
}

// chatNames lists chats by their names.
type chatNames []string

func (n chatNames) Conversations(context.Context, source.ConversationQuery, string) (*source.Page[*parleyv1.Conversation], error) {
	page := &source.Page[*parleyv1.Conversation]{Requests: 1, Rows: len(n)}
	for _, name := range n {
		page.Items = append(page.Items, &parleyv1.Conversation{Name: "users/u/conversations/" + name, Kind: parleyv1.ConversationKind_CONVERSATION_KIND_GROUP})
	}
	return page, nil
}

func (n chatNames) Conversation(context.Context, string, string, string) (*parleyv1.Conversation, error) {
	return nil, fail(0)
}

// TestChatsThatEndInADoubtWhileTheyAreRead: a page like the one before ends the chats, in the goroutine that reads it. Heartbeats go on
// meanwhile, and the stream goes on with the derived conversations.
func TestChatsThatEndInADoubtWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lister := newDerivingLister(t, func(context.Context, query.Sources, *query.Conversations, time.Time) (*pager.Derivation, error) {
			return sessions{"a": 10}.derivation(false), nil
		})
		now := time.Now().UTC()
		req := query.Conversations{
			Caller: "c", Owner: "u", User: "u", Start: now.Add(-24 * time.Hour), End: now,
			Sources: []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CONVERSATION},
		}
		got := &chats{last: now}
		if err := lister.StreamConversations(t.Context(), query.Sources{Conversations: alikePages{}}, req, "", got.add); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"x", "a"}, got.names); diff != "" || got.summary.GetComplete() || len(got.tokens) < 10 {
			t.Errorf("complete %v, %d checkpoints (-want +got):\n%s", got.summary.GetComplete(), len(got.tokens), diff)
		}
		for i, token := range got.tokens {
			rest := &chats{}
			if err := lister.StreamConversations(t.Context(), query.Sources{Conversations: alikePages{}}, req, token, rest.add); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"x", "a"}[got.after[i]:], rest.names, cmpopts.EquateEmpty()); diff != "" || rest.summary.GetComplete() {
				t.Errorf("checkpoint %d: complete %v (-want +got):\n%s", i, rest.summary.GetComplete(), diff)
			}
		}
	})
}

// alikePages is a list of chats whose pages are all alike, and slow.
type alikePages struct{ chatNames }

func (alikePages) Conversations(context.Context, source.ConversationQuery, string) (*source.Page[*parleyv1.Conversation], error) {
	time.Sleep(time.Minute)
	page := &source.Page[*parleyv1.Conversation]{Requests: 1, Rows: 1, Next: "https://graph/v1.0/x?$skiptoken=1"}
	page.Items = []*parleyv1.Conversation{{Name: "users/u/conversations/x", Kind: parleyv1.ConversationKind_CONVERSATION_KIND_GROUP}}
	return page, nil
}
