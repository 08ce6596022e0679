package timeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

func cacheDefaults() cache.Config { return cache.Config{} }

// forgetting is a source of calls that keeps what began within the last 30 days.
func forgetting(g *fakeGraph) *fakeGraph {
	g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
		p.Items = slices.DeleteFunc(slices.Clone(p.Items), func(i source.Item) bool { return i.Time.Before(time.Now().AddDate(0, 0, -30)) })
		return p, nil
	}
	return g
}

// TestOldTokensOfCallsNameWhatWasDropped: what Graph keeps is asked of the present. A token that is used days later leads to
// what is kept still, and what has been dropped since is a gap; so in both orders, with a start and without, midway and of a
// finished stream.
func TestOldTokensOfCallsNameWhatWasDropped(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		for _, start := range []int{0, 29} {
			for _, later := range []int{0, 12, 45} {
				t.Run(fmt.Sprint(order, start, later), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						now := time.Now().UTC()
						g := forgetting(&fakeGraph{src: call, size: 60, rows: spread("c", 290, now.AddDate(0, 0, -29), now)})
						e := newEngine(t, timeline.Config{})
						req := query.Events{Owner: "-", OrderBy: order}
						if start > 0 {
							req.Start = now.AddDate(0, 0, -start)
						}
						first, err := e.ListEvents(t.Context(), sources(g), req, "", 10)
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Duration(later) * 24 * time.Hour)
						r := stream(t, e, sources(g), req, first.GetNextPageToken())
						left := []string{}
						for i, id := range want(time.Time{}, now, order != query.EventTime, g)[10:] {
							n := i + 10
							if order != query.EventTime {
								n = len(g.rows) - 1 - n
							}
							if !g.rows[n].at.Before(time.Now().AddDate(0, 0, -30)) {
								left = append(left, id)
							}
						}
						if diff := gocmp.Diff(left, ids(r.events)); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
						}
						gaps := report(r.summary.GetSources(), call).GetGaps()
						if later == 0 {
							if len(gaps) > 0 || !r.summary.GetComplete() {
								t.Errorf("at once: %v", r.summary)
							}
							return
						}
						if len(gaps) != 1 || gaps[0].GetReason() != "START_BEFORE_KEPT" || r.summary.GetComplete() {
							t.Fatalf("gaps %v, complete %v", gaps, r.summary.GetComplete())
						}
						for _, row := range g.rows {
							lost := !slices.Contains(left, "SOURCE_CALL/"+row.id+"@1") && !slices.Contains(ids(first.GetEvents()), "SOURCE_CALL/"+row.id+"@1")
							i := gaps[0].GetInterval()
							if lost && (row.at.Before(i.GetStartTime().AsTime()) || !row.at.Before(i.GetEndTime().AsTime())) {
								t.Errorf("%v is lost outside the gap %v", row.at, i)
							}
						}
					})
				})
			}
		}
	}
}

// TestStartALittleLateIsKept: who asks for the last thirty days and is a little late has asked for what is kept; who asks for more
// than an hour more has not. Graph is asked for all of it in both cases.
func TestStartALittleLateIsKept(t *testing.T) {
	t.Parallel()
	for late, met := range map[time.Duration]bool{0: true, time.Minute: true, 59 * time.Minute: true, 62 * time.Minute: false, 40 * 24 * time.Hour: false} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				now := time.Now().UTC()
				g := &fakeGraph{src: call, size: 60, rows: spread("c", 290, now.AddDate(0, 0, -29), now)}
				req := query.Events{Owner: "-", Start: now.AddDate(0, 0, -30)}
				time.Sleep(late)
				r := stream(t, newEngine(t, timeline.Config{}), sources(g), req, "")
				if r.summary.GetComplete() != met || notFound(report(r.summary.GetSources(), call).GetGaps(), "START_BEFORE_KEPT") != met {
					t.Errorf("%v", r.summary)
				}
				first := slices.MinFunc(g.asked, func(a, b asked) int { return a.q.Start.Compare(b.q.Start) })
				if !first.q.Start.Equal(req.Start) {
					t.Errorf("asked from %v, want %v", first.q.Start, req.Start)
				}
			})
		})
	}
}

// TestSourceIsReadOnlyWhereGraphWasAsked: a source is not READ and complete for an interval for which Graph was never asked.
// However far back or forth the interval lies, Graph is asked for it.
func TestSourceIsReadOnlyWhereGraphWasAsked(t *testing.T) {
	t.Parallel()
	for _, src := range []parleyv1.Source{chat, copilot, call} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			for name, interval := range map[string][2]time.Time{
				"before chats":    {year(2010), year(2015)},
				"before Copilot":  {year(2018), year(2022)},
				"before kept":     {year(2026), year(2026).AddDate(0, 2, 0)},
				"before the 70s":  {year(1960), year(1965)},
				"around the 70s":  {year(1960), year(1975)},
				"the last moment": {time.Date(2026, 11, 19, 11, 59, 59, 0, time.UTC), {}},
			} {
				t.Run(fmt.Sprint(src, order, name), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
							g := &fakeGraph{src: src, size: 3}
							have := sources(g)
							have.Skew = func() time.Duration { return skew }
							req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{src}, OrderBy: order, Start: interval[0], End: interval[1]}
							r := stream(t, newEngine(t, timeline.Config{}), have, req, "")
							if g.requests() == 0 {
								t.Errorf("skew %v: never asked, and told %v", skew, r.summary)
							}
							if got := report(r.summary.GetSources(), src).GetCovered(); got != nil && got.GetStartTime().AsTime().Before(interval[0]) {
								t.Errorf("skew %v: covered %v", skew, got)
							}
						}
					})
				})
			}
		}
	}
}

// TestFinishedTokenFindsLateRows: the token of a finished stream goes on from where that was settled. Rows that came late within
// the settle time are found; what was delivered since comes again, so that upserts by uid lose nothing.
func TestFinishedTokenFindsLateRows(t *testing.T) {
	t.Parallel()
	for src, settle := range map[parleyv1.Source]time.Duration{chat: 15 * time.Minute, copilot: time.Hour, call: 36 * time.Hour} {
		t.Run(src.String(), func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				now := time.Now().UTC()
				g := &fakeGraph{src: src, size: 60, rows: spread("r", 40, now.AddDate(0, 0, -10), now)}
				have := cachedSources(t, cacheDefaults(), g)
				e := newEngine(t, timeline.Config{})
				req := query.Events{Owner: "-", Sources: []parleyv1.Source{src}, Start: now.AddDate(0, 0, -10)}
				if src != call {
					req.Owner, req.User = "u", "u"
				}
				r := stream(t, e, have, req, "")
				if !r.summary.GetComplete() || len(r.events) != 40 {
					t.Fatalf("%d events: %v", len(r.events), r.summary)
				}
				stored := map[string]bool{}
				for round := range 3 {
					// Late rows come, as late as the source may, and new ones; then the token of the run before is used.
					late := now.Add(-settle + time.Minute)
					g.mu.Lock()
					g.rows = append(slices.Clone(g.rows), row{at: late, id: fmt.Sprint("late", round), version: 1})
					g.edits++
					g.mu.Unlock()
					time.Sleep(settle)
					now = time.Now().UTC()
					for _, id := range ids(r.events) {
						stored[id] = true
					}
					before := report(r.summary.GetSources(), src).GetSettledUntil().AsTime()
					r = stream(t, e, have, req, r.summary.GetResumeToken())
					if !r.summary.GetComplete() {
						t.Errorf("%v", r.summary)
					}
					for _, event := range r.events {
						if event.GetEventTime().AsTime().Before(before) {
							t.Errorf("%v comes again, and was settled at %v", event, before)
						}
					}
				}
				for _, id := range ids(r.events) {
					stored[id] = true
				}
				for _, id := range want(time.Time{}, now, false, g) {
					if !stored[id] {
						t.Errorf("%s is lost", id)
					}
				}
			})
		})
	}
}

// TestEarlierClockSettles: settle by the earlier clock. Where this machine's clock is ahead of Graph's, nothing is said
// of what lies in Graph's future, rows that come there are found by the next run, and what is kept of it is kept for a short
// time. A skew above the settle time is a notice.
func TestEarlierClockSettles(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 3 * time.Minute, 2 * time.Hour, -2 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				skew := func() time.Duration { return ahead }
				c, err := cache.New(cache.Config{})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				g := &fakeGraph{src: chat, size: 50}
				have := query.Sources{Skew: skew, Events: map[parleyv1.Source]source.EventReader{
					chat: readers.New(c, readers.Config{}).Events(g, readers.Scope{Tenant: "t", Source: chat, Skew: skew}),
				}}
				e := newEngine(t, timeline.Config{})
				since := time.Now().UTC().Add(-24 * time.Hour)
				stored := map[string]bool{}
				for round := range 30 {
					present := time.Now().UTC().Add(-ahead) // Graph's
					g.mu.Lock()
					// A row comes late by as much as a source may, and one at once.
					g.rows = append(slices.Clone(g.rows), row{at: present.Add(-14 * time.Minute), id: fmt.Sprint("late", round), version: 1},
						row{at: present.Add(-time.Second), id: fmt.Sprint("new", round), version: 1})
					g.edits++
					g.mu.Unlock()
					r := stream(t, e, have, query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: since}, "")
					for _, id := range ids(r.events) {
						stored[id] = true
					}
					rep := report(r.summary.GetSources(), chat)
					if !r.summary.GetComplete() {
						t.Fatalf("%v", r.summary)
					}
					earlier := present
					if ahead < 0 {
						earlier = time.Now().UTC()
					}
					if got, want := rep.GetSettledUntil().AsTime(), earlier.Add(-15*time.Minute); !got.Equal(want) {
						t.Errorf("settled until %v, want %v", got, want)
					}
					if rep.GetCovered().GetEndTime().AsTime().After(earlier) {
						t.Errorf("covered %v, and it is %v", rep.GetCovered(), earlier)
					}
					told := slices.ContainsFunc(r.notices, func(n *parleyv1.Notice) bool { return n.GetCode() == "CLOCK_SKEW" })
					if told != (ahead.Abs() > 15*time.Minute) {
						t.Errorf("notices %v", r.notices)
					}
					since = rep.GetSettledUntil().AsTime()
					time.Sleep(7 * time.Minute)
				}
				present := time.Now().UTC().Add(-max(ahead, 0))
				for _, id := range want(time.Time{}, present.Add(-20*time.Minute), false, g) {
					if !stored[id] {
						t.Errorf("%s is lost", id)
					}
				}
			})
		})
	}
}

// TestStoppedSourcesAreAskedAgain: resume later. A source that was throttled or failed is asked again by the
// call that goes on, of every kind of token, and the walk is then complete and exact; one that may not be read is not.
func TestStoppedSourcesAreAskedAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []graph.Kind{
		graph.KindThrottled, graph.KindCallerLimit, graph.KindUnavailable, graph.KindCredential, graph.KindNotFound,
		graph.KindPaymentRequired, graph.KindForbidden,
	} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			for _, after := range []int{0, 3} {
				if slices.Contains([]graph.Kind{graph.KindUnavailable, graph.KindNotFound, graph.KindForbidden}, kind) && after > 0 {
					continue // reading goes on behind a window that fails so
				}
				for _, open := range []bool{false, true} {
					t.Run(fmt.Sprint(kind, order, after, open), func(t *testing.T) {
						t.Parallel()
						inNovember(t, func(t *testing.T) {
							t.Helper()
							start, end := march()
							start, end = start.AddDate(1, 0, 0), end.AddDate(1, 0, 0)
							ill := true
							bad := &fakeGraph{src: chat, size: 50, rows: spread("m", 1000, start, end)}
							bad.hook = func(n int, _ source.EventQuery, _ string, p *page) (*page, error) {
								if ill && n > after {
									return nil, fail(kind)
								}
								return p, nil
							}
							good := &fakeGraph{src: copilot, size: 50, rows: spread("i", 300, start, end)}
							have := sources(bad, good)
							e := newEngine(t, timeline.Config{})
							req := query.Events{User: "u", Sources: []parleyv1.Source{chat, copilot}, Start: start, OrderBy: order}
							if !open {
								req.End = end
							}
							r := stream(t, e, have, req, "")
							rep := report(r.summary.GetSources(), chat)
							if r.summary.GetComplete() || rep.GetState() == parleyv1.SourceState_SOURCE_STATE_READ || len(rep.GetGaps()) == 0 {
								t.Fatalf("in spite of %v: %v", kind, r.summary)
							}
							ill = false
							asked := bad.requests()
							again := stream(t, e, have, req, r.summary.GetResumeToken())
							rep = report(again.summary.GetSources(), chat)
							if kind == graph.KindForbidden {
								if again.summary.GetComplete() || bad.requests() != asked || len(rep.GetGaps()) == 0 {
									t.Errorf("asked again: %v", again.summary)
								}
								return
							}
							if !again.summary.GetComplete() || rep.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
								t.Errorf("resumed: %v", again.summary)
							}
							got := append(ids(r.events), ids(again.events)...)
							all := want(start, end, false, bad, good)
							slices.Sort(got)
							slices.Sort(all)
							if diff := gocmp.Diff(all, got); diff != "" {
								t.Errorf("(-want +got):\n%s", diff)
							}
						})
					})
				}
			}
		}
	}
}
