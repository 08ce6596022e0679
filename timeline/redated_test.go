package timeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestRowsDatedOtherwiseComeOnce pages through a Graph that now and then dates one row of an answer forty days back, which makes
// a row that an earlier page delivered look like one from outside: once in every other walk, again and again in the others. No version comes twice, and nothing is lost without a gap.
func TestRowsDatedOtherwiseComeOnce(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
	for name, req := range map[string]query.Events{
		"ascending":            {OrderBy: query.EventTime},
		"descending":           {OrderBy: query.EventTimeDesc},
		"one chat, ascending":  {OrderBy: query.EventTime, Conversation: "c"},
		"one chat, descending": {OrderBy: query.EventTimeDesc, Conversation: "c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			struck := 0
			for seed := range uint64(24) {
				r := rand.New(rand.NewPCG(seed, 7))
				// Rows every 300 ms around every edge of windows, so that windows see each other's rows.
				rows := make([]row, 0, 5*14+40)
				for hour := range 5 {
					rows = append(rows, spread(fmt.Sprint("e", hour), 14, start.Add(time.Duration(hour)*time.Hour-2*time.Second), start.Add(time.Duration(hour)*time.Hour+2200*time.Millisecond))...)
				}
				rows = append(rows, spread("m", 40, start, start.Add(5*time.Hour))...)
				req := req
				req.Owner, req.User, req.Sources = "u", "u", []parleyv1.Source{chat}
				req.Start, req.End = start, start.Add(5*time.Hour)
				g := &fakeGraph{src: chat, size: 5 + r.IntN(120), rows: rows}
				times, lies := map[string]uint64{}, 0
				g.hook = func(n int, q source.EventQuery, link string, p *page) (*page, error) {
					id := fmt.Sprint(q.Start, q.End, link) // requests that run side by side come in any order
					times[id]++
					r := rand.New(rand.NewPCG(seed+scatter(id), times[id]))
					if n > 1 && (seed%2 == 0 || lies == 0) && len(p.Items) > 0 && r.IntN(12) == 0 {
						p.Items = slices.Clone(p.Items)
						at := r.IntN(len(p.Items))
						item := p.Items[at]
						moved := changed(item, func(e *parleyv1.Event) { e.EventTime.Seconds -= 40 * 24 * 3600 })
						moved.Time = item.Time.AddDate(0, 0, -40)
						p.Items[at] = moved
						struck++
						lies++
					}
					return p, nil
				}
				e := newEngine(t, timeline.Config{})
				got, last := listAll(t, e, sources(g), req, 1+r.IntN(20))
				known := map[string]int{}
				for i, id := range ids(got) {
					if before, twice := known[id]; twice {
						t.Errorf("seed %d: %s comes as event %d and %d", seed, id, before, i)
					}
					known[id] = i
				}
				for _, id := range want(req.Start, req.End, false, g) {
					if _, there := known[id]; !there && len(last.GetSources()[0].GetGaps()) == 0 {
						t.Errorf("seed %d: %s is lost in silence", seed, id)
					}
				}
			}
			if struck < 20 {
				t.Errorf("only %d rows were dated wrongly", struck)
			}
		})
	}
}
