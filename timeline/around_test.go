package timeline_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// listAround is ListEvents around an anchor.
func listAround(
	t *testing.T, e *timeline.Engine, s query.Sources, req query.Events, at query.Anchor, token string, size int,
) (*parleyv1.ListEventsResponse, error) {
	t.Helper()
	page, err := e.PageAround(t.Context(), s, req, at, token, size)
	if err != nil {
		return nil, err
	}
	if page.Message.GetComplete() && page.Message.GetNextPageToken()+page.Message.GetPreviousPageToken() != "" {
		t.Error("complete with another page")
	}
	answer := proto.CloneOf(page.Message)
	if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(page.Events, answer); err != nil || len(answer.GetEvents()) != page.Count {
		t.Fatalf("%d events, %d counted: %v", len(answer.GetEvents()), page.Count, err)
	}
	return answer, nil
}

// bothWays reads the page around an anchor, and all pages before and behind it. It returns the events of the page, and all.
func bothWays(t *testing.T, e *timeline.Engine, s query.Sources, req query.Events, at query.Anchor, size int) (middle, all []string, answers []*parleyv1.ListEventsResponse) {
	t.Helper()
	first, err := listAround(t, e, s, req, at, "", size)
	if err != nil {
		t.Fatal(err)
	}
	middle = ids(first.GetEvents())
	all, answers = middle, []*parleyv1.ListEventsResponse{first}
	for token := first.GetNextPageToken(); token != ""; {
		page, err := listAround(t, e, s, req, query.Anchor{Name: at.Name}, token, size)
		if err != nil || page.GetPreviousPageToken() != "" || len(page.GetEvents()) > size {
			t.Fatalf("a page behind: %v %.200v", err, page)
		}
		token = page.GetNextPageToken()
		all, answers = slices.Concat(all, ids(page.GetEvents())), append(answers, page)
	}
	for token := first.GetPreviousPageToken(); token != ""; {
		page, err := listAround(t, e, s, req, query.Anchor{Name: at.Name}, token, size)
		if err != nil || page.GetNextPageToken() != "" || len(page.GetEvents()) > size {
			t.Fatalf("a page before: %v %.200v", err, page)
		}
		token = page.GetPreviousPageToken()
		all, answers = slices.Concat(ids(page.GetEvents()), all), append(answers, page)
	}
	return middle, all, answers
}

// TestPagesAroundAnEventAreTheList: the page around an event and the pages before and behind it are the list, in both orders, at every page size.
func TestPagesAroundAnEventAreTheList(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			have, req, want := mixed(order)
			e := newEngine(t, timeline.Config{})
			listed, _ := listAll(t, e, have, req, 1000)
			for at, event := range listed {
				if at%97 != 0 && at != len(listed)-1 {
					continue
				}
				anchor := query.Anchor{Name: event.GetUid(), Time: event.GetEventTime().AsTime()}
				cut := slices.IndexFunc(listed, func(e *parleyv1.Event) bool { return e.GetEventTime().AsTime().Equal(anchor.Time) })
				sizes := []int{1, 8, 101, 1000}
				if at != 2*97 {
					sizes = sizes[1:] // pages of one event cost most, and an anchor in the middle shows them
				}
				for _, size := range sizes {
					middle, all, answers := bothWays(t, e, have, req, anchor, size)
					if diff := cmp.Diff(want, all); diff != "" {
						t.Fatalf("around %d, pages of %d (-list +around):\n%s", at, size, diff)
					}
					from, to := max(0, cut-size/2), min(len(want), cut+size-size/2)
					if diff := cmp.Diff(want[from:to], middle); diff != "" {
						t.Fatalf("around %d, a page of %d (-want +got):\n%s", at, size, diff)
					}
					checkWhole(t, answers, len(want))
				}
			}
		})
	}
}

// checkWhole checks what the answers of a read list say beside its events.
func checkWhole(t *testing.T, answers []*parleyv1.ListEventsResponse, want int) {
	t.Helper()
	ends := 0
	for _, answer := range answers {
		for _, r := range answer.GetSources() {
			if told := len(r.GetCoverageGaps()) > 0; told != (answer.GetNextPageToken()+answer.GetPreviousPageToken() == "") {
				t.Errorf("coverage gaps are told: %v; tokens: %q, %q", told, answer.GetNextPageToken(), answer.GetPreviousPageToken())
			}
		}
		if answer.GetComplete() {
			ends++
		}
	}
	if ends == 0 {
		t.Errorf("none of %d pages is complete", len(answers))
	}
	if len(answers) > 1 {
		return
	}
	events := int64(0)
	for _, r := range answers[0].GetSources() {
		events += r.GetCounts().GetEvents()
	}
	if events != int64(want) {
		t.Errorf("the reports of the only page count %d events, want %d", events, want)
	}
}

// TestPageAroundAMessageCostsARequestEachWay counts the requests for the page around a message: about one each way, however long the chat is.
func TestPageAroundAMessageCostsARequestEachWay(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		rows func(now time.Time) []row
		at   float64 // place of the anchor
		size int
		most int
	}{
		{"the middle of a busy chat", func(now time.Time) []row { return spread("m", 5000, now.AddDate(0, -2, 0), now) }, 0.5, 50, 2},
		{"early in a long chat", func(now time.Time) []row { return spread("m", 3000, now.AddDate(-3, 0, 0), now) }, 0.1, 50, 3},
		{"a quiet chat", func(now time.Time) []row { return spread("m", 60, now.AddDate(-2, 0, 0), now) }, 0.6, 20, 4},
		{"the end of a chat", func(now time.Time) []row { return spread("m", 3000, now.AddDate(-1, 0, 0), now) }, 0.9997, 50, 2},
		{"the first message", func(now time.Time) []row { return spread("m", 3000, now.AddDate(0, 0, -100), now) }, 0, 50, 4},
		{"a big page", func(now time.Time) []row { return spread("m", 5000, now.AddDate(0, -2, 0), now) }, 0.5, 400, 5 + 6},
	} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			t.Run(fmt.Sprint(test.name, order), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					now := november()
					g := &fakeGraph{src: chat, size: 50, rows: test.rows(now)}
					at := g.rows[int(test.at*float64(len(g.rows)))]
					req := query.Events{Owner: "u", User: "u", Conversation: "19:x@thread.v2", OrderBy: order}
					page, err := listAround(t, newEngine(t, timeline.Config{}), sources(g), req, query.Anchor{Name: at.id, Time: at.at}, "", test.size)
					if err != nil || !slices.ContainsFunc(page.GetEvents(), func(e *parleyv1.Event) bool { return strings.HasSuffix(e.GetUid(), at.id) }) {
						t.Fatalf("%v, %d events", err, len(page.GetEvents()))
					}
					if got := g.requests(); got > test.most {
						t.Errorf("%d requests, want at most %d", got, test.most)
					}
				})
			})
		}
	}
}

// TestAnchorThatIsFilteredOutMarksThePlace: an anchor that the filter or the sources leave out marks the place all the same.
func TestAnchorThatIsFilteredOutMarksThePlace(t *testing.T) {
	t.Parallel()
	start, end := base()
	m := &fakeGraph{src: chat, size: 10, rows: spread("m", 60, start, end)}
	c := &fakeGraph{src: copilot, size: 10, rows: spread("p", 60, start.Add(time.Minute), end)}
	for i := range m.rows {
		m.rows[i].actor = "ada"
		if i%3 == 0 {
			m.rows[i].actor = "ben"
		}
	}
	at := query.Anchor{Name: "a", Time: m.rows[30].at} // of Ben
	e := newEngine(t, timeline.Config{})
	for name, test := range map[string]struct {
		req  query.Events
		want string
	}{
		"the filter":  {query.Events{Filter: `actor.user.id = "ada"`, Sources: []parleyv1.Source{chat}}, "m0028 m0029 m0031 m0032"},
		"the sources": {query.Events{Sources: []parleyv1.Source{copilot}}, "p0028 p0029 p0030 p0031"},
		"the end":     {query.Events{Sources: []parleyv1.Source{chat}, End: m.rows[31].at}, "m0028 m0029 m0030"},
		"the start":   {query.Events{Sources: []parleyv1.Source{chat}, Start: m.rows[29].at}, "m0029 m0030 m0031"},
		"only it":     {query.Events{Sources: []parleyv1.Source{chat}, Start: m.rows[30].at, End: m.rows[31].at}, "m0030"},
	} {
		test.req.Owner, test.req.User = "u", "u"
		page, err := listAround(t, e, sources(m, c), test.req, at, "", 4)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := make([]string, 0, len(page.GetEvents()))
		for _, event := range page.GetEvents() {
			got = append(got, event.GetSource().GetId())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", name, got, test.want)
		}
		if bounded := !test.req.Start.IsZero() && !test.req.End.IsZero(); bounded != page.GetComplete() {
			t.Errorf("%s: complete = %v", name, page.GetComplete())
		}
	}
}

// TestRefusalsOfAroundNameTheField: the refusals name the field.
func TestRefusalsOfAroundNameTheField(t *testing.T) {
	t.Parallel()
	have, req, _ := mixed(query.EventTime)
	e := newEngine(t, timeline.Config{})
	middle := req.Start.Add(100 * time.Hour)
	at := query.Anchor{Name: "a", Time: middle}
	page, err := listAround(t, e, have, req, at, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := e.ListEvents(t.Context(), have, req, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*query.Events)) query.Events {
		changed := req
		change(&changed)
		return changed
	}
	for name, test := range map[string]struct {
		req          query.Events
		at           query.Anchor
		token, field string
	}{
		"before the interval":       {req, query.Anchor{Name: "a", Time: req.Start.Add(-1)}, "", "around"},
		"at the end":                {req, query.Anchor{Name: "a", Time: req.End}, "", "around"},
		"by creation":               {with(func(r *query.Events) { r.OrderBy, r.Conversation = query.CreateTimeDesc, "19:x@thread.v2" }), at, "", "order_by"},
		"an interval of nothing":    {with(func(r *query.Events) { r.End = r.Start }), at, "", "end_time"},
		"a token without an anchor": {req, at, plain.GetNextPageToken(), "page_token"},
		"of another anchor":         {req, query.Anchor{Name: "b", Time: middle}, page.GetNextPageToken(), "page_token"},
		"of another order":          {with(func(r *query.Events) { r.OrderBy = query.EventTimeDesc }), at, page.GetPreviousPageToken(), "page_token"},
		"of another caller":         {with(func(r *query.Events) { r.Caller = "x" }), at, page.GetNextPageToken(), "page_token"},
		"of another end":            {with(func(r *query.Events) { r.End = r.End.Add(1) }), at, page.GetPreviousPageToken(), "page_token"},
		"a broken one":              {req, at, page.GetNextPageToken()[1:], "page_token"},
	} {
		_, err := listAround(t, e, have, test.req, test.at, test.token, 4)
		if refused, ok := errors.AsType[*failure.Error](err); !ok || refused.Field != test.field {
			t.Errorf("%s: %v, want a fault of %s", name, err, test.field)
		}
	}
	for direction, token := range map[string]string{"next": page.GetNextPageToken(), "previous": page.GetPreviousPageToken()} {
		_, err := e.ListEvents(t.Context(), have, req, token, 4)
		if refused, ok := errors.AsType[*failure.Error](err); !ok || refused.Field != "page_token" {
			t.Errorf("the %s token without an anchor: %v", direction, err)
		}
		if len(token) > 1024 {
			t.Errorf("the %s token has %d bytes", direction, len(token))
		}
	}
}

// TestAnchorInTheFutureIsNoFault: an event that Graph dates into this machine's future is no fault; the interval ends now.
func TestAnchorInTheFutureIsNoFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := november()
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, now.Add(-time.Hour), now)}
			req := query.Events{Owner: "u", User: "u", OrderBy: order}
			page, err := listAround(t, newEngine(t, timeline.Config{}), sources(g), req, query.Anchor{Name: "a", Time: now.Add(time.Minute)}, "", 10)
			if err != nil || len(page.GetEvents()) != 5 || page.GetEvents()[4*int(order)].GetSource().GetId() != []string{"m0025", "m0025"}[order] {
				t.Errorf("order %d: %v %v", order, err, ids(page.GetEvents()))
			}
		}
	})
}

// TestPagesAroundLargeEventsAreBounded: a page takes no more bytes than another one, and what has no room comes with the next.
func TestPagesAroundLargeEventsAreBounded(t *testing.T) {
	t.Parallel()
	start, end := base()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: chat, size: 10, rows: spread("m", 9, start, end)}
			for i := range g.rows {
				g.rows[i].body = strings.Repeat("x", chunk.MaxFrameEvents/2-i*1000)
			}
			req := query.Events{Owner: "u", User: "u", Start: start, End: end, OrderBy: order}
			e := newEngine(t, timeline.Config{})
			_, all, answers := bothWays(t, e, sources(g), req, query.Anchor{Name: "a", Time: g.rows[4].at}, 6)
			if diff := cmp.Diff(want(start, end, order != query.EventTime, g), all); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i, answer := range answers {
				if n := len(answer.GetEvents()); n > 2 || i == 0 && n == 0 {
					t.Errorf("page %d has %d events", i, n)
				}
			}
		})
	}
}

// TestPagesAroundGoOnAfterOneSideFails: one side that fails is no error of a page that has events, and the next page goes on there.
func TestPagesAroundGoOnAfterOneSideFails(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 40, start, end)}
	at := query.Anchor{Name: "a", Time: g.rows[20].at}
	broken := true
	g.hook = func(_ int, q source.EventQuery, _ string, page *source.Page[source.Item]) (*source.Page[source.Item], error) {
		if broken && !q.Start.Before(at.Time.Add(-2*time.Second)) {
			return nil, fail(graph.KindUnavailable)
		}
		return page, nil
	}
	req := query.Events{Owner: "u", User: "u", Start: start, End: end}
	e := newEngine(t, timeline.Config{})
	page, err := listAround(t, e, sources(g), req, at, "", 10)
	if err != nil || len(page.GetEvents()) != 5 || page.GetNextPageToken() == "" {
		t.Fatalf("%v, %d events", err, len(page.GetEvents()))
	}
	broken = false
	rest, err := listAround(t, e, sources(g), req, at, page.GetNextPageToken(), 1000)
	if err != nil || len(rest.GetEvents()) != 20 || rest.GetEvents()[0].GetSource().GetId() != "m0020" {
		t.Errorf("%v, %d events", err, len(rest.GetEvents()))
	}
}
