package timeline_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestRowsThatLeaveCostNoOthers: rows leave between the calls of a walk, over a Graph that pages by place and a cache that several engines
// share. Whatever way the walk is cut, each row that stays is delivered, no version comes twice, and what is not is told.
func TestRowsThatLeaveCostNoOthers(t *testing.T) {
	t.Parallel()
	forSeeds(t, func(t *testing.T, w *world) {
		t.Helper()
		size := []int64{0, 0, 64 << 10}[w.IntN(3)]
		c, err := cache.New(cache.Config{MaxBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		have := sources(w.graphs...)
		for src, reader := range have.Events {
			have.Events[src] = readers.New(c, readers.Config{}).Events(reader, readers.Scope{Tenant: "t", Source: src})
		}
		var left []string
		for _, g := range w.graphs {
			g.live = true
		}
		leave := func() {
			for _, g := range w.graphs {
				if len(g.rows) < 20 || w.IntN(2) == 0 {
					continue
				}
				at := w.IntN(len(g.rows))
				left = append(left, g.src.String()+"/"+g.rows[at].id+"@1")
				g.mu.Lock()
				g.rows = slices.Delete(slices.Clone(g.rows), at, at+1)
				g.mu.Unlock()
			}
		}
		desc := w.req.OrderBy != query.EventTime
		all := want(w.req.Start, w.req.End, desc, w.graphs...)
		var events []*parleyv1.Event
		var complete bool
		token := ""
		for call := 0; ; call++ {
			if call > 1000 {
				t.Fatal("no end")
			}
			e := w.engine(t)
			if w.IntN(2) == 0 {
				page, err := e.ListEvents(t.Context(), have, w.req, token, 1+w.IntN(60))
				if err != nil {
					t.Fatal(err)
				}
				events = append(events, page.GetEvents()...)
				if token = page.GetNextPageToken(); token == "" {
					complete = page.GetComplete()
					break
				}
				leave()
				continue
			}
			r := &result{}
			frames := w.IntN(5)
			err := e.StreamEvents(t.Context(), have, w.req, token, func(f *parleyv1.StreamEventsResponse) error {
				if frames--; frames < 0 {
					return errCut
				}
				return r.add(f)
			})
			if err == nil {
				events, complete = append(events, r.events...), r.summary.GetComplete()
				break
			}
			if !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if n := len(r.tokens); n > 0 {
				token = r.tokens[n-1]
				events = append(events, r.events[:r.after[n-1]]...)
			}
			leave()
		}
		seen := map[string]bool{}
		for _, id := range ids(events) {
			if seen[id] {
				t.Errorf("%s came twice", id)
			}
			seen[id] = true
		}
		for _, id := range all {
			if !seen[id] && !slices.Contains(left, id) {
				t.Errorf("%s stayed, and is lost; complete %v", id, complete)
			}
		}
		if !complete {
			t.Error("a doubt, though Graph did nothing wrong")
		}
	})
}
