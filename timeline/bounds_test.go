package timeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// rounding is a Graph that rounds its bounds to whole seconds, in a way of its own.
func rounding(g *fakeGraph, round func(time.Time) time.Time) {
	g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		from, to := source.RequestBounds(q.Start, q.End)
		p.Items = slices.DeleteFunc(slices.Clone(p.Items), func(i source.Item) bool { return !i.Time.After(round(from)) || !i.Time.Before(round(to)) })
		return p, nil
	}
}

// TestRoundedBoundsLoseNothing: bounds that Graph rounds. Whether it cuts them, rounds them up or to the nearest second, a
// job whose runs begin and end within seconds is complete and exact.
func TestRoundedBoundsLoseNothing(t *testing.T) {
	t.Parallel()
	for name, round := range map[string]func(time.Time) time.Time{
		"down":    func(t time.Time) time.Time { return t.Truncate(time.Second) },
		"nearest": func(t time.Time) time.Time { return t.Round(time.Second) },
		"up":      func(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) },
	} {
		for _, conversation := range []string{"", "19:x@thread.v2"} {
			for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
				t.Run(fmt.Sprint(name, conversation, order), func(t *testing.T) {
					t.Parallel()
					start, _ := march()
					g := &fakeGraph{src: chat, size: 50, rows: spread("m", 300, start, start.Add(2*time.Minute))}
					rounding(g, round)
					e := newEngine(t, timeline.Config{})
					since := start
					for run := range 20 {
						until := since.Add(6*time.Second + time.Duration(run)*77*time.Millisecond)
						req := query.Events{
							Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Conversation: conversation, OrderBy: order, Start: since, End: until,
						}
						r := stream(t, e, sources(g), req, "")
						if diff := cmp.Diff(want(since, until, order != query.EventTime, g), ids(r.events)); diff != "" || !r.summary.GetComplete() {
							t.Fatalf("run %d, complete %v (-want +got):\n%s", run, r.summary.GetComplete(), diff)
						}
						since = until
					}
				})
			}
		}
	}
}

// TestIgnoredBoundsAreFoundOutOnce: bounds that Graph ignores. That is found out once; what is left is then read once as a
// whole, is exact and in order, and one window is a gap. Lists go on with what was read so.
func TestIgnoredBoundsAreFoundOutOnce(t *testing.T) {
	t.Parallel()
	for _, src := range []parleyv1.Source{chat, copilot} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc, query.CreateTimeDesc} {
			for name, ignores := range map[string]struct{ lower, upper bool }{"both": {true, true}, "lower": {true, false}, "upper": {false, true}} {
				conversation := ""
				if order == query.CreateTimeDesc {
					if conversation = "19:x@thread.v2"; src == copilot || !ignores.upper {
						continue // only a chat's own messages are asked by creation, and without a lower bound
					}
				}
				t.Run(fmt.Sprint(src, order, name), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						now := time.Now().UTC()
						g := &fakeGraph{src: src, size: 100, rows: spread("m", 2000, now.AddDate(-2, 0, 0), now)}
						ignoring := &ignoring{g, ignores.lower, ignores.upper}
						c, err := cache.New(cache.Config{})
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						have := query.Sources{Events: map[parleyv1.Source]source.EventReader{src: readers.New(c, readers.Config{}).Events(ignoring, readers.Scope{Tenant: "t", Source: src})}}
						e := newEngine(t, timeline.Config{})
						req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{src}, OrderBy: order, Conversation: conversation, Start: now.AddDate(-1, 0, 0), End: now.AddDate(0, -3, 0)}
						r := stream(t, e, have, req, "")
						all := want(req.Start, req.End, order != query.EventTime, g)
						var inOrder []string
						for _, event := range r.events {
							if !event.GetOutOfWindow() {
								inOrder = append(inOrder, ids([]*parleyv1.Event{event})[0])
							}
						}
						if diff := cmp.Diff(all, inOrder); diff != "" || len(r.events) != len(all) {
							t.Errorf("%d events beside (-want +got):\n%s", len(r.events)-len(all), diff)
						}
						gaps := report(r.summary.GetSources(), src).GetGaps()
						if len(gaps) != 1 || gaps[0].GetReason() != "INTERVAL_NOT_HONOURED" || r.summary.GetComplete() {
							t.Errorf("gaps %v", gaps)
						}
						if n := g.requests(); n > 20+20 {
							t.Errorf("%d requests for 20 pages", n)
						}
						asked := g.requests()
						listed, last := listAll(t, e, have, req, 100)
						if diff := cmp.Diff(all, ids(listed)); diff != "" || last.GetComplete() {
							t.Errorf("list, complete %v (-want +got):\n%s", last.GetComplete(), diff)
						}
						if n := g.requests() - asked; conversation == "" && n > 12 {
							t.Errorf("%d requests for what is kept", n)
						}
					})
				})
			}
		}
	}
}

// TestIgnoredBoundsNewestFirstRepeatNothing: the same of a chat's own messages newest first, which come page by page; whatever Graph sends
// again of what an earlier call handed over is left out, wherever a List's page ends.
func TestIgnoredBoundsNewestFirstRepeatNothing(t *testing.T) {
	t.Parallel()
	for name, ignores := range map[string]struct{ lower, upper bool }{"both": {true, true}, "lower": {true, false}, "upper": {false, true}} {
		for _, rows := range []int{8, 60, 400} {
			t.Run(fmt.Sprint(name, rows), func(t *testing.T) {
				t.Parallel()
				inNovember(t, func(t *testing.T) {
					t.Helper()
					now := time.Now().UTC()
					g := &fakeGraph{src: chat, size: 50, rows: spread("m", rows, now.AddDate(-2, 0, 0), now)}
					have := query.Sources{Events: map[parleyv1.Source]source.EventReader{chat: &ignoring{g, ignores.lower, ignores.upper}}}
					e := newEngine(t, timeline.Config{})
					req := query.Events{
						Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: query.EventTimeDesc, Conversation: "19:x@thread.v2",
						Start: now.AddDate(-1, 0, 0), End: now.AddDate(0, -3, 0),
					}
					r := stream(t, e, have, req, "")
					listed, last := listAll(t, e, have, req, 7)
					for how, events := range map[string][]*parleyv1.Event{"stream": r.events, "list": listed} {
						known, inside := map[string]bool{}, []string{}
						for _, event := range events {
							id := ids([]*parleyv1.Event{event})[0]
							if known[id] {
								t.Errorf("%s: %s came twice", how, id)
							}
							if known[id] = true; !event.GetOutOfWindow() {
								inside = append(inside, id)
							}
						}
						if diff := cmp.Diff(want(req.Start, req.End, true, g), inside); diff != "" {
							t.Errorf("%s (-want +got):\n%s", how, diff)
						}
					}
					if r.summary.GetComplete() || last.GetComplete() {
						t.Error("complete, although Graph ignores its bounds")
					}
				})
			})
		}
	}
}

// TestUnsentBoundsLeaveNoDoubt: where the interval is not sent, as for calls that Graph filters by participant alone, what is left is read
// once as well, and nothing is in doubt.
func TestUnsentBoundsLeaveNoDoubt(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				now := time.Now().UTC()
				g := &fakeGraph{src: call, size: 60, rows: spread("c", 600, now.AddDate(0, 0, -29), now)}
				g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
					p.Unbounded = true
					return p, nil
				}
				have := query.Sources{Events: map[parleyv1.Source]source.EventReader{call: &ignoring{g, true, true}}}
				e := newEngine(t, timeline.Config{})
				for _, start := range []time.Time{{}, now.AddDate(0, 0, -20)} {
					g.asked = nil
					r := stream(t, e, have, query.Events{Owner: "-", OrderBy: order, Start: start}, "")
					if diff := cmp.Diff(want(start, now, order != query.EventTime, g), ids(r.events)); diff != "" || !r.summary.GetComplete() {
						t.Errorf("from %v, complete %v (-want +got):\n%s", start, r.summary.GetComplete(), diff)
					}
					if n := g.requests(); n > 10+3 {
						t.Errorf("from %v: %d requests for 10 pages", start, n)
					}
				}
			})
		})
	}
}

// ignoring is a Graph that does not look at its bounds.
type ignoring struct {
	*fakeGraph

	lower, upper bool
}

func (i *ignoring) Events(ctx context.Context, q source.EventQuery, link string) (*page, error) {
	if i.lower {
		q.Start = time.Unix(0, 0)
	}
	if i.upper {
		q.End = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return i.fakeGraph.Events(ctx, q, link)
}
