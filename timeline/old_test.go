package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// year is an instant in the middle of a year.
func year(y int) time.Time { return time.Date(y, 6, 1, 12, 0, 0, 0, time.UTC) }

// oldRows lie far before any service of today began, as history that was imported does; one before 1970.
func oldRows() []row {
	years := [...]int{1968, 1971, 1999, 2001, 2010, 2015, 2016, 2020, 2023, 2026}
	rows := make([]row, 0, len(years))
	for i, y := range years {
		rows = append(rows, row{at: year(y), created: year(y), id: fmt.Sprintf("o%02d", i), version: 1})
	}
	return rows
}

// asDated lets the fake Graph hand out what is older than its epoch too, as one does that takes the lower bound for none.
func (g *fakeGraph) asDated() {
	for i := range g.rows {
		if g.rows[i].at.Year() < 1970 {
			g.rows[i].served = time.Unix(3600, 0)
		}
	}
}

// TestOldRowsAreDelivered: nothing lost. Rows from before a service's own time are delivered, in order, with and without a
// start, from every source, and below a chat by its creation; the asked start wins.
func TestOldRowsAreDelivered(t *testing.T) {
	t.Parallel()
	for _, src := range []parleyv1.Source{chat, copilot} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc, query.CreateTimeDesc} {
			for _, conversation := range []string{"", "19:x@thread.v2"} {
				for _, start := range []int{0, 1971, 2010, 2016} {
					if (src == copilot || order == query.CreateTimeDesc) && (src == copilot) == (conversation != "" || order == query.CreateTimeDesc) ||
						order == query.CreateTimeDesc && conversation == "" {
						continue // only a chat's own messages are asked by creation
					}
					t.Run(fmt.Sprint(src, order, conversation, start), func(t *testing.T) {
						t.Parallel()
						inNovember(t, func(t *testing.T) {
							t.Helper()
							g := &fakeGraph{src: src, size: 3, rows: oldRows()}
							if order != query.CreateTimeDesc {
								g.asDated()
							}
							req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{src}, OrderBy: order, Conversation: conversation}
							from := time.Time{}
							if start != 0 {
								req.Start, from = year(start), year(start)
							}
							e := newEngine(t, timeline.Config{})
							r := stream(t, e, sources(g), req, "")
							if diff := gocmp.Diff(want(from, time.Now(), order != query.EventTime, g), ids(r.events)); diff != "" {
								t.Errorf("(-want +got):\n%s", diff)
							}
							rep := report(r.summary.GetSources(), src)
							if !r.summary.GetComplete() || len(r.notices) > 0 {
								t.Errorf("incomplete: %v, notices %v", rep, r.notices)
							}
							if got := rep.GetCovered().GetStartTime(); start == 0 && got != nil || start != 0 && !got.AsTime().Equal(from) {
								t.Errorf("covered %v", rep.GetCovered())
							}
							listed, _ := listAll(t, e, sources(g), req, 2)
							if diff := gocmp.Diff(ids(r.events), ids(listed)); diff != "" {
								t.Errorf("lists (-stream +list):\n%s", diff)
							}
						})
					})
				}
			}
		}
	}
}

// TestWalksWithoutAStartAskFrom1970: without a start one request with both bounds reaches back to 1970; an asked start reaches Graph as it is.
func TestWalksWithoutAStartAskFrom1970(t *testing.T) {
	t.Parallel()
	inNovember(t, func(t *testing.T) {
		t.Helper()
		for _, src := range []parleyv1.Source{chat, copilot, call} {
			g := &fakeGraph{src: src, size: 3}
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{src}}
			if r := stream(t, e, sources(g), req, ""); !r.summary.GetComplete() || g.requests() > 2 {
				t.Errorf("%v: %v after %d requests", src, r.summary, g.requests())
			}
			first := slices.MinFunc(g.asked, func(a, b asked) int { return a.q.Start.Compare(b.q.Start) })
			if first.q.Start.Unix() != 1 || first.q.End.IsZero() {
				t.Errorf("%v: asked from %v to %v", src, first.q.Start, first.q.End)
			}
			req.Start = year(1985)
			g.asked = nil
			if r := stream(t, e, sources(g), req, ""); r.summary.GetComplete() != (src != call) {
				t.Errorf("%v from 1985: %v", src, r.summary)
			}
			first = slices.MinFunc(g.asked, func(a, b asked) int { return a.q.Start.Compare(b.q.Start) })
			if !first.q.Start.Equal(req.Start) {
				t.Errorf("%v: asked from %v, want the asked start", src, first.q.Start)
			}
		}
	})
}

// TestRefusedStartIsRaised: a Graph that answers 400 to 1970 is asked from 2000 on, then from where the source began; that is a notice
// beside no start, and a gap beside an asked one. What was not asked for is not covered. What counts is the bound that Graph is
// told, which is a second earlier than the window.
func TestRefusedStartIsRaised(t *testing.T) {
	t.Parallel()
	for _, conversation := range []string{"", "19:x@thread.v2"} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			for _, accepted := range []int{2000, 2017} {
				for _, asked := range []int{0, 1985} {
					t.Run(fmt.Sprint(conversation, order, accepted, asked), func(t *testing.T) {
						t.Parallel()
						inNovember(t, func(t *testing.T) {
							t.Helper()
							g := &fakeGraph{src: chat, size: 3, rows: oldRows()}
							limit := time.Date(accepted, 1, 1, 0, 0, 0, 0, time.UTC)
							g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
								if told, _ := source.RequestBounds(q.Start, q.End); told.Before(limit) {
									return nil, fail(graph.KindBadRequest)
								}
								return p, nil
							}
							req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: order, Conversation: conversation}
							if asked != 0 {
								req.Start = year(asked)
							}
							e := newEngine(t, timeline.Config{})
							have := cachedSources(t, cacheDefaults(), g)
							r := stream(t, e, have, req, "")
							listed, last := listAll(t, e, have, req, 2)
							for how, got := range map[string][]string{"stream": ids(r.events), "list": ids(listed)} {
								if diff := gocmp.Diff(want(limit, time.Now(), order != query.EventTime, g), got); diff != "" {
									t.Errorf("%s (-want +got):\n%s", how, diff)
								}
							}
							for how, reports := range map[string][]*parleyv1.SourceReport{"stream": r.summary.GetSources(), "list": last.GetSources()} {
								rep := report(reports, chat)
								if !rep.GetCovered().GetStartTime().AsTime().Equal(limit.Add(time.Second)) {
									t.Errorf("%s: covered %v", how, rep.GetCovered())
								}
								if asked == 0 && len(rep.GetGaps()) > 0 || asked != 0 && notFound(rep.GetGaps(), "GRAPH_REJECTED_REQUEST") {
									t.Errorf("%s: gaps %v", how, rep.GetGaps())
								}
							}
							if r.summary.GetComplete() != (asked == 0) || last.GetComplete() != (asked == 0) {
								t.Errorf("complete: %v", r.summary)
							}
							code := "START_RAISED"
							if asked != 0 {
								code = "GRAPH_REJECTED_REQUEST"
							}
							if len(r.notices) != 1 || r.notices[0].GetCode() != code {
								t.Errorf("notices %v, want %s", r.notices, code)
							}
						})
					})
				}
			}
		}
	}
}

// TestAnEraTooShortToSplitFails: where Graph fails, an era that nothing splits is a failure like any other window. It is not read for ever.
func TestAnEraTooShortToSplitFails(t *testing.T) {
	t.Parallel()
	for src, start := range map[parleyv1.Source]time.Time{
		copilot: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), chat: time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(src.String(), func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				g := &fakeGraph{src: src}
				g.hook = func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(graph.KindUnavailable) }
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req := query.Events{User: "u", Sources: []parleyv1.Source{src}, Start: start}
				_, err := newEngine(t, timeline.Config{}).ListEvents(ctx, sources(g), req, "", 10)
				if failed, ok := errors.AsType[*failure.Error](err); !ok || failed.Reason != parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE || len(g.asked) > 100 {
					t.Errorf("%v after %d requests", err, len(g.asked))
				}
			})
		})
	}
}

// TestAJoinedReadingEndsWithItsCall: two calls whose intervals end in one minute share a reading, and each has the rows up to its own end.
func TestAJoinedReadingEndsWithItsCall(t *testing.T) {
	t.Parallel()
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		inNovember(t, func(t *testing.T) {
			t.Helper()
			begin := time.Now().Truncate(time.Minute).Add(time.Minute)
			g := &fakeGraph{src: chat, size: 50, rows: []row{
				{at: begin.Add(-time.Minute), id: "before", version: 1}, {at: begin.Add(20 * time.Second), id: "between", version: 1},
			}}
			g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
				time.Sleep(30 * time.Second)
				return p, nil
			}
			e, have := newEngine(t, timeline.Config{}), cachedSources(t, cacheDefaults(), g)
			req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: begin.Add(-time.Hour), OrderBy: order}
			var group sync.WaitGroup
			for after, want := range map[time.Duration]int{10 * time.Second: 1, 25 * time.Second: 2} {
				group.Go(func() {
					time.Sleep(time.Until(begin.Add(after)))
					r := stream(t, e, have, req, "")
					if len(r.events) != want || !r.summary.GetComplete() {
						t.Errorf("%v, %v after the minute began: %v, want %d events", order, after, ids(r.events), want)
					}
				})
			}
			group.Wait()
			if len(g.asked) != 1 {
				t.Errorf("%d requests", len(g.asked))
			}
		})
	}
}

// TestHalvesBeginAtTheAcceptedStart: a chain that looks truncated is compared from the start that Graph accepted, and not from the one that it
// refused.
func TestHalvesBeginAtTheAcceptedStart(t *testing.T) {
	t.Parallel()
	for _, conversation := range []string{"", "19:x@thread.v2"} {
		t.Run(conversation, func(t *testing.T) {
			t.Parallel()
			inNovember(t, func(t *testing.T) {
				t.Helper()
				g := &fakeGraph{src: chat, size: 20, rows: oldRows()}
				limit := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
				g.hook = func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
					switch told, _ := source.RequestBounds(q.Start, q.End); {
					case told.Before(limit):
						return nil, fail(graph.KindBadRequest)
					case link != "":
						return &page{Requests: 1}, nil
					case len(p.Items) > 0:
						p.Next = "https://graph/end?s=1000"
					}
					return p, nil
				}
				req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Conversation: conversation}
				r := stream(t, newEngine(t, timeline.Config{}), sources(g), req, "")
				if diff := gocmp.Diff(want(limit, time.Now(), false, g), ids(r.events)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if !r.summary.GetComplete() {
					t.Errorf("%v", r.summary)
				}
			})
		})
	}
}

// TestLeftOutIsCounted: a row that came is never dropped without a count. Below a chat by its creation, Graph is
// told no start, and the rows before it are counted.
func TestLeftOutIsCounted(t *testing.T) {
	t.Parallel()
	inNovember(t, func(t *testing.T) {
		t.Helper()
		g := &fakeGraph{src: chat, size: 50, rows: oldRows()}
		e := newEngine(t, timeline.Config{})
		req := query.Events{
			Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: query.CreateTimeDesc, Conversation: "19:x@thread.v2", Start: year(2015),
		}
		r := stream(t, e, sources(g), req, "")
		c := report(r.summary.GetSources(), chat).GetCounts()
		if c.GetEvents() != 5 || c.GetLeftOut() != 5 || !r.summary.GetComplete() {
			t.Errorf("%v", r.summary)
		}
		// A row within the second that the interval is asked wider, on either side.
		g = &fakeGraph{src: chat, size: 50, rows: []row{{at: year(2020).Add(-time.Second / 2), id: "a", version: 1}, {at: year(2021).Add(time.Second / 2), id: "b", version: 1}}}
		r = stream(t, e, sources(g), query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: year(2020), End: year(2021)}, "")
		if c := report(r.summary.GetSources(), chat).GetCounts(); c.GetEvents() != 0 || c.GetLeftOut() != 2 {
			t.Errorf("%v", r.summary)
		}
	})
}

// TestARefusedStartIsToldWhenAChainBeginsAgain: Graph refuses the asked start, and the page that it answers from a later one on comes from the cache and
// does not fit. The chain begins again without the cache, and what lies before the later start is a gap all the same.
func TestARefusedStartIsToldWhenAChainBeginsAgain(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		inNovember(t, func(t *testing.T) {
			t.Helper()
			g := &fakeGraph{src: chat, size: 20, rows: oldRows()}
			limit, answers := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 0
			g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
				if told, _ := source.RequestBounds(q.Start, q.End); told.Before(limit) {
					return nil, fail(graph.KindBadRequest)
				}
				if answers++; answers == 1 && again {
					p.FromCache = true
					late := p.Items[0]
					late.Key, late.Time = "late", q.End.Add(time.Hour)
					p.Items = append(p.Items, late)
				}
				return p, nil
			}
			req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: query.EventTimeDesc, Conversation: "19:x@thread.v2", Start: year(1985)}
			r := stream(t, newEngine(t, timeline.Config{}), sources(g), req, "")
			if diff := gocmp.Diff(want(limit, time.Now(), true, g), ids(r.events)); diff != "" {
				t.Errorf("again %v (-want +got):\n%s", again, diff)
			}
			gaps := report(r.summary.GetSources(), chat).GetGaps()
			if r.summary.GetComplete() || len(gaps) != 1 || gaps[0].GetReason() != "GRAPH_REJECTED_REQUEST" {
				t.Errorf("again %v: complete %v, gaps %v", again, r.summary.GetComplete(), gaps)
			}
		})
	}
}
