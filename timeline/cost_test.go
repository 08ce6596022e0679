package timeline_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// november brings the virtual clock to a day late in a year.
func november() time.Time {
	time.Sleep(time.Until(time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)))
	return time.Now().UTC()
}

// TestRequestsOfAWalk counts requests: of a quiet user, of empty years, of chats, of a List's first page.
func TestRequestsOfAWalk(t *testing.T) {
	t.Parallel()
	const conversation = "19:x@thread.v2"
	tests := []struct {
		name  string
		rows  func(now time.Time) []row
		start func(now time.Time) time.Time // nil = none
		req   query.Events
		most  int
	}{
		{
			name: "three messages in 30 days", most: 1,
			rows:  func(now time.Time) []row { return spread("m", 3, now.AddDate(0, 0, -29), now) },
			start: func(now time.Time) time.Time { return now.AddDate(0, 0, -30) },
		},
		{
			name: "three messages around the new year", most: 3,
			rows:  func(now time.Time) []row { return spread("m", 3, now.AddDate(-1, 0, 0), now) },
			start: func(now time.Time) time.Time { return now.AddDate(-1, 0, 0) },
		},
		{name: "ten empty years", most: 2},
		{
			name: "ten years, three messages", most: 3, req: query.Events{OrderBy: query.EventTimeDesc},
			rows: func(now time.Time) []row { return spread("m", 3, now.AddDate(0, 0, -29), now) },
		},
		{name: "twenty years asked", most: 2, start: func(now time.Time) time.Time { return now.AddDate(-20, 0, 0) }},
		{
			name: "three years of a quiet user", most: 2,
			rows: func(now time.Time) []row { return spread("m", 40, now.AddDate(-3, 0, 0), now) },
		},
		{
			name: "a small chat", most: 2, req: query.Events{Conversation: conversation},
			rows: func(now time.Time) []row { return spread("m", 13, now.AddDate(0, -2, 0), now) },
		},
		{
			name: "a busy chat", most: 41 + 3, req: query.Events{Conversation: conversation},
			rows: func(now time.Time) []row { return spread("m", 2000, now.AddDate(0, -9, 0), now) },
		},
		{
			name: "an old chat", most: 40 + 4, req: query.Events{Conversation: conversation},
			rows: func(now time.Time) []row { return spread("m", 2000, now.AddDate(-4, 0, 0), now) },
		},
		{
			name: "a very busy chat", most: 600 * 115 / 100, req: query.Events{Conversation: conversation},
			rows: func(now time.Time) []row { return spread("m", 30000, now.AddDate(-2, 0, 0), now) },
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := november()
				g := &fakeGraph{src: chat, size: 50}
				if test.rows != nil {
					g.rows = test.rows(now)
				}
				req := test.req
				req.User, req.Sources = "u", []parleyv1.Source{chat}
				if test.start != nil {
					req.Start = test.start(now)
				}
				r := stream(t, newEngine(t, timeline.Config{}), sources(g), req, "")
				if diff := cmp.Diff(want(time.Time{}, now, req.OrderBy != query.EventTime, g), ids(r.events)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if !r.summary.GetComplete() {
					t.Errorf("not complete: %v", r.summary)
				}
				t.Logf("%d requests", g.requests())
				if g.requests() > test.most {
					t.Errorf("%d requests, want at most %d", g.requests(), test.most)
				}
			})
		})
	}
}

// TestRequestsOfTheFirstPage counts the requests of a List's first page.
func TestRequestsOfTheFirstPage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		rows, years  int
		conversation string
		start        bool
		most         int
	}{
		{"a month", 20000, 0, "", true, 4 + 2*21},
		{"no start", 300, 3, "", false, 16},
		{"a small chat", 13, 1, "19:x@thread.v2", false, 2},
		{"a long chat", 5000, 5, "19:x@thread.v2", false, 25},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := november()
				from := now.AddDate(-test.years, -1, 0)
				g := &fakeGraph{src: chat, size: 50, rows: spread("m", test.rows, from, now)}
				req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Conversation: test.conversation}
				if test.start {
					req.Start = from
				}
				e := newEngine(t, timeline.Config{})
				page, err := e.ListEvents(t.Context(), sources(g), req, "", 50)
				if err != nil || len(page.GetEvents()) != min(50, test.rows) {
					t.Fatalf("%d events, %v", len(page.GetEvents()), err)
				}
				t.Logf("%d requests", g.requests())
				if g.requests() > test.most {
					t.Errorf("%d requests for one page, want at most %d", g.requests(), test.most)
				}
			})
		})
	}
}

// TestErasWithoutAnAnswerAreAskedByTheYear: where Graph does not answer for all the years at a time, each of them is asked, and the gap is one year.
func TestErasWithoutAnAnswerAreAskedByTheYear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := november()
		g := &fakeGraph{src: chat, size: 50, rows: spread("m", 40, now.AddDate(-5, 0, 0), now)}
		bad := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
		g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
			if !q.Start.After(bad) && q.End.After(bad) {
				return nil, fail(graph.KindUnavailable)
			}
			return p, nil
		}
		e := newEngine(t, timeline.Config{})
		r := stream(t, e, sources(g), query.Events{User: "u", Sources: []parleyv1.Source{chat}}, "")
		gaps := report(r.summary.GetSources(), chat).GetGaps()
		if len(gaps) != 1 || !gaps[0].GetInterval().GetStartTime().AsTime().Equal(bad) ||
			!gaps[0].GetInterval().GetEndTime().AsTime().Equal(bad.AddDate(1, 0, 0)) {
			t.Errorf("gaps %v", fmt.Sprint(gaps))
		}
		if r.summary.GetComplete() || len(r.events) != 32 {
			t.Errorf("%d events, complete %v", len(r.events), r.summary.GetComplete())
		}
	})
}
