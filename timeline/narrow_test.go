package timeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestTimesNarrowTheInterval: what a filter says of times is asked of Graph as the interval, in every order.
func TestTimesNarrowTheInterval(t *testing.T) {
	t.Parallel()
	start, end := march()
	from, to := start.AddDate(0, 0, 5), start.AddDate(0, 0, 9)
	stamp := func(at time.Time) string { return at.Format(time.RFC3339) }
	both := fmt.Sprintf(`event_time >= %q AND event_time < %q`, stamp(from), stamp(to))
	for name, test := range map[string]struct {
		filter       string
		conversation string
		order        query.Order
		from, to     time.Time // what is asked for; zero = nothing is asked
		byGraph      []string
	}{
		"both ends":  {filter: both, from: from, to: to, byGraph: []string{"event_time"}},
		"descending": {filter: both, order: query.EventTimeDesc, from: from, to: to, byGraph: []string{"event_time"}},
		"one chat":   {filter: both, order: query.EventTimeDesc, conversation: "19:x@thread.v2", from: from, to: to, byGraph: []string{"event_time"}},
		"created":    {filter: fmt.Sprintf(`create_time >= %q`, stamp(from)), from: from.Add(-time.Minute), to: end, byGraph: []string{"create_time"}},
		"created to": {filter: fmt.Sprintf(`create_time < %q`, stamp(to)), from: start, to: end},
		"no bound":   {filter: "(" + fmt.Sprintf(`event_time < %q`, stamp(from)) + " OR " + fmt.Sprintf(`event_time >= %q`, stamp(to)) + ")", from: start, to: end},
		"empty":      {filter: fmt.Sprintf(`event_time < %q AND event_time > %q`, stamp(from), stamp(to)), byGraph: []string{"event_time"}},
		"before it":  {filter: fmt.Sprintf(`event_time < %q`, stamp(start.AddDate(-40, 0, 0))), byGraph: []string{"event_time"}},
		"by creation": {
			filter: fmt.Sprintf(`create_time >= %q AND create_time < %q`, stamp(from), stamp(to)), order: query.CreateTimeDesc,
			conversation: "19:x@thread.v2", from: from, to: to, byGraph: []string{"create_time"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: chat, size: 10, rows: spread("m", 90, start, end)}
			req := chatRequest()
			req.Filter, req.OrderBy, req.Conversation = test.filter, test.order, test.conversation
			e := newEngine(t, timeline.Config{})
			r := stream(t, e, sources(g), req, "")
			matching := &fakeGraph{src: chat}
			for _, row := range g.rows {
				inside := !row.at.Before(from) && row.at.Before(to)
				switch name {
				case "created":
					inside = !row.at.Before(from)
				case "created to":
					inside = row.at.Before(to)
				case "no bound":
					inside = !inside
				case "empty", "before it":
					inside = false
				}
				if inside {
					matching.rows = append(matching.rows, row)
				}
			}
			if diff := cmp.Diff(want(start, end, test.order != query.EventTime, matching), ids(r.events)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !r.summary.GetComplete() {
				t.Errorf("not complete: %v", r.summary)
			}
			if diff := cmp.Diff(test.byGraph, r.summary.GetSources()[0].GetFilteredByGraph()); diff != "" {
				t.Errorf("filtered by Graph (-want +got):\n%s", diff)
			}
			first, last := asked{}.q, source.EventQuery{}
			if len(g.asked) > 0 {
				first, last = g.asked[0].q, g.asked[0].q
			}
			for _, a := range g.asked {
				if a.q.Start.Before(first.Start) {
					first = a.q
				}
				if a.q.End.After(last.End) {
					last = a.q
				}
			}
			if !first.Start.Equal(test.from) || !last.End.Equal(test.to) {
				t.Errorf("asked from %v to %v, want %v to %v", first.Start, last.End, test.from, test.to)
			}
			events, page := listAll(t, e, sources(g), req, 7)
			if diff := cmp.Diff(ids(r.events), ids(events)); diff != "" || !page.GetComplete() {
				t.Errorf("pages (-stream +list):\n%s", diff)
			}
		})
	}
}
