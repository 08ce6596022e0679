package pager_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/timeline/query"
)

// TestRowsRepeatedAtPageBordersComeOnce: a Graph whose pages begin with rows of the page before gives the same list at every page size, and
// every token leads to exactly the rest.
func TestRowsRepeatedAtPageBordersComeOnce(t *testing.T) {
	t.Parallel()
	const rows = 67
	for _, graph := range []struct{ size, again int }{{15, 1}, {20, 3}, {50, 1}, {50, 14}, {1, 1}, {2, 2}} {
		for _, filter := range []string{"", "kind = CONVERSATION_KIND_GROUP"} {
			t.Run(fmt.Sprintf("%d of %d %s", graph.again, graph.size, filter), func(t *testing.T) {
				t.Parallel()
				d := &directory{rows: rows, size: graph.size, again: graph.again}
				var want []string
				for i, name := range numbers(0, rows) {
					if filter == "" || i%3 == 0 {
						want = append(want, name)
					}
				}
				e := newLister(t)
				req := query.Conversations{Caller: "c", Owner: "u", User: "u", Filter: filter}
				all := &chats{}
				if err := e.StreamConversations(t.Context(), d.sources(), req, "", all.add); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, all.names); diff != "" {
					t.Errorf("stream (-want +got):\n%s", diff)
				}
				checkRest := func(token string, after int) {
					t.Helper()
					rest := &chats{}
					if err := e.StreamConversations(t.Context(), d.sources(), req, token, rest.add); err != nil {
						t.Fatal(err)
					}
					n := rest.summary.GetSources()[0].GetCounts().GetEvents()
					if diff := cmp.Diff(append([]string(nil), want[after:]...), rest.names); diff != "" || !rest.summary.GetComplete() || n != int64(len(want)) {
						t.Fatalf("after %d: %d in all, complete %v (-want +got):\n%s", after, n, rest.summary.GetComplete(), diff)
					}
				}
				for i, token := range all.tokens {
					checkRest(token, all.after[i])
				}
				for _, size := range []int{1, 2, 3, 7, 50, 1000} {
					names, token := []string(nil), ""
					for {
						page, err := e.ListConversations(t.Context(), d.sources(), req, token, size)
						if err != nil {
							t.Fatal(err)
						}
						for _, row := range page.GetConversations() {
							names = append(names, row.GetName()[len("users/u/conversations/"):])
						}
						token = page.GetNextPageToken()
						if token == "" != page.GetComplete() {
							t.Fatalf("complete %v with token %q", page.GetComplete(), token)
						}
						if token == "" {
							break
						}
						checkRest(token, len(names))
					}
					if diff := cmp.Diff(want, names); diff != "" {
						t.Errorf("pages of %d (-want +got):\n%s", size, diff)
					}
				}
			})
		}
	}
}

// TestRepeatedUsersComeOnce: the same of users, whose pages are long; and rows without an id are like no other.
func TestRepeatedUsersComeOnce(t *testing.T) {
	t.Parallel()
	for _, graph := range []struct{ rows, size, again, nameless int }{{23, 5, 1, 0}, {300, 100, 90, 0}, {23, 5, 0, 23}} {
		for _, size := range []int{1, 2, 3, 7, 50, 1000} {
			d := &directory{rows: graph.rows, size: graph.size, again: graph.again, nameless: graph.nameless}
			e := newLister(t)
			count, names, token := 0, map[string]bool{}, ""
			for {
				page, err := e.ListUsers(t.Context(), d.sources(), query.Users{}, token, size)
				if err != nil {
					t.Fatal(err)
				}
				for _, user := range page.GetUsers() {
					count++
					names[user.GetName()] = true
				}
				if token = page.GetNextPageToken(); token == "" {
					if n := page.GetSources()[0].GetCounts().GetEvents(); !page.GetComplete() || n != int64(graph.rows) {
						t.Errorf("%+v by %d: %d in all, complete %v", graph, size, n, page.GetComplete())
					}
					break
				}
			}
			if count != graph.rows || len(names) != max(1, graph.rows-graph.nameless) {
				t.Errorf("%+v by %d: %d users, %d names", graph, size, count, len(names))
			}
		}
	}
}
