package timeline_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestRowsThatMoveBetweenPagesAreNoDoubt reads a Graph whose links are offsets into a list that changes between two pages: a row more at its
// head makes the next page repeat one, which is no doubt; a row less makes Graph skip one, which nobody can see, and which
// the next reading brings.
func TestRowsThatMoveBetweenPagesAreNoDoubt(t *testing.T) {
	t.Parallel()
	const size = 10
	start, end := march()
	for name, c := range map[string]struct {
		change     func(rows []source.Item) []source.Item
		events     int
		duplicates int64
	}{
		"nothing": {func(rows []source.Item) []source.Item { return rows }, 30, 0},
		"a row more": {func(rows []source.Item) []source.Item {
			return append([]source.Item{outOfWindowItem(start, "new")}, rows...)
		}, 30, 1},
		"a row less": {func(rows []source.Item) []source.Item { return rows[1:] }, 29, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: chat, size: 1000, rows: spread("m", 30, start, end)}
			whole := g.page(source.EventQuery{Start: start, End: end}, "").Items
			rows, changed := whole, false
			g.hook = func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
				from := 0
				if link != "" {
					from, _ = strconv.Atoi(skipOf(link))
					if !changed {
						rows, changed = c.change(slices.Clone(rows)), true
					}
				}
				to := min(from+size, len(rows))
				p.Items, p.Rows, p.Next = rows[from:to], to-from, ""
				if to < len(rows) {
					p.Next = fmt.Sprint("https://graph/x?skip=", to)
				}
				return p, nil
			}
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
			first := stream(t, e, sources(g), req, "")
			known := map[string]bool{}
			for _, id := range ids(first.events) {
				if known[id] {
					t.Errorf("%s came twice", id)
				}
				known[id] = true
			}
			counts := report(first.summary.GetSources(), chat).GetCounts()
			if len(known) != c.events || counts.GetDuplicates() != c.duplicates || !first.summary.GetComplete() {
				t.Errorf("%d events, %d repeated, complete %v, want %d and %d", len(known), counts.GetDuplicates(), first.summary.GetComplete(), c.events, c.duplicates)
			}
			for _, id := range ids(stream(t, e, sources(g), req, "").events) {
				known[id] = true
			}
			for _, item := range rows {
				if id := ids([]*parleyv1.Event{decode(item)})[0]; !known[id] {
					t.Errorf("%s never came", id)
				}
			}
		})
	}
}
