package timeline_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// overlapping makes every page of a chat begin with rows of the page before.
func overlapping(g *fakeGraph, rows int) {
	g.hook = func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
		if from, err := strconv.Atoi(skipOf("=" + link)); link != "" && err == nil {
			p.Items = slices.Concat(g.find(q)[max(0, from-rows):from], p.Items)
			p.Rows = len(p.Items)
		}
		return p, nil
	}
}

// TestRepeatedRowsNewestFirstAreNoDoubt: repeated rows are no doubt. A chat whose pages begin with rows of the page before,
// also with rows of one second or of one instant, is read newest first to its end without a doubt; and on data that stands
// still no version comes twice, wherever a stream is cut or a List's page ends.
func TestRepeatedRowsNewestFirstAreNoDoubt(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTimeDesc, query.CreateTimeDesc} {
		for _, again := range []int{1, 4, 9} {
			for name, step := range map[string]time.Duration{"minutes": time.Minute, "within a second": 90 * time.Millisecond, "of one instant": 0} {
				t.Run(fmt.Sprint(order, again, name), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						at := time.Now().UTC().AddDate(0, -1, 0).Truncate(time.Second)
						g := &fakeGraph{src: chat, size: 10}
						for i := range 53 {
							when := at.Add(time.Duration(i) * step)
							if step == 0 {
								when = at.Add(time.Duration(i/7) * time.Second)
							}
							g.rows = append(g.rows, row{at: when, created: when, id: fmt.Sprintf("m%02d", i), version: 1})
						}
						overlapping(g, again)
						e := newEngine(t, timeline.Config{})
						req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Conversation: "19:x@thread.v2", OrderBy: order}
						have := cachedSources(t, cacheDefaults(), g)
						all := want(time.Time{}, time.Now(), true, g)
						r := stream(t, e, have, req, "")
						if diff := cmp.Diff(all, ids(r.events)); diff != "" {
							t.Errorf("stream (-want +got):\n%s", diff)
						}
						if gaps := report(r.summary.GetSources(), chat).GetGaps(); !r.summary.GetComplete() || len(gaps) > 0 || len(r.notices) > 0 {
							t.Errorf("a doubt: %v", r.summary)
						}
						for i, token := range r.tokens {
							rest := stream(t, e, have, req, token)
							if diff := cmp.Diff(append([]string{}, all[r.after[i]:]...), ids(rest.events)); diff != "" || !rest.summary.GetComplete() {
								t.Errorf("after %d events (-want +got):\n%s", r.after[i], diff)
							}
						}
						for _, size := range []int{1, 3, 10, 11, 50} {
							listed, last := listAll(t, e, have, req, size)
							if diff := cmp.Diff(all, ids(listed)); diff != "" || !last.GetComplete() {
								t.Errorf("pages of %d, complete %v (-want +got):\n%s", size, last.GetComplete(), diff)
							}
						}
					})
				})
			}
		}
	}
}
