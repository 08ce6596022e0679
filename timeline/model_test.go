package timeline_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

//nolint:gochecknoglobals // a flag of the test binary; see `make chaos`
var worlds = flag.Int("model.worlds", 40, "how many seeded worlds each test of the model walks through")

// world is random data, a random request, and engines that share a key, as replicas do.
type world struct {
	*rand.Rand

	graphs []*fakeGraph
	req    query.Events
	key    []byte
	calls  []int // events delivered before each call
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{Rand: r, key: []byte("0123456789abcdef0123456789abcdef")}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(400*24)) * time.Hour)
	length := []time.Duration{time.Minute, 5 * time.Hour, 30 * time.Hour, 20 * 24 * time.Hour, 300 * 24 * time.Hour}[r.IntN(5)]
	w.req = query.Events{Caller: "c", Owner: "u", User: "u", Start: start.Add(time.Duration(r.IntN(1e6)) * time.Microsecond)}
	w.req.End = w.req.Start.Add(length)
	if r.IntN(2) == 0 {
		w.req.OrderBy = query.EventTimeDesc
	}
	kinds := []parleyv1.Source{copilot, chat}
	if r.IntN(4) == 0 {
		kinds = kinds[1:]
		if r.IntN(2) == 0 {
			w.req.Conversation = "19:x@thread.v2"
		}
	}
	w.req.Sources = kinds
	for _, src := range kinds {
		g := &fakeGraph{src: src, size: 1 + r.IntN(20)}
		for i := range r.IntN(150) {
			g.rows = append(g.rows, w.row(fmt.Sprintf("r%03d", i)))
		}
		w.graphs = append(w.graphs, g)
	}
	return w
}

// row is somewhere in the interval or a little outside; many share a millisecond.
func (w *world) row(id string) row {
	length := w.req.End.Sub(w.req.Start)
	at := w.req.Start.Add(time.Duration((w.Float64()*1.2 - 0.1) * float64(length)))
	if w.IntN(3) == 0 {
		at = w.req.Start.Add(length / 8 * time.Duration(w.IntN(9)))
	}
	at = at.Truncate(time.Millisecond)
	return row{at: at, created: at, id: id, version: 1}
}

func (w *world) engine(t *testing.T) *timeline.Engine {
	t.Helper()
	k, err := seal.New(w.key)
	if err != nil {
		t.Fatal(err)
	}
	return newEngine(t, timeline.Config{Sealer: k, WindowsAtOnce: 1 + w.IntN(6), Ledger: ledger.New(ledger.Config{Limit: 1 + w.Int64N(100<<10), Each: 1 + w.Int64N(50<<10)})})
}

var errCut = errors.New("cut")

// walk reads to the end in random pieces: pages of any size, streams cut after any frame, other engines.
func (w *world) walk(t *testing.T) (events []*parleyv1.Event, complete bool, reports []*parleyv1.SourceReport) {
	t.Helper()
	token := ""
	have := sources(w.graphs...)
	for range 10000 {
		e := w.engine(t)
		w.calls = append(w.calls, len(events))
		if w.IntN(2) == 0 {
			page, err := e.ListEvents(t.Context(), have, w.req, token, 1+w.IntN(60))
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, page.GetEvents()...)
			if token = page.GetNextPageToken(); token == "" {
				return events, page.GetComplete(), page.GetSources()
			}
			continue
		}
		r := &result{}
		frames := w.IntN(4)
		err := e.StreamEvents(t.Context(), have, w.req, token, func(f *parleyv1.StreamEventsResponse) error {
			if frames--; frames < 0 {
				return errCut
			}
			return r.add(f)
		})
		switch {
		case err == nil:
			return append(events, r.events...), r.summary.GetComplete(), r.summary.GetSources()
		case !errors.Is(err, errCut):
			t.Fatal(err)
		}
		if n := len(r.tokens); n > 0 {
			token = r.tokens[n-1]
			events = append(events, r.events[:r.after[n-1]]...)
		}
	}
	t.Fatal("no end")
	return nil, false, nil
}

func forSeeds(t *testing.T, check func(t *testing.T, w *world)) {
	t.Helper()
	for seed := range *worlds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			check(t, newWorld(uint64(seed)))
		})
	}
}

// TestEveryWayToReadGivesTheSameEvents: on data that stands still every way to read is the oracle's answer, exactly.
func TestEveryWayToReadGivesTheSameEvents(t *testing.T) {
	t.Parallel()
	forSeeds(t, func(t *testing.T, w *world) {
		t.Helper()
		events, complete, reports := w.walk(t)
		if diff := gocmp.Diff(want(w.req.Start, w.req.End, w.req.OrderBy != query.EventTime, w.graphs...), ids(events)); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", w.req, diff)
		}
		if !complete {
			t.Errorf("not complete: %v", reports)
		}
		total := int64(0)
		for _, r := range reports {
			total += r.GetCounts().GetEvents()
		}
		if total != int64(len(events)) {
			t.Errorf("%d events counted, %d delivered", total, len(events))
		}
	})
}

// TestRowsThatStandStillComeOnceWhileOthersChange: rows come and change while the walk goes on. What stood still is delivered once and in order, and no
// version comes twice.
func TestRowsThatStandStillComeOnceWhileOthersChange(t *testing.T) {
	t.Parallel()
	forSeeds(t, func(t *testing.T, w *world) {
		t.Helper()
		changed := map[string]bool{}
		var mu sync.Mutex // several sources change at a time
		var before []string
		for _, g := range w.graphs {
			g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
				mu.Lock()
				defer mu.Unlock()
				if w.IntN(3) > 0 || len(g.rows) == 0 {
					return p, nil
				}
				g.edits++
				g.rows = slices.Clone(g.rows)
				if w.IntN(2) == 0 {
					late := w.row(fmt.Sprint("late", g.edits))
					changed[g.src.String()+"/"+late.id] = true
					g.rows = append(g.rows, late)
					return p, nil
				}
				edited := &g.rows[w.IntN(len(g.rows))]
				changed[g.src.String()+"/"+edited.id] = true
				edited.at = later(edited.at, w.row("").at)
				edited.version++
				return p, nil
			}
		}
		w.Rand = rand.New(&locked{src: rand.NewPCG(w.Uint64(), 1)})
		before = want(w.req.Start, w.req.End, w.req.OrderBy != query.EventTime, w.graphs...)
		events, _, _ := w.walk(t)
		seen := map[string]bool{}
		still := []string{}
		for i, id := range ids(events) {
			if seen[id] {
				t.Fatalf("%s came twice", id)
			}
			seen[id] = true
			if !changed[events[i].GetUid()] {
				still = append(still, id)
			}
		}
		before = slices.DeleteFunc(before, func(id string) bool { return changed[id[:len(id)-2]] })
		if diff := gocmp.Diff(before, still); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", w.req, diff)
		}
		checkOrder(t, w, events)
	})
}

// TestRowsOutOfTheirWindowComeOnce: Graph's filter believes some rows to be elsewhere. Each row that Graph hands out is delivered once,
// complete is false if one was far outside, and the others keep their order.
func TestRowsOutOfTheirWindowComeOnce(t *testing.T) {
	t.Parallel()
	forSeeds(t, func(t *testing.T, w *world) {
		t.Helper()
		if w.req.Conversation != "" {
			return // one ordered chain: Graph orders and filters by the same property
		}
		expected, allowed := map[string]bool{}, map[string]bool{}
		inside := func(at time.Time, margin time.Duration) bool {
			return !at.Before(w.req.Start.Add(-margin)) && at.Before(w.req.End.Add(margin))
		}
		for _, g := range w.graphs {
			for i := range g.rows {
				r := &g.rows[i]
				id := fmt.Sprintf("%s/%s@1", g.src, r.id)
				if r.served = r.at; w.IntN(12) == 0 {
					r.served = w.row("").at
				}
				if r.served.Sub(r.served.Round(time.Hour)).Abs() <= 3*time.Second {
					r.served = r.at // two windows would hand it out
				}
				// Rows within two seconds of an edge can be asked for twice, and are nobody's if they lie about it.
				const margin = 2 * time.Second
				edge := inside(r.at, margin) != inside(r.at, -margin) || r.at.Sub(r.at.Round(time.Hour)).Abs() <= margin
				lies := !r.served.Equal(r.at)
				expected[id] = inside(r.served, 0) && (!lies || !edge && inside(r.served, margin) == inside(r.served, -margin))
				allowed[id] = inside(r.served, margin) && (lies || inside(r.at, 0))
			}
		}
		events, complete, _ := w.walk(t)
		marked := false
		for i, id := range ids(events) {
			if !allowed[id] {
				t.Errorf("%s was not handed out in this interval, or came twice", id)
			}
			delete(allowed, id)
			delete(expected, id)
			marked = marked || events[i].GetOutOfWindow()
		}
		for id, must := range expected {
			if must {
				t.Errorf("%s is missing", id)
			}
		}
		if marked && complete {
			t.Error("complete in spite of rows outside")
		}
		checkOrder(t, w, events)
	})
}

func checkOrder(t *testing.T, w *world, events []*parleyv1.Event) {
	t.Helper()
	var last *parleyv1.Event
	for i, e := range events {
		if slices.Contains(w.calls, i) {
			last = nil // what changed between two calls may lie before what the first one delivered
		}
		if e.GetOutOfWindow() {
			continue
		}
		if last != nil {
			order := cmp.Or(
				last.GetEventTime().AsTime().Compare(e.GetEventTime().AsTime()),
				cmp.Compare(last.GetSource().GetSource(), e.GetSource().GetSource()),
				cmp.Compare(last.GetSource().GetId(), e.GetSource().GetId()))
			if w.req.OrderBy != query.EventTime {
				order = -order
			}
			if order > 0 {
				t.Fatalf("%v came before %v", last, e)
			}
		}
		last = e
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
