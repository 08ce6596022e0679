package timeline_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// cachedSources puts a cache before the graphs.
func cachedSources(t *testing.T, cfg cache.Config, graphs ...*fakeGraph) query.Sources {
	t.Helper()
	c, err := cache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	have := sources(graphs...)
	for src, reader := range have.Events {
		have.Events[src] = readers.New(c, readers.Config{}).Events(reader, readers.Scope{Tenant: "t", Source: src})
	}
	return have
}

// busy is a chat and a Copilot history of a settled month, with equal times and texts of all lengths.
func busy() (chats, interactions *fakeGraph) {
	start, end := march()
	chats = &fakeGraph{src: chat, size: 50, rows: spread("m", 450, start, end)}
	interactions = &fakeGraph{src: copilot, size: 100, rows: spread("i", 150, start, end)}
	for i := range chats.rows {
		chats.rows[i].body, chats.rows[i].actor = strings.Repeat("text ", 1+i%100), fmt.Sprint("u", i%9)
		if i%7 == 3 {
			chats.rows[i].at = chats.rows[i-1].at
		}
	}
	return chats, interactions
}

// TestCachedWindowsAnswerWithoutARequest: a call that finds all windows kept answers like the one that read them, and asks Graph nothing.
func TestCachedWindowsAnswerWithoutARequest(t *testing.T) {
	t.Parallel()
	for _, v := range []parleyv1.EventView{
		parleyv1.EventView_EVENT_VIEW_BASIC, parleyv1.EventView_EVENT_VIEW_FULL, parleyv1.EventView_EVENT_VIEW_METADATA,
	} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			for _, filter := range []string{"", `event_time > "2026-03-10T00:00:00Z"`, `actor.user.id = "u1"`} {
				t.Run(fmt.Sprint(v, order, filter), func(t *testing.T) {
					t.Parallel()
					chats, interactions := busy()
					if filter == "" && order == query.EventTime && v == parleyv1.EventView_EVENT_VIEW_BASIC {
						chats.rows[225].body = strings.Repeat("long ", 550<<10) // above the limit of a frame
					}
					have := cachedSources(t, cache.Config{}, chats, interactions)
					plain := sources(chats, interactions)
					start, end := march()
					req := query.Events{Owner: "u", User: "u", Start: start, End: end, View: v, OrderBy: order, Filter: filter}
					e := newEngine(t, timeline.Config{})
					want := stream(t, e, plain, req, "")
					stream(t, e, have, req, "")
					asked := chats.requests() + interactions.requests()
					again := stream(t, e, have, req, "")
					same := func(got []*parleyv1.Event) bool {
						return slices.EqualFunc(want.events, got, func(a, b *parleyv1.Event) bool { return proto.Equal(a, b) })
					}
					if !same(again.events) || !again.summary.GetComplete() {
						t.Fatalf("from kept windows (-want +got):\n%s", gocmp.Diff(want.events, again.events, protocmp.Transform()))
					}
					if n := chats.requests() + interactions.requests() - asked; n != 0 {
						t.Errorf("%d requests in spite of kept windows", n)
					}
					for _, size := range []int{1000, 110} {
						for range 2 {
							listed, last := listAll(t, e, have, req, size)
							if !same(listed) || !last.GetComplete() {
								t.Fatalf("pages of %d (-want +got):\n%s", size, gocmp.Diff(want.events, listed, protocmp.Transform()))
							}
						}
					}
					for i, token := range again.tokens {
						rest := stream(t, e, have, req, token)
						if len(rest.events) != len(want.events)-again.after[i] {
							t.Errorf("%d events after checkpoint %d, want %d", len(rest.events), i, len(want.events)-again.after[i])
						}
					}
				})
			}
		}
	}
}

// TestOpenWindowsAreReadAgainWhenTheyExpire: an open window is read again once its pages would have expired, and no-cache is honoured.
func TestOpenWindowsAreReadAgainWhenTheyExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		now := time.Now().UTC()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 45, now.Add(-25*time.Minute), now.Add(-time.Minute))}
		have := cachedSources(t, cache.Config{}, g)
		e := newEngine(t, timeline.Config{})
		req := query.Events{Owner: "u", User: "u", Start: now.Add(-30 * time.Minute)}
		count := func(ctx string, want, requests int) {
			t.Helper()
			asked := g.requests()
			events, _ := listAll(t, e, have, req, 1000)
			if len(events) != want || g.requests()-asked != requests {
				t.Errorf("%s: %d events with %d requests, want %d with %d", ctx, len(events), g.requests()-asked, want, requests)
			}
		}
		count("first", 45, 5)
		count("at once", 45, 0)
		g.mu.Lock()
		g.rows = append(g.rows, row{at: now, created: now, id: "late", version: 1})
		g.edits++
		g.mu.Unlock()
		time.Sleep(20 * time.Second)
		count("while kept", 45, 0)
		time.Sleep(41 * time.Second)
		count("expired", 46, 5)
		synctest.Wait()
	})
}

// TestCachedPagesStandUntilAWindowChanges: the page of a settled interval comes again as it is, with its other forms, until a window is another one.
func TestCachedPagesStandUntilAWindowChanges(t *testing.T) {
	t.Parallel()
	chats, interactions := busy()
	have := cachedSources(t, cache.Config{}, chats, interactions)
	start, end := march()
	req := query.Events{Owner: "u", User: "u", Start: start, End: end, Caller: "one"}
	e := newEngine(t, timeline.Config{})
	page := func(req query.Events, token string) *timeline.Page {
		t.Helper()
		p, err := e.PageEvents(t.Context(), have, req, token, 50)
		if err != nil || p.Count != 50 {
			t.Fatalf("%+v, %v", p, err)
		}
		return p
	}
	renders := 0
	form := func(p *timeline.Page) string {
		t.Helper()
		type key struct{}
		b, err := p.Rendition(key{}, func(p *timeline.Page) ([]byte, error) {
			renders++
			return fmt.Append(nil, renders, " ", p.Count), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page(req, "")
	first := page(req, "")
	for range 2 {
		if form(first) != "1 50" {
			t.Error("a kept page is rendered twice")
		}
	}
	again := page(req, "")
	if form(again) != "1 50" || again.Message != first.Message || &again.Events[0] != &first.Events[0] {
		t.Error("the page is not the same")
	}
	page(req, first.Message.GetNextPageToken())
	if second := page(req, first.Message.GetNextPageToken()); form(second) != "2 50" {
		t.Error("two pages share a form")
	}
	other := req
	other.Caller = "two"
	if p := page(other, ""); p.Message.GetNextPageToken() == first.Message.GetNextPageToken() {
		t.Error("two callers share a token")
	}
	full := req
	full.View = parleyv1.EventView_EVENT_VIEW_METADATA
	if p := page(full, ""); len(p.Events) >= len(first.Events) {
		t.Error("two views share a page")
	}
	ctx := cache.WithControl(t.Context(), cache.Control{MaxAge: new(time.Duration)})
	fresh, err := e.PageEvents(ctx, have, req, "", 50)
	if err != nil || fresh.Message == first.Message || fresh.Message.GetSources()[0].GetCounts().GetGraphRequests() == 0 {
		t.Errorf("max-age=0 answers from what is kept: %v", err)
	}
}

// TestCallsShareCachedWindows: calls that use one window at the same time, in all views, do not disturb each other.
func TestCallsShareCachedWindows(t *testing.T) {
	t.Parallel()
	chats, interactions := busy()
	have := cachedSources(t, cache.Config{}, chats, interactions)
	start, end := march()
	e := newEngine(t, timeline.Config{})
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			req := query.Events{
				Owner: "u", User: "u", Start: start, End: end, View: parleyv1.EventView(i % 4),
				Filter: []string{"", `actor.user.id = "u1"`}[i/6],
			}
			want := map[bool]int{true: 50, false: 600}[req.Filter != ""]
			events := 0
			emit := func(f *parleyv1.StreamEventsResponse) error {
				events += len(f.GetBatch().GetEvents())
				return nil
			}
			take := func(b *timeline.Batch) error {
				var again parleyv1.EventBatch
				err := proto.Unmarshal(slices.Concat(b.Runs...), &again)
				events += len(again.GetEvents())
				return err
			}
			var err error
			if i%2 == 0 {
				err = e.StreamBatches(t.Context(), have, req, "", take, emit)
			} else {
				err = e.StreamEvents(t.Context(), have, req, "", emit)
			}
			if err != nil || events != want {
				t.Errorf("%v %q: %d events, want %d, %v", req.View, req.Filter, events, want, err)
			}
		})
	}
	group.Wait()
}
