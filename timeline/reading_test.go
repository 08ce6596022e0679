package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// inNovember runs a test in a bubble whose clock is well behind every interval that it reads.
func inNovember(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 19, 12, 0, 0, 0, time.UTC)))
		test(t)
	})
}

// paged is a chat source whose rows of one window come in so many pages, each by its place in what is there at the moment.
func paged(pages int, start, end time.Time) *fakeGraph {
	return &fakeGraph{src: chat, size: 50, live: true, rows: spread("m", 50*pages, start, end)}
}

// leave takes away the row that comes first in the answer to a window, so that all others move up.
func (g *fakeGraph) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := slices.MinFunc(g.rows, func(a, b row) int {
		x, y := scatter(a.id), scatter(b.id)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	g.rows = slices.DeleteFunc(slices.Clone(g.rows), func(r row) bool { return r.id == first.id })
}

// stopAt makes a source that is asked for its nth page wait until the call ends.
func stopAt(g *fakeGraph, n int) (next source.EventReader) { return &stopping{g, n} }

type stopping struct {
	*fakeGraph

	at int
}

func (s *stopping) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if s.requests() == s.at-1 {
		s.at = 0
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.fakeGraph.Events(ctx, q, link)
}

// TestWindowsOfTwoReadingsAreNotMixed: a window is one reading. What one call has read of a window is never gone on with
// by the next, for a row that left in between moved all behind it. The call is a stream that is cut, a List whose time is up,
// or one of a chat's own messages.
func TestWindowsOfTwoReadingsAreNotMixed(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	for name, order := range map[string]query.Order{"oldest first": query.EventTime, "newest first": query.EventTimeDesc} {
		for _, conversation := range []string{"", "19:x@thread.v2"} {
			for _, list := range []bool{false, true} {
				t.Run(fmt.Sprint(name, conversation, list), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						g := paged(6, hour, hour.Add(time.Hour))
						c, err := cache.New(cache.Config{})
						if err != nil {
							t.Fatal(err)
						}
						defer c.Close()
						have := query.Sources{Events: map[parleyv1.Source]source.EventReader{
							chat: readers.New(c, readers.Config{}).Events(stopAt(g, 4), readers.Scope{Tenant: "t", Source: chat}),
						}}
						e := newEngine(t, timeline.Config{})
						req := query.Events{
							Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Conversation: conversation, OrderBy: order,
							Start: hour, End: hour.Add(time.Hour),
						}
						token, got := "", []string{}
						if list {
							page, err := e.ListEvents(t.Context(), have, req, "", 1000)
							if err != nil || page.GetNextPageToken() == "" {
								t.Fatalf("the first list: %v %v", page, err)
							}
							token, got = page.GetNextPageToken(), ids(page.GetEvents())
						} else {
							r := &result{}
							ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
							err := e.StreamEvents(ctx, have, req, "", r.add)
							cancel()
							if !errors.Is(err, context.DeadlineExceeded) {
								t.Fatal(err)
							}
							if n := len(r.tokens); n > 0 {
								token, got = r.tokens[n-1], ids(r.events[:r.after[n-1]])
							}
						}
						if conversation == "" || order == query.EventTime {
							if len(got) > 0 {
								t.Fatalf("%d events of a window that was not read to its end", len(got))
							}
							g.leave()
						} else { // newest first: the newest row of page 1 leaves, after it was handed over
							g.mu.Lock()
							g.rows = g.rows[:len(g.rows)-1]
							g.mu.Unlock()
						}
						for range 20 {
							page, err := e.ListEvents(t.Context(), have, req, token, 1000)
							if err != nil {
								t.Fatal(err)
							}
							got = append(got, ids(page.GetEvents())...)
							if token = page.GetNextPageToken(); token == "" {
								if !page.GetComplete() {
									t.Errorf("incomplete: %v", page.GetSources())
								}
								break
							}
						}
						left := want(req.Start, req.End, order != query.EventTime, g)
						for _, id := range left {
							if !slices.Contains(got, id) {
								t.Errorf("%s is lost in silence", id)
							}
						}
						r := stream(t, e, have, req, "")
						if order != query.EventTime && conversation != "" {
							// Its pages are kept one by one, and what left one of them is still there for an hour.
							r.events = slices.DeleteFunc(r.events, func(e *parleyv1.Event) bool { return !slices.Contains(left, ids([]*parleyv1.Event{e})[0]) })
						}
						if diff := gocmp.Diff(left, ids(r.events)); diff != "" || !r.summary.GetComplete() {
							t.Errorf("what is kept of it (-want +got):\n%s", diff)
						}
					})
				})
			}
		}
	}
}

// TestWindowsTooLargeForTheCacheAreCachedInPieces: a window is one reading. What is too large to be kept is read in pieces, each
// of which is kept whole; no pages of different ages are put together.
func TestWindowsTooLargeForTheCacheAreCachedInPieces(t *testing.T) {
	t.Parallel()
	inNovember(t, func(t *testing.T) {
		t.Helper()
		hour := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
		g := paged(12, hour, hour.Add(time.Hour))
		for i := range g.rows {
			g.rows[i].body = strings.Repeat("long ", 100)
		}
		have := cachedSources(t, cache.Config{MaxBytes: 320 << 10}, g)
		e := newEngine(t, timeline.Config{})
		req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: hour, End: hour.Add(time.Hour)}
		token, got := "", []string{}
		var left []string
		for n := 0; ; n++ {
			page, err := e.ListEvents(t.Context(), have, req, token, 50)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(page.GetEvents())...)
			if token = page.GetNextPageToken(); token == "" {
				if !page.GetComplete() {
					t.Errorf("incomplete: %v", page.GetSources())
				}
				break
			}
			if n%3 == 2 {
				g.leave()
				time.Sleep(10 * time.Minute) // some of what is kept ends
			}
			left = want(req.Start, req.End, false, g)
		}
		for _, id := range left {
			if !slices.Contains(got, id) {
				t.Errorf("%s is lost in silence", id)
			}
		}
		if slices.Sort(got); len(slices.Compact(got)) != len(got) {
			t.Error("events came twice")
		}
		if n := g.requests(); n > 7*12 {
			t.Errorf("%d requests for 12 pages", n)
		}
	})
}

// TestWindowsThatDoNotFitAreHalved: every walk makes progress. Windows that take longer than a call are asked for in
// halves, by Lists and by streams that are cut, until they fit, and those behind them as narrow. The clock is virtual.
func TestWindowsThatDoNotFitAreHalved(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
		for _, kept := range []bool{true, false} {
			for _, list := range []bool{true, false} {
				t.Run(fmt.Sprint(order, kept, list), func(t *testing.T) {
					t.Parallel()
					inNovember(t, func(t *testing.T) {
						t.Helper()
						const pages = 120
						g := &fakeGraph{src: chat, size: 50, delay: time.Second, rows: spread("m", 50*pages, hour, hour.Add(time.Hour))}
						have := sources(g)
						if kept {
							have = cachedSources(t, cache.Config{}, g)
						}
						e := newEngine(t, timeline.Config{})
						req := query.Events{
							Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: order, Start: hour, End: hour.Add(time.Hour),
						}
						token, got, calls := "", []string{}, 0
						for done := false; !done; calls++ {
							if calls > 400 {
								t.Fatalf("no end after %d calls: %d of %d events", calls, len(got), len(g.rows))
							}
							if list {
								page, err := e.ListEvents(t.Context(), have, req, token, 1000)
								if err != nil {
									t.Fatal(err)
								}
								got = append(got, ids(page.GetEvents())...)
								if token = page.GetNextPageToken(); token == "" {
									if done = true; !page.GetComplete() {
										t.Errorf("incomplete: %v", page.GetSources())
									}
								}
								continue
							}
							r := &result{}
							ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
							err := e.StreamEvents(ctx, have, req, token, r.add)
							cancel()
							if err == nil {
								done = true
								got = append(got, ids(r.events)...)
							} else if n := len(r.tokens); n > 0 {
								token = r.tokens[n-1]
								got = append(got, ids(r.events[:r.after[n-1]])...)
							}
						}
						if diff := gocmp.Diff(want(req.Start, req.End, order != query.EventTime, g), got); diff != "" {
							t.Errorf("(-want +got):\n%s", diff)
						}
						t.Logf("%d calls, %d requests for %d pages", calls, g.requests(), pages)
						if n := g.requests(); kept && list && n > 2*pages {
							t.Errorf("%d requests for %d pages", n, pages)
						}
					})
				})
			}
		}
	}
}

// TestPagesLongerThanACallAreWaitedForByTheNext: every walk makes progress. Where one page takes longer than a call lasts, cutting the
// window would not help, so its reading waits on and the next call takes part in it. The clock is virtual.
func TestPagesLongerThanACallAreWaitedForByTheNext(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	for _, delay := range []time.Duration{24 * time.Second, 70 * time.Second} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			t.Run(fmt.Sprint(delay, order), func(t *testing.T) {
				t.Parallel()
				inNovember(t, func(t *testing.T) {
					t.Helper()
					g := &fakeGraph{src: chat, size: 50, delay: delay, rows: spread("m", 120, hour, hour.Add(time.Hour))}
					have := cachedSources(t, cache.Config{}, g)
					e := newEngine(t, timeline.Config{})
					req := query.Events{
						Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, OrderBy: order, Start: hour, End: hour.Add(time.Hour),
					}
					var got []string
					for token, calls := "", 1; ; calls++ {
						page, err := e.ListEvents(t.Context(), have, req, token, 1000)
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, ids(page.GetEvents())...)
						if token = page.GetNextPageToken(); token == "" {
							if !page.GetComplete() {
								t.Errorf("incomplete: %v", page.GetSources())
							}
							t.Logf("%d calls, %d requests", calls, g.requests())
							break
						}
						if calls > 100 {
							t.Fatalf("no end after %d calls and %d requests: %d of %d events", calls, g.requests(), len(got), len(g.rows))
						}
					}
					if diff := gocmp.Diff(want(req.Start, req.End, order != query.EventTime, g), got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}
