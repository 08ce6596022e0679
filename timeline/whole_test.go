package timeline_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// attendance is a getter of calls of which every second one has Ada, as Graph proves and as the record says.
type attendance struct {
	asked *atomic.Int64
	lost  string // the call that cannot be read
	empty string // the call that names nobody
}

func (a attendance) Event(_ context.Context, owner, user string, ref source.Ref) (*parleyv1.Event, error) {
	a.asked.Add(1)
	call := &parleyv1.CallDetail{Participants: []*parleyv1.CallParticipant{{Id: "bob"}}}
	switch {
	case ref.ID == a.lost:
		return nil, fail(graph.KindBadRequest)
	case ref.ID == a.empty:
		call.Participants = nil
	case attends(ref.ID):
		call.Participants = append(call.Participants, &parleyv1.CallParticipant{Id: "ada"})
	case owner != "-" && user == "ada":
		return nil, fmt.Errorf("%w: %w", source.ErrNotParticipant, fail(graph.KindNotFound))
	}
	return &parleyv1.Event{
		Uid: "SOURCE_CALL/" + ref.ID, Version: 1, Kind: parleyv1.EventKind_EVENT_KIND_CALL, Source: &parleyv1.EventSource{Id: ref.ID},
		Detail: &parleyv1.Event_Call{Call: call},
	}, nil
}

func attends(id string) bool { return (id[len(id)-1]-'0')%2 == 0 }

// listedCalls makes the rows of a graph calls as lists tell them; honest leaves out those without Ada.
func listedCalls(honest bool) func(int, source.EventQuery, string, *page) (*page, error) {
	return func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
		items := slices.Clone(p.Items)
		for i := range items {
			items[i] = changed(items[i], func(e *parleyv1.Event) {
				e.Kind, e.Detail = parleyv1.EventKind_EVENT_KIND_CALL, &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}
			})
		}
		if honest {
			items = slices.DeleteFunc(items, func(i source.Item) bool { return !attends(decode(i).GetSource().GetId()) })
		}
		p.Items = items
		return p, nil
	}
}

// TestForeignCallsAreLeftOut: calls without the user, or without the participant that is asked for, are left out where calls are read
// whole, although Graph sent them in spite of its clause; what cannot be judged is kept, and then told.
func TestForeignCallsAreLeftOut(t *testing.T) {
	t.Parallel()
	start, end := base()
	const clause = `call.participants.id : "ada"`
	field := []string{"call.participants.id"}
	for name, test := range map[string]struct {
		owner, filter string
		honest        bool
		lost, empty   string
		events        int
		gap           bool
	}{
		"tenant":                     {owner: "-", filter: clause, events: 10},
		"tenant, beside another":     {owner: "-", filter: clause + ` AND kind = EVENT_KIND_CALL`, events: 10},
		"user":                       {owner: "ada", events: 10},
		"user and filter":            {owner: "ada", filter: clause, events: 10},
		"one is lost":                {owner: "ada", lost: "c0003", events: 11, gap: true},
		"the last one is lost":       {owner: "-", filter: clause, lost: "c0019", events: 11, gap: true},
		"one names nobody":           {owner: "-", filter: clause, empty: "c0001", events: 11, gap: true},
		"honest, tenant":             {owner: "-", filter: clause, honest: true, events: 10},
		"honest, user":               {owner: "ada", honest: true, events: 10},
		"honest, one is lost":        {owner: "ada", honest: true, lost: "c0004", events: 10},
		"honest, filter, one lost":   {owner: "-", filter: clause, honest: true, lost: "c0004", events: 10},
		"nothing is asked, one lost": {owner: "-", lost: "c0003", events: 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: call, size: 5, rows: spread("c", 20, start, end), hook: listedCalls(test.honest)}
			getter := attendance{&atomic.Int64{}, test.lost, test.empty}
			e, have := newEngine(t, timeline.Config{}), sources(g)
			have.Getters = map[parleyv1.Source]source.EventGetter{call: getter}
			req := query.Events{
				Owner: test.owner, Start: start, End: end, Filter: test.filter, View: parleyv1.EventView_EVENT_VIEW_FULL,
			}
			if test.owner != "-" {
				req.User = test.owner
			}
			r := stream(t, e, have, req, "")
			rep := r.summary.GetSources()[0]
			if len(r.events) != test.events || rep.GetCounts().GetEvents() != int64(test.events) {
				t.Errorf("%d events, counted %d, want %d: %v", len(r.events), rep.GetCounts().GetEvents(), test.events, ids(r.events))
			}
			told := slices.ContainsFunc(r.notices, func(n *parleyv1.Notice) bool { return n.GetCode() == "FILTER_NOT_EVALUATED" })
			if r.summary.GetComplete() == test.gap || told != test.gap || notFound(rep.GetGaps(), "FILTER_NOT_EVALUATED") == test.gap {
				t.Errorf("complete %v, notices %v, gaps %v", r.summary.GetComplete(), r.notices, rep.GetGaps())
			}
			if want := int64(len(g.rows)) / map[bool]int64{false: 1, true: 2}[test.honest]; getter.asked.Load() != want {
				t.Errorf("%d records were read whole, want %d", getter.asked.Load(), want)
			}
			if test.filter != "" {
				byGraph := field
				if !test.honest {
					byGraph = nil
				}
				if diff := cmp.Diff(byGraph, rep.GetFilteredByGraph()); diff != "" || !slices.Contains(rep.GetFilteredByGateway(), field[0]) {
					t.Errorf("by Graph %v, by the gateway %v", rep.GetFilteredByGraph(), rep.GetFilteredByGateway())
				}
			}
			for i, token := range r.tokens {
				rest := stream(t, e, have, req, token)
				if diff := cmp.Diff(ids(r.events[r.after[i]:]), ids(rest.events)); diff != "" {
					t.Errorf("resumed at %d (-want +got):\n%s", r.after[i], diff)
				}
			}
			page, err := e.ListEvents(t.Context(), have, req, "", 3)
			if err != nil {
				t.Fatal(err)
			}
			rest := stream(t, e, have, req, page.GetNextPageToken())
			after := slices.IndexFunc(r.events, func(event *parleyv1.Event) bool {
				return len(rest.events) > 0 && event.GetUid() == rest.events[0].GetUid()
			})
			if after < 0 || !cmp.Equal(ids(r.events[after:]), ids(rest.events)) {
				t.Errorf("behind a page: %v", ids(rest.events))
			}
		})
	}
}

// TestParticipantsThatWereNotReadAreNotClaimed: where calls are not read whole, Graph's word is taken, and the report does not claim more; the
// list and the stream are the same.
func TestParticipantsThatWereNotReadAreNotClaimed(t *testing.T) {
	t.Parallel()
	start, end := base()
	for _, unfiltered := range []bool{false, true} {
		listed := listedCalls(false)
		g := &fakeGraph{src: call, size: 5, rows: spread("c", 20, start, end)}
		g.hook = func(n int, q source.EventQuery, link string, p *page) (*page, error) {
			p.Unfiltered = unfiltered
			return listed(n, q, link, p)
		}
		getter := attendance{asked: &atomic.Int64{}}
		e, have := newEngine(t, timeline.Config{}), sources(g)
		have.Getters = map[parleyv1.Source]source.EventGetter{call: getter}
		req := query.Events{
			Owner: "ada", User: "ada", Start: start, End: end, Filter: `kind = EVENT_KIND_CALL AND call.participants.id = "ada"`,
		}
		r := stream(t, e, have, req, "")
		byGraph, byGateway, events := []string{"call.participants.id"}, []string{"kind"}, 20
		if unfiltered {
			byGraph, byGateway, events = nil, []string{"kind", "call.participants.id"}, 10
		}
		rep := r.summary.GetSources()[0]
		if diff := cmp.Diff(byGraph, rep.GetFilteredByGraph()); diff != "" {
			t.Errorf("unfiltered %v, by Graph: %s", unfiltered, diff)
		}
		if diff := cmp.Diff(byGateway, rep.GetFilteredByGateway()); diff != "" {
			t.Errorf("unfiltered %v, by the gateway: %s", unfiltered, diff)
		}
		if len(r.events) != events || !r.summary.GetComplete() || unfiltered == (getter.asked.Load() == 0) {
			t.Errorf("unfiltered %v: %d events, %d read whole, %v", unfiltered, len(r.events), getter.asked.Load(), r.summary)
		}
		list, last := listAll(t, e, have, req, 3)
		if diff := cmp.Diff(ids(r.events), ids(list)); diff != "" || !last.GetComplete() {
			t.Errorf("unfiltered %v, list (-stream +list): %s", unfiltered, diff)
		}
	}
}
