package timeline_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/derived"
	"github.com/parley-gateway/parley/timeline/query"
)

// history is a year of a user's interactions, 100 in each of ten sessions one after the other.
func history(now time.Time) *fakeGraph {
	g := &fakeGraph{src: copilot, size: 10, rows: spread("i", 1000, now.AddDate(-1, 0, 0), now)}
	for i := range g.rows {
		g.rows[i].conversation = fmt.Sprint("session", i/100)
	}
	return g
}

// TestDescribeReadsNoFurtherThanTheLastEvent reads one conversation of a long history: whole where the history ends within what is read; else, of recent and of old
// conversations alike, no further than to be sure of the last event.
func TestDescribeReadsNoFurtherThanTheLastEvent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		session string
		most    int
		count   int64 // 0 = the reading ends early
	}{
		"everything is read":           {"session4", 0, 100},
		"the history is shorter":       {"session4", 1001, 100},
		"a recent one, early":          {"session9", 250, 0},
		"an old one, early":            {"session2", 250, 0},
		"the oldest one, early":        {"session0", 250, 0},
		"one that there is not":        {"session", 250, 0},
		"early, at the very last":      {"session9", 1, 0},
		"early, at its own last event": {"session9", 100, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(26*365*24*time.Hour + 1000*time.Hour)
				g := history(time.Now().UTC())
				var before *parleyv1.Conversation
				for range 2 { // the answer does not depend on the engine that gives it
					groups := derived.Groups{Tenant: "t", Owner: "u"}
					reading, err := newEngine(t, timeline.Config{}).Describe(t.Context(), sources(g), conversation(tc.session), tc.most, &groups)
					if err != nil {
						t.Fatal(err)
					}
					found := groups.Conversation("users/u/conversations/" + tc.session)
					if tc.session == "session" {
						if found != nil || reading.EndedEarly || !reading.Complete {
							t.Errorf("found %v, %+v", found, reading)
						}
						return
					}
					index := int(tc.session[len(tc.session)-1] - '0')
					if last := g.rows[index*100+99].at; !found.GetActivity().GetLastEventTime().AsTime().Equal(last) {
						t.Errorf("the last event is at %v, want %v", found.GetActivity().GetLastEventTime().AsTime(), last)
					}
					if reading.EndedEarly != (tc.count == 0) || reading.Complete == reading.EndedEarly {
						t.Errorf("%+v", reading)
					}
					if !reading.EndedEarly && (found.GetActivity().GetCopilotEvents() != tc.count || !found.GetActivity().GetFirstEventTime().AsTime().Equal(g.rows[index*100].at)) {
						t.Errorf("activity %v", found.GetActivity())
					}
					if reading.EndedEarly && reading.Reached.After(found.GetActivity().GetLastEventTime().AsTime()) {
						t.Errorf("read back to %v, and the last event is at %v", reading.Reached, found.GetActivity().GetLastEventTime().AsTime())
					}
					if diff := cmp.Diff(before, found, protocmp.Transform()); before != nil && diff != "" {
						t.Errorf("read again: %s", diff)
					}
					before = found
				}
			})
		})
	}
}

func conversation(id string) query.Events {
	return query.Events{Caller: "c", Tenant: "t", Owner: "u", User: "u", Conversation: id, Sources: []parleyv1.Source{copilot}}
}

// TestDescribeEndsWithItsCall ends a reading with its call: it has ended early, and tells how far it came. So has one that fails on the way; one that
// cannot be read at all says why.
func TestDescribeEndsWithItsCall(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hook    func(n int, q source.EventQuery, link string, p *page) (*page, error)
		delay   time.Duration
		failed  bool
		early   bool
		reached bool // it came to an event
	}{
		"in time":         {delay: time.Millisecond},
		"too slow":        {delay: 15 * time.Second, early: true, failed: true},
		"a little slow":   {delay: 3 * time.Second, early: true, failed: true, reached: true},
		"refused":         {hook: func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(graph.KindForbidden) }, failed: true},
		"throttled":       {hook: func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(graph.KindThrottled) }, failed: true, early: true},
		"throttled later": {hook: throttledAfter(40), failed: true, early: true, reached: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(26*365*24*time.Hour + 1000*time.Hour)
				g := history(time.Now().UTC())
				g.delay, g.hook = tc.delay, tc.hook
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				groups := derived.Groups{Tenant: "t", Owner: "u"}
				reading, err := newEngine(t, timeline.Config{WindowsAtOnce: 2}).Describe(ctx, sources(g), conversation("session9"), 5000, &groups)
				if err != nil {
					t.Fatal(err)
				}
				if reading.EndedEarly != tc.early || (reading.Err != nil) != tc.failed || tc.early && reading.Reached.IsZero() {
					t.Errorf("%+v", reading)
				}
				found := groups.Conversation("users/u/conversations/session9")
				if (found != nil) != (tc.reached || !tc.failed) || found != nil && tc.early && reading.Reached.After(found.GetActivity().GetLastEventTime().AsTime()) {
					t.Errorf("found %v, %+v", found, reading)
				}
			})
		})
	}
}

// throttledAfter throttles all requests after the first ones.
func throttledAfter(requests int) func(int, source.EventQuery, string, *page) (*page, error) {
	return func(n int, _ source.EventQuery, _ string, p *page) (*page, error) {
		if n > requests {
			return nil, fail(graph.KindThrottled)
		}
		return p, nil
	}
}
