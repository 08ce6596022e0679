package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestFilterAnswersAlikeWhoeverEvaluatesIt: whether Graph evaluates its clause, ignores it, or refuses it, the answer is the same and tells.
func TestFilterAnswersAlikeWhoeverEvaluatesIt(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"honoured", "ignored", "refused"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			start, end := march()
			g := &fakeGraph{src: chat, size: 10, rows: spread("m", 90, start, end)}
			other := &fakeGraph{src: copilot, size: 10, rows: spread("p", 20, start, end)}
			g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
				if !slices.Equal(q.Clause.UserIDs, []string{"ada"}) {
					return nil, errors.New("the clause is missing")
				}
				items := slices.Clone(p.Items)
				for i := range items {
					user := "ada"
					if items[i].Key[4] != '0' {
						user = "bob"
					}
					items[i] = changed(items[i], func(e *parleyv1.Event) { e.Actor = &parleyv1.IdentitySet{User: &parleyv1.Identity{Id: user}} })
				}
				if mode == "honoured" {
					items = slices.DeleteFunc(items, func(i source.Item) bool { return decode(i).GetActor().GetUser().GetId() != "ada" })
				}
				p.Items, p.Unfiltered = items, mode == "refused"
				return p, nil
			}
			e := newEngine(t, timeline.Config{})
			req := chatRequest()
			req.Sources = []parleyv1.Source{copilot, chat}
			req.Filter = `actor.user.id = "ada" AND kind != EVENT_KIND_PROMPT AND copilot.app_class != "x"`
			expected := make([]string, 0, 9)
			for i := range 9 {
				expected = append(expected, fmt.Sprintf("SOURCE_CHAT/m00%d0@1", i))
			}
			r := stream(t, e, sources(g, other), req, "")
			if diff := cmp.Diff(expected, ids(r.events)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			rep := report(r.summary.GetSources(), chat)
			byGraph := []string{"actor.user.id"}
			if mode == "refused" {
				byGraph = nil
			}
			if diff := cmp.Diff(byGraph, rep.GetFilteredByGraph()); diff != "" {
				t.Error("by Graph: ", diff)
			}
			if diff := cmp.Diff([]string{"actor.user.id", "kind", "copilot.app_class"}, rep.GetFilteredByGateway()); diff != "" {
				t.Error("by the gateway: ", diff)
			}
			if !r.summary.GetComplete() || rep.GetCounts().GetEvents() != 9 {
				t.Errorf("summary %v", r.summary)
			}
			events, last := listAll(t, e, sources(g, other), req, 4)
			if diff := cmp.Diff(expected, ids(events)); diff != "" || !last.GetComplete() {
				t.Errorf("list: %s", diff)
			}
		})
	}
}

// TestImpossibleSourceIsCompleteWithoutARequest: a source without a field that every match needs is complete without a request.
func TestImpossibleSourceIsCompleteWithoutARequest(t *testing.T) {
	t.Parallel()
	start, end := march()
	g, other := &fakeGraph{src: chat, size: 10, rows: spread("m", 9, start, end)}, &fakeGraph{src: copilot, size: 10, rows: spread("p", 20, start, end)}
	e := newEngine(t, timeline.Config{})
	req := chatRequest()
	req.Sources, req.Filter = []parleyv1.Source{copilot, chat}, `kind = EVENT_KIND_SYSTEM`
	r := stream(t, e, sources(g, other), req, "")
	if other.requests() > 0 || !r.summary.GetComplete() {
		t.Errorf("%d requests, %v", other.requests(), r.summary)
	}
	again := stream(t, e, sources(g, other), req, r.summary.GetResumeToken())
	if !again.summary.GetComplete() {
		t.Errorf("resumed: %v", again.summary)
	}
}

// TestParticipantFilterTakesGraphsWordOrReadsWhole: lists of calls do not name participants; Graph's word is taken, else calls are read whole.
func TestParticipantFilterTakesGraphsWordOrReadsWhole(t *testing.T) {
	t.Parallel()
	start, end := base()
	for _, unfiltered := range []bool{false, true} {
		g := &fakeGraph{src: call, size: 10, rows: spread("c", 4, start, end)}
		g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
			if q.Clause.ParticipantID != "ada" {
				return nil, errors.New("the clause is missing")
			}
			for i := range p.Items {
				p.Items[i] = changed(p.Items[i], func(e *parleyv1.Event) {
					e.Detail = &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}
				})
			}
			p.Unfiltered = unfiltered
			return p, nil
		}
		e := newEngine(t, timeline.Config{})
		have := sources(g)
		req := query.Events{Owner: "-", Start: start, End: end, Filter: `call.participants.id = "ada"`}
		r := stream(t, e, have, req, "")
		if len(r.events) != 4 || r.summary.GetComplete() == unfiltered {
			t.Errorf("unfiltered %v, nobody to ask: %d events, complete %v", unfiltered, len(r.events), r.summary.GetComplete())
		}
		have.Getters = map[parleyv1.Source]source.EventGetter{call: attended{}}
		r = stream(t, e, have, req, "")
		wanted := 4
		if unfiltered {
			wanted = 2
		}
		if len(r.events) != wanted || !r.summary.GetComplete() {
			t.Errorf("unfiltered %v: %d events, %v", unfiltered, len(r.events), r.summary)
		}
	}
}

// attended is a getter of calls of which every second one has Ada.
type attended struct{}

func (attended) Event(_ context.Context, _, _ string, ref source.Ref) (*parleyv1.Event, error) {
	people := []*parleyv1.CallParticipant{{Id: "bob"}}
	if (ref.ID[4]-'0')%2 == 0 {
		people = append(people, &parleyv1.CallParticipant{Id: "ada"})
	}
	return &parleyv1.Event{Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Participants: people}}}, nil
}

// TestEmptyPageSaysHowFarItSearched: a List whose time is up before an event matches is empty, has a token, and says up to where it has searched.
func TestEmptyPageSaysHowFarItSearched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &fakeGraph{src: chat, size: 10, delay: time.Second, rows: spread("m", 600, start, end)}
		e, req := newEngine(t, timeline.Config{}), chatRequest()
		req.Filter = `body.plain_text = "*nothing of the kind*"`
		token, until, pages := "", start, 0
		for {
			page, err := e.ListEvents(t.Context(), sources(g), req, token, 5)
			if err != nil || len(page.GetEvents()) > 0 {
				t.Fatalf("%d events, %v", len(page.GetEvents()), err)
			}
			pages++
			if token = page.GetNextPageToken(); token == "" {
				if !page.GetComplete() {
					t.Error("not complete")
				}
				break
			}
			covered := page.GetSources()[0].GetCovered()
			if covered == nil && until.Equal(start) {
				continue // not one window is read to its end
			}
			at := covered.GetEndTime().AsTime()
			if covered == nil || at.Before(until) || at.After(end) {
				t.Fatalf("page %d has searched %v, after %v", pages, covered, until)
			}
			until = at
		}
		if pages < 2 || !until.After(start) {
			t.Errorf("%d pages, searched until %v", pages, until)
		}
	})
}

// TestFilterByNamesSeesAddedNames: a filter by the name of the actor sees the names that are added, and a window whose names could not be looked up is a
// gap. What goes out is as Graph sent it.
func TestFilterByNamesSeesAddedNames(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &fakeGraph{src: copilot, size: 10, rows: spread("p", 30, start, end)}
	for i := range g.rows {
		g.rows[i].actor = []string{"ada", "ben", "nobody"}[i%3]
	}
	for _, complete := range []bool{true, false} {
		have := sources(g)
		have.NameActors = func(_ context.Context, events []*parleyv1.Event) bool {
			for _, e := range events {
				e.GetActor().GetUser().DisplayName = map[string]string{"ada": "Ada Byron", "ben": "Ben"}[e.GetActor().GetUser().GetId()]
			}
			return complete
		}
		req := query.Events{Owner: "u", User: "u", Start: start, End: end, Filter: `actor = "ada*" OR NOT actor:*`}
		events, last := listAll(t, newEngine(t, timeline.Config{}), have, req, 7)
		if len(events) != 20 || last.GetComplete() != complete || notFound(last.GetSources()[0].GetGaps(), "FILTER_NOT_EVALUATED") != complete {
			t.Errorf("%d events, complete = %v, want %v: %v", len(events), last.GetComplete(), complete, last.GetSources())
		}
		for _, e := range events {
			if id, name := e.GetActor().GetUser().GetId(), e.GetActor().GetUser().GetDisplayName(); id == "ben" || name != "" {
				t.Errorf("an event of %s, named %q", id, name)
			}
		}
	}
}
