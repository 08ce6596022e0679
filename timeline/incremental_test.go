package timeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
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

// change is a version of a row that Graph shows from an instant on.
type change struct {
	row

	visible time.Time
}

// changing is a source whose rows come late, up to its settle time, and change while they are read.
type changing struct {
	*fakeGraph

	changes []change // not shown yet, by visible
}

// newChanging makes rows within so long from now; only messages of chats are edited.
func newChanging(r *rand.Rand, src parleyv1.Source, settle, length time.Duration) *changing {
	c := &changing{fakeGraph: &fakeGraph{src: src, size: 1 + r.IntN(20), delay: time.Duration(r.IntN(40)) * time.Second}}
	now := time.Now().UTC()
	for i := range 50 + r.IntN(150) {
		at := now.Add(time.Duration(r.Int64N(int64(length)))).Truncate(time.Millisecond)
		one := row{at: at, created: at, id: fmt.Sprintf("r%03d", i), version: 1}
		for {
			c.changes = append(c.changes, change{one, one.at.Add(time.Duration(r.Int64N(int64(settle))))})
			if src != chat || r.IntN(3) > 0 {
				break
			}
			one.at = one.at.Add(time.Duration(r.Int64N(int64(length) / 3))).Truncate(time.Millisecond)
			one.version++
		}
	}
	slices.SortFunc(c.changes, func(a, b change) int { return a.visible.Compare(b.visible) })
	c.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
		c.show()
		return p, nil
	}
	return c
}

// show takes over what has become visible. The graph is locked, or nobody reads it.
func (c *changing) show() {
	for len(c.changes) > 0 && !c.changes[0].visible.After(time.Now()) {
		next := c.changes[0].row
		c.changes = c.changes[1:]
		c.edits++
		c.rows = slices.Clone(c.rows)
		at := slices.IndexFunc(c.rows, func(r row) bool { return r.id == next.id })
		switch {
		case at < 0:
			c.rows = append(c.rows, next)
		case c.rows[at].version < next.version:
			c.rows[at] = next
		}
	}
}

// TestIncrementalRunsLoseNothing: runs that each begin where the one before was settled, stored by uid and version, end with exactly what
// the source holds, though rows come late and change at any time.
func TestIncrementalRunsLoseNothing(t *testing.T) {
	t.Parallel()
	settles := map[parleyv1.Source]time.Duration{chat: 15 * time.Minute, copilot: time.Hour}
	for seed := range *worlds {
		src := []parleyv1.Source{chat, copilot}[seed%2]
		settle := settles[src]
		t.Run(fmt.Sprintf("%v %d", src, seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := november()
				r := rand.New(rand.NewPCG(uint64(seed), 3))
				length := time.Duration(1+r.IntN(60)) * 24 * time.Hour
				c := newChanging(r, src, settle, length)
				all := len(c.changes)
				e := newEngine(t, timeline.Config{})
				stored := map[string]int64{}
				since, runs := began.Add(-time.Hour), 0
				for last := false; ; {
					c.show()
					c.edits++ // what was memorized before is old
					req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{src}, Start: since}
					events, complete, reports := c.read(t, r, e, req)
					if !complete {
						t.Fatalf("run %d is not complete: %v", runs, reports)
					}
					for _, event := range events {
						stored[event.GetUid()] = max(stored[event.GetUid()], event.GetVersion())
					}
					since = report(reports, src).GetSettledUntil().AsTime()
					runs++
					if last {
						break
					}
					last = len(c.changes) == 0 // one more run, when all of it is settled
					time.Sleep(time.Duration(1+r.IntN(48)) * time.Hour)
				}
				held := map[string]int64{}
				for _, row := range c.rows {
					held[src.String()+"/"+row.id] = row.version
				}
				if diff := cmp.Diff(held, stored); diff != "" {
					t.Errorf("after %d runs over %d changes (-held +stored):\n%s", runs, all, diff)
				}
				if versions := slices.Max(slices.Collect(maps.Values(held))); src == chat && versions < 2 {
					t.Error("nothing was edited")
				}
			})
		})
	}
}

// read reads an interval by a stream or by pages.
func (c *changing) read(
	t *testing.T, r *rand.Rand, e *timeline.Engine, req query.Events,
) ([]*parleyv1.Event, bool, []*parleyv1.SourceReport) {
	t.Helper()
	if r.IntN(2) == 0 {
		s := stream(t, e, sources(c.fakeGraph), req, "")
		return s.events, s.summary.GetComplete(), s.summary.GetSources()
	}
	delay := c.delay
	c.delay = 0 // a List has 20 s
	defer func() { c.delay = delay }()
	events, page := listAll(t, e, sources(c.fakeGraph), req, 1+r.IntN(100))
	return events, page.GetComplete(), page.GetSources()
}
