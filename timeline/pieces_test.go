package timeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestResumeInPiecesBringsTheRest resumes inside a window that Graph gave in two pages when the token was made and gives in so many now
// that the window is read in pieces. Every checkpoint of the resumed stream, also one between two pieces before the token's
// place, leads to exactly the rest. The token stands behind a row in order, or behind one from outside the window.
func TestResumeInPiecesBringsTheRest(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		for _, before := range []int{60, 131, 141, 142} {
			t.Run(fmt.Sprint(order, before), func(t *testing.T) {
				t.Parallel()
				inNovember(t, func(t *testing.T) {
					t.Helper()
					g := &fakeGraph{src: chat, size: 100, rows: spread("m", 140, start, start.AddDate(0, 0, 1))}
					for i := range 3 {
						at := start.AddDate(0, 0, -40)
						g.rows = append(g.rows, row{at: at, created: at, served: start.Add(time.Duration(4+6*i) * time.Hour), id: fmt.Sprint("outside", i), version: 1})
					}
					req := query.Events{
						Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: order, Start: start, End: start.AddDate(0, 0, 1),
					}
					e := newEngine(t, timeline.Config{Heartbeat: 300 * time.Millisecond, WindowsAtOnce: 1})
					first, err := e.ListEvents(t.Context(), sources(g), req, "", before)
					if err != nil || len(first.GetEvents()) != before {
						t.Fatalf("%d events, %v", len(first.GetEvents()), err)
					}
					g.size, g.delay = 10, time.Second
					again := stream(t, e, sources(g), req, first.GetNextPageToken())
					whole := append(ids(first.GetEvents()), ids(again.events)...)
					exact(t, "the resumed stream", g, req, again.summary, whole)
					requests := g.requests()
					g.delay = 0 // it is there for the checkpoints alone
					for i, token := range again.tokens {
						if i > 0 && token == again.tokens[i-1] {
							continue
						}
						rest := stream(t, e, sources(g), req, token)
						exact(t, fmt.Sprintf("checkpoint %d of %d, behind %d events", i, len(again.tokens), again.after[i]), g, req, rest.summary,
							append(slices.Clone(whole[:before+again.after[i]]), ids(rest.events)...))
					}
					if len(again.tokens) < 3 || requests < 8 {
						t.Errorf("%d checkpoints, %d requests: the window was not read in pieces", len(again.tokens), requests)
					}
				})
			})
		}
	}
}

// exact holds that every row of the interval came once, in order. Of rows from outside each comes at most once, and a gap says
// where some did not come: a half that the token's place lies behind is not read again.
func exact(t *testing.T, what string, g *fakeGraph, req query.Events, summary *parleyv1.Summary, got []string) {
	t.Helper()
	ordered := want(req.Start, req.End, req.OrderBy != query.EventTime, g)
	inside, outside := []string{}, []string{}
	for _, id := range got {
		if slices.Contains(ordered, id) {
			inside = append(inside, id)
		} else {
			outside = append(outside, id)
		}
	}
	if diff := gocmp.Diff(ordered, inside); diff != "" {
		t.Errorf("%s: rows of the interval (-want +got):\n%s", what, diff)
	}
	if slices.Sort(outside); len(slices.Compact(slices.Clone(outside))) != len(outside) {
		t.Errorf("%s: rows from outside came twice: %q", what, outside)
	}
	if gaps := report(summary.GetSources(), chat).GetGaps(); len(outside) < 3 && notFound(gaps, "INTERVAL_NOT_HONOURED") {
		t.Errorf("%s: %q came from outside, and no gap says that others did not", what, outside)
	}
}
