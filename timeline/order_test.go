package timeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

func base() (start, end time.Time) {
	end = time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
	return end.Add(-20 * 24 * time.Hour), end
}

// mixed is three sources with ties across them and within them, a request for all of them, and what it must get.
func mixed(order query.Order) (have query.Sources, req query.Events, all []string) {
	start, end := base()
	c := &fakeGraph{src: copilot, size: 7, rows: spread("p", 120, start, end)}
	m := &fakeGraph{src: chat, size: 5, rows: spread("m", 200, start.Add(-24*time.Hour), end.Add(24*time.Hour))}
	l := &fakeGraph{src: call, size: 6, rows: spread("c", 60, start, end)}
	for i := range 13 { // one millisecond, all sources
		at := start.Add(50 * time.Hour)
		for _, g := range []*fakeGraph{c, m, l} {
			g.rows = append(g.rows, row{at: at, created: at, id: fmt.Sprintf("tie%02d", i), version: 1})
		}
	}
	req = query.Events{Owner: "u", User: "u", Start: start, End: end, OrderBy: order}
	return sources(c, m, l), req, want(start, end, order != query.EventTime, c, m, l)
}

func TestStreamsAndListsHaveOneOrder(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			have, req, all := mixed(order)
			e := newEngine(t, timeline.Config{})
			r := stream(t, e, have, req, "")
			if diff := cmp.Diff(all, ids(r.events)); diff != "" {
				t.Fatalf("stream (-want +got):\n%s", diff)
			}
			if !r.summary.GetComplete() {
				t.Errorf("not complete: %v", r.summary)
			}
			for _, size := range []int{1, 5, 16, 53, 1000} {
				events, last := listAll(t, e, have, req, size)
				if diff := cmp.Diff(ids(r.events), ids(events)); diff != "" {
					t.Fatalf("pages of %d (-stream +list):\n%s", size, diff)
				}
				if !last.GetComplete() {
					t.Errorf("pages of %d: not complete: %v", size, last.GetSources())
				}
				for _, s := range last.GetSources() {
					if got, want := s.GetCounts().GetEvents(), report(r.summary.GetSources(), s.GetSource()).GetCounts().GetEvents(); got != want {
						t.Errorf("pages of %d: %v counted %d events, want %d", size, s.GetSource(), got, want)
					}
				}
			}
		})
	}
}

// TestResumeBehindEveryEvent resumes behind every possible event, from a List token and into both methods.
func TestResumeBehindEveryEvent(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			have, req, all := mixed(order)
			e := newEngine(t, timeline.Config{})
			token := ""
			for cut := 1; cut < len(all); cut++ {
				page, err := e.ListEvents(t.Context(), have, req, token, 1)
				if err != nil {
					t.Fatal(err)
				}
				if token = page.GetNextPageToken(); len(token) > 1024 {
					t.Fatalf("token of %d bytes", len(token))
				}
				if cut%7 != 0 && cut < len(all)-3 {
					continue
				}
				r := stream(t, e, have, req, token)
				if diff := cmp.Diff(all[cut:], ids(r.events)); diff != "" {
					t.Fatalf("resumed after %d (-want +got):\n%s", cut, diff)
				}
				if !r.summary.GetComplete() {
					t.Fatalf("resumed after %d: not complete", cut)
				}
			}
		})
	}
}

func TestConversationNewestFirstIsOneChain(t *testing.T) {
	t.Parallel()
	start, end := base()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc, query.CreateTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: chat, size: 10, rows: spread("m", 95, start.Add(-48*time.Hour), end.Add(time.Hour))}
			for i := range 12 {
				at := start.Add(100 * time.Hour)
				g.rows = append(g.rows, row{at: at, created: at, id: fmt.Sprintf("tie%02d", i), version: 1})
			}
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "u", User: "u", Conversation: "19:x@thread.v2", Start: start, End: end, OrderBy: order}
			all := want(start, end, order != query.EventTime, g)
			r := stream(t, e, sources(g), req, "")
			if diff := cmp.Diff(all, ids(r.events)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if !r.summary.GetComplete() {
				t.Errorf("not complete: %v", r.summary)
			}
			if order != query.EventTime {
				if n := g.requests(); n > 13 {
					t.Errorf("%d requests for one chain of at most 11 pages", n)
				}
			}
			for _, size := range []int{1, 5, 16, 53} {
				events, last := listAll(t, e, sources(g), req, size)
				if diff := cmp.Diff(all, ids(events)); diff != "" {
					t.Fatalf("pages of %d (-want +got):\n%s", size, diff)
				}
				if !last.GetComplete() {
					t.Errorf("pages of %d: not complete: %v", size, last.GetSources())
				}
			}
		})
	}
}
