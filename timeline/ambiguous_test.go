package timeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestRowsOfOneIDThatDifferAllGoOut: nothing lost to an id. Rows of one id, session and millisecond that say different things
// all go out, once each, by streams and Lists of any size, and their instant is a gap AMBIGUOUS_ID; rows that are equal, and
// later versions, are as ever.
func TestRowsOfOneIDThatDifferAllGoOut(t *testing.T) {
	t.Parallel()
	start, end := march()
	at := start.AddDate(0, 0, 5)
	for _, src := range []parleyv1.Source{copilot, chat} {
		for _, conversation := range []string{"", "19:x@thread.v2"} {
			if src == copilot && conversation != "" {
				continue
			}
			for _, size := range []int{1, 2, 3, 50} {
				for _, bodies := range [][]string{{"a", "a"}, {"a", "b"}, {"b", "a", "c"}, {"a", "b", "a", "b"}} {
					for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
						if size < 50 && len(slices.Compact(slices.Sorted(slices.Values(bodies)))) < len(bodies) {
							continue // a page of nothing but rows that came before is a doubt of another kind
						}
						t.Run(fmt.Sprint(src, conversation, size, bodies, order), func(t *testing.T) {
							t.Parallel()
							rows := spread("m", 5, start, end)
							for _, body := range bodies {
								rows = append(rows, row{at: at, created: at, id: "same", version: 7, body: body})
							}
							g := &fakeGraph{src: src, size: size, rows: rows}
							e := newEngine(t, timeline.Config{})
							req := query.Events{
								Owner: "u", User: "u", Sources: []parleyv1.Source{src}, Conversation: conversation, Start: start, End: end, OrderBy: order,
							}
							said := slices.Compact(slices.Sorted(slices.Values(bodies)))
							r := stream(t, e, sources(g), req, "")
							listed, last := listAll(t, e, sources(g), req, 1)
							if diff := cmp.Diff(ids(r.events), ids(listed)); diff != "" {
								t.Errorf("(-stream +list):\n%s", diff)
							}
							var got []string
							for _, event := range r.events {
								if event.GetSource().GetId() == "same" {
									got = append(got, event.GetBody().GetContent())
								}
							}
							if slices.Sort(got); !slices.Equal(got, said) || len(r.events) != 5+len(said) {
								t.Errorf("%d events, of one id %q, want %q", len(r.events), got, said)
							}
							for how, reports := range map[string][]*parleyv1.SourceReport{"stream": r.summary.GetSources(), "list": last.GetSources()} {
								gaps := report(reports, src).GetGaps()
								if len(said) == 1 && len(gaps) == 0 {
									continue
								}
								if len(gaps) != 1 || gaps[0].GetReason() != "AMBIGUOUS_ID" {
									t.Fatalf("%s: gaps %v", how, gaps)
								}
								i := gaps[0].GetInterval()
								if i.GetStartTime().AsTime().After(at) || !i.GetEndTime().AsTime().After(at) || i.GetEndTime().AsTime().Sub(at) > time.Second {
									t.Errorf("%s: the gap %v is not around %v", how, i, at)
								}
							}
							if r.summary.GetComplete() != (len(said) == 1) {
								t.Errorf("complete: %v", r.summary)
							}
						})
					}
				}
			}
		}
	}
}
