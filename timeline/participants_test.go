package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// records prove Ada's calls, which are those that attends names.
type records struct {
	asked *atomic.Int64
	said  func(id string) error // beside that
}

func (r records) VerifyParticipant(ctx context.Context, user string, ref source.Ref) error {
	r.asked.Add(1)
	if r.said != nil {
		if err := r.said(ref.ID); err != nil {
			return err
		}
	}
	if user != "ada" || ref.Version != 1 {
		return fail(graph.KindUnexpected)
	}
	if !attends(ref.ID) {
		return fmt.Errorf("%w: %w", source.ErrNotParticipant, fail(graph.KindNotFound))
	}
	return ctx.Err()
}

// telling makes the rows of a graph calls; of names what each tells of people.
func telling(of func(id string) *parleyv1.CallDetail) func(int, source.EventQuery, string, *page) (*page, error) {
	return func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		items := slices.Clone(p.Items)
		for i := range items {
			items[i] = changed(items[i], func(e *parleyv1.Event) {
				call := of(e.GetSource().GetId())
				call.Partial = true
				e.Kind, e.Detail = parleyv1.EventKind_EVENT_KIND_CALL, &parleyv1.Event_Call{Call: call}
			})
		}
		p.Items = items
		return p, nil
	}
}

func nobody(string) *parleyv1.CallDetail { return &parleyv1.CallDetail{} }

func organizedBy(by string) *parleyv1.CallDetail {
	return &parleyv1.CallDetail{Organizer: &parleyv1.CallParticipant{Id: by}}
}

func attendedBy(by string) *parleyv1.CallDetail {
	return &parleyv1.CallDetail{LegacyParticipants: []*parleyv1.IdentitySet{{User: &parleyv1.Identity{Id: by}}}}
}

// TestOnlyProvedCallsGoOut: where calls must be proved, what goes out is what a row or a record proves, and the same in Lists, streams,
// resumes and every view. What a record refutes is left out with a word; what nothing proves is left out with a gap.
func TestOnlyProvedCallsGoOut(t *testing.T) {
	t.Parallel()
	start, end := base()
	lost := func(kind graph.Kind) func(string) error {
		return func(id string) error {
			if id == "c0004" {
				return fail(kind)
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		rows   func(id string) *parleyv1.CallDetail
		said   func(id string) error
		mute   bool // there is no prover
		events int
		asked  int64
		gap    bool
		told   bool
	}{
		"records prove":                    {rows: nobody, events: 20, asked: 40, told: true},
		"rows prove":                       {rows: func(string) *parleyv1.CallDetail { return organizedBy("ADA") }, events: 40},
		"rows prove without records":       {rows: func(string) *parleyv1.CallDetail { return attendedBy("ada") }, mute: true, events: 40},
		"others organize":                  {rows: func(string) *parleyv1.CallDetail { return organizedBy("bob") }, events: 20, asked: 40, told: true},
		"rows name others, records do not": {rows: func(string) *parleyv1.CallDetail { return attendedBy("bob") }, events: 20, asked: 40, told: true},
		"nothing can be read":              {rows: nobody, mute: true, events: 0, gap: true},
		"one is not found":                 {rows: nobody, said: lost(graph.KindNotFound), events: 19, asked: 40, gap: true, told: true},
		"one is broken":                    {rows: nobody, said: lost(graph.KindMalformed), events: 19, asked: 40, gap: true, told: true},
		"one is refused":                   {rows: nobody, said: lost(graph.KindForbidden), events: 19, asked: 40, gap: true, told: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, view := range []parleyv1.EventView{1, 2, 3} {
				g := &fakeGraph{src: call, size: 5, rows: spread("c", 40, start, end), hook: telling(c.rows)}
				have, asked := sources(g), &atomic.Int64{}
				if !c.mute {
					have.CallVerifier = records{asked, c.said}
				}
				e := newEngine(t, timeline.Config{})
				req := query.Events{Owner: "ada", User: "ada", Start: start, End: end, View: view, Narrow: true}
				r := stream(t, e, have, req, "")
				told := slices.ContainsFunc(r.notices, func(n *parleyv1.Notice) bool { return n.GetCode() == "PARTICIPANT_NOT_HONOURED" })
				gaps := report(r.summary.GetSources(), call).GetGaps()
				if len(r.events) != c.events || r.summary.GetComplete() == c.gap || notFound(gaps, "PARTICIPATION_NOT_PROVED") == c.gap || told != c.told {
					t.Errorf("%v: %d events, complete %v, gaps %v, told %v", view, len(r.events), r.summary.GetComplete(), gaps, told)
				}
				if asked.Load() != c.asked {
					t.Errorf("%v: %d records were asked for, want %d", view, asked.Load(), c.asked)
				}
				for i, token := range r.tokens {
					rest := stream(t, e, have, req, token)
					if diff := cmp.Diff(ids(r.events[r.after[i]:]), ids(rest.events)); diff != "" {
						t.Errorf("%v: resumed at %d (-want +got):\n%s", view, r.after[i], diff)
					}
				}
				list, last := listAll(t, e, have, req, 7)
				if diff := cmp.Diff(ids(r.events), ids(list)); diff != "" || last.GetComplete() == c.gap {
					t.Errorf("%v: list, complete %v (-stream +list):\n%s", view, last.GetComplete(), diff)
				}
			}
		})
	}
}

// TestUnprovedCallsNeverGoOut: a call that ends while records are still read, or whose records cannot be asked for, hands over
// nothing that is not proved: the kinds are a reader whose time is up, Graph that asks to wait, and a credential that fails.
func TestUnprovedCallsNeverGoOut(t *testing.T) {
	t.Parallel()
	start, end := base()
	for name, said := range map[string]error{
		"time is up": context.DeadlineExceeded,
		"throttled":  fail(graph.KindThrottled),
		"credential": fail(graph.KindCredential),
		"not cached": cache.ErrNotCached,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			g := &fakeGraph{src: call, size: 5, rows: spread("c", 20, start, end), hook: telling(nobody)}
			have := sources(g)
			have.CallVerifier = records{&atomic.Int64{}, func(id string) error {
				if id != "c0008" {
					return nil
				}
				if errors.Is(said, context.DeadlineExceeded) {
					cancel()
				}
				return said
			}}
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "ada", User: "ada", Start: start, End: end, Narrow: true}
			page, err := e.ListEvents(ctx, have, req, "", 50)
			if err == nil && (len(page.GetEvents()) > 0 || page.GetComplete()) {
				t.Errorf("list: %v", ids(page.GetEvents()))
			}
			r := &result{}
			if err := e.StreamEvents(ctx, have, req, "", r.add); err == nil || len(r.events) > 0 {
				t.Errorf("stream: %v, %v", ids(r.events), err)
			}
		})
	}
}

// TestFirstPageDoesNotWaitForEveryProof: the first page of a user with very many calls does not wait until all of them are proved.
func TestFirstPageDoesNotWaitForEveryProof(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &fakeGraph{src: call, size: 1000, rows: spread("c", 900, start, end), hook: telling(nobody)}
	have, asked := sources(g), &atomic.Int64{}
	have.CallVerifier = records{asked, nil}
	e := newEngine(t, timeline.Config{})
	req := query.Events{Owner: "ada", User: "ada", Start: start, End: end, Narrow: true}
	page, err := e.ListEvents(t.Context(), have, req, "", 5)
	if err != nil || len(page.GetEvents()) != 5 || asked.Load() > 200 {
		t.Fatalf("%d events after %d records: %v", len(page.GetEvents()), asked.Load(), err)
	}
	if list, last := listAll(t, e, have, req, 100); len(list) != 450 || !last.GetComplete() {
		t.Errorf("%d events, complete %v", len(list), last.GetComplete())
	}
}

// TestProofsAreCachedWithTheirWindow: what the rows and records of a kept window told is kept with it, and a reader of everybody's calls does not
// get the pages that were made for somebody else's rule.
func TestProofsAreCachedWithTheirWindow(t *testing.T) {
	t.Parallel()
	start, end := base()
	end = end.Add(-72 * time.Hour) // settled
	g := &fakeGraph{src: call, size: 50, rows: spread("c", 20, start, end), hook: telling(nobody)}
	store, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	have, asked := sources(g), &atomic.Int64{}
	have.Events[call] = readers.New(store, readers.Config{}).Events(g, readers.Scope{Tenant: "t", Source: call})
	have.CallVerifier = records{asked, nil}
	e := newEngine(t, timeline.Config{})
	for i := range 4 {
		for prove, want := range map[bool]int{true: 10, false: 20} {
			req := query.Events{Caller: "c", Owner: "ada", User: "ada", Start: start, End: end, Narrow: prove}
			page, err := e.ListEvents(t.Context(), have, req, "", 50)
			if err != nil || len(page.GetEvents()) != want || !page.GetComplete() {
				t.Fatalf("call %d, prove %v: %d events, %v", i, prove, len(page.GetEvents()), err)
			}
		}
	}
	if asked.Load() != 20 {
		t.Errorf("%d records were asked for, want each of 20 once", asked.Load())
	}
}

// TestForeignParticipantsAreADoubt: who may read everybody gets what Graph sends; rows that name people without the user are a doubt,
// and rows that name an organizer alone are one where Graph answers for somebody who does not exist.
func TestForeignParticipantsAreADoubt(t *testing.T) {
	t.Parallel()
	start, end := base()
	for name, c := range map[string]struct {
		rows     func(id string) *parleyv1.CallDetail
		ignored  bool
		broken   bool // the question about nobody is not answered
		doubt    bool
		canaries int
	}{
		"nobody is named":              {rows: nobody, ignored: true},
		"the user attended":            {rows: func(string) *parleyv1.CallDetail { return attendedBy("ada") }, ignored: true},
		"another attended":             {rows: func(string) *parleyv1.CallDetail { return attendedBy("bob") }, doubt: true},
		"another organized":            {rows: func(string) *parleyv1.CallDetail { return organizedBy("bob") }, canaries: 1},
		"another organized, ignored":   {rows: func(string) *parleyv1.CallDetail { return organizedBy("bob") }, ignored: true, doubt: true, canaries: 1},
		"another organized, no answer": {rows: func(string) *parleyv1.CallDetail { return organizedBy("bob") }, broken: true, canaries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: call, size: 5, rows: spread("c", 20, start, end)}
			asked := 0
			rows := telling(c.rows)
			g.hook = func(n int, q source.EventQuery, link string, p *page) (*page, error) {
				if q.User != "ada" {
					asked++
					if c.broken {
						return nil, fail(graph.KindUnavailable)
					}
					if !c.ignored {
						return &page{Requests: 1, ReadAt: time.Now()}, nil
					}
				}
				return rows(n, q, link, p)
			}
			have := sources(g)
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "ada", User: "ada", Start: start, End: end}
			r := stream(t, e, have, req, "")
			gaps := report(r.summary.GetSources(), call).GetGaps()
			if len(r.events) != 20 || r.summary.GetComplete() == c.doubt || notFound(gaps, "PARTICIPANT_NOT_HONOURED") == c.doubt {
				t.Errorf("%d events, complete %v, gaps %v", len(r.events), r.summary.GetComplete(), gaps)
			}
			if _, last := listAll(t, e, have, req, 7); last.GetComplete() == c.doubt {
				t.Errorf("list: complete %v", last.GetComplete())
			}
			if asked != c.canaries {
				t.Errorf("nobody's calls were asked for %d times, want %d", asked, c.canaries)
			}
		})
	}
}
