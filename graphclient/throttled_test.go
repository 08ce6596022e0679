package graphclient_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/graphsim/faults"
	"github.com/parley-gateway/parley/internal/wiretest"
)

// TestCallersOfAThrottlingGraph lets 200 callers ask a Graph that enforces its published limits and, in between, answers
// nothing but 429 for three seconds. The limit is run into once, and the callers take no longer than the budgets allow.
func TestCallersOfAThrottlingGraph(t *testing.T) {
	t.Parallel()
	const callers = 200
	for name, c := range map[string]struct {
		each   int     // requests of each caller
		budget float64 // requests a second, of all
		ask    func(user string) graph.Request
	}{
		graphsim.SourceCopilot: {4, 0.83 * 30, func(user string) graph.Request {
			return graph.Request{API: graph.APICopilot, Path: "/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions", User: user}
		}},
		graphsim.SourceChat: {21, 0.83 * 200, func(user string) graph.Request {
			return graph.Request{API: graph.APIChat, Path: "/users/" + user + "/chats/getAllMessages", User: user}
		}},
		graphsim.SourceChats: {4, 0.83 * 20, func(user string) graph.Request {
			return graph.Request{API: graph.APIConversations, Path: "/users/" + user + "/chats", User: user}
		}},
		graphsim.SourceCall: {1, 0.83 * 2, func(string) graph.Request {
			return graph.Request{API: graph.APICall, Path: "/communications/callRecords"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 11, 19, 15, 30, 0, 0, time.UTC)))
				sim, err := graphsim.New(graphsim.Config{Plain: true, Throttle: true, Seed: 3, Messages: 1, Interactions: 1, Calls: 1, MessagePageSize: 1, CallPageSize: 1})
				if err != nil {
					t.Fatal(err)
				}
				fake, err := sim.HandlerWithFaults([]faults.Fault{
					{Kind: faults.Status, Status: 429, RetryAfter: "3", Match: name, FromMS: 5000, UntilMS: 8000},
					{Kind: faults.Slow, DelayMS: 4},
				}, 1)
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				refused, served := map[string]int{}, 0
				wire := wiretest.New(fake)
				client, err := graphclient.New(graphclient.Config{BaseURL: "http://127.0.0.1:8090", Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					resp, err := wire.RoundTrip(r)
					mu.Lock()
					defer mu.Unlock()
					if err == nil && resp.StatusCode == http.StatusTooManyRequests {
						refused[r.URL.Opaque]++
					} else {
						served++
					}
					return resp, err
				})})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				var users []string
				for person := range sim.Oracle("").Users() {
					if sim.Oracle("").Licensed(person.ID) {
						users = append(users, person.ID)
					}
				}
				begin := time.Now()
				var all sync.WaitGroup
				for n := range callers {
					all.Go(func() {
						ctx := ratelimit.WithCaller(t.Context(), fmt.Sprint("caller ", n))
						request := c.ask(users[n%len(users)])
						request.Priority, request.Query = graph.Background, nil
						for range c.each {
							if _, err := client.Page(ctx, request); err != nil {
								t.Errorf("caller %d: %v", n, err)
								return
							}
						}
					})
				}
				all.Wait()
				took, bound := time.Since(begin), time.Duration(1.2*callers*float64(c.each)/c.budget*float64(time.Second))
				if took > bound {
					t.Errorf("took %v, at most %v", took, bound)
				}
				sum := 0
				for _, n := range refused {
					sum += n
				}
				if sum != 1 {
					t.Errorf("%d answers 429, want 1: %v", sum, slices.Collect(maps.Values(refused)))
				}
				t.Logf("%d requests in %v of %v, %d answers 429", served, took, bound, len(refused))
			})
		})
	}
}

// TestStormsAreWaitedFor has Graph name a wait again and again. Waits that end in time use up no try: time bounds them, and tries the rest of the call.
func TestStormsAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait     string
		storm    int // 429s before the page; 0 = no end
		deadline time.Duration
		requests int
		least    time.Duration // that is waited
		most     time.Duration
	}{
		"25 short waits":           {"1", 25, 0, 26, 25 * time.Second, 25 * time.Second},
		"25, in time":              {"1", 25, 40 * time.Second, 26, 25 * time.Second, 25 * time.Second},
		"no end":                   {"1", 0, 0, 60 + graphclient.DefaultTries, 63 * time.Second, 63 * time.Second},
		"no end, deadline":         {"1", 0, 20500 * time.Millisecond, 21, 20 * time.Second, 20 * time.Second},
		"no end, far deadline":     {"10", 0, 305 * time.Second, 31, 300 * time.Second, 305 * time.Second},
		"no end, long waits":       {"40", 0, 0, 1 + graphclient.DefaultTries, 160 * time.Second, 160 * time.Second},
		"no end, too short a wait": {"0.01", 0, 0, graphclient.DefaultTries, 0, time.Second},
		"no end, no wait is named": {"", 0, 0, graphclient.DefaultTries, 7 * time.Second, 7 * time.Second},
		"no end, a minute each":    {"60", 0, 0, 1 + graphclient.DefaultTries, 4 * time.Minute, 4 * time.Minute},
		"no end, deadline at once": {"30", 0, 20 * time.Second, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				for range c.storm {
					s.steps = append(s.steps, say(429, "", "Retry-After", c.wait))
				}
				if c.storm > 0 {
					s.steps = append(s.steps, say(200, emptyPage))
				} else {
					s.steps = append(s.steps, say(429, "", "Retry-After", c.wait))
				}
				ctx := t.Context()
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				start := time.Now()
				_, err := fakeClient(t, s.roundTrip).Page(ctx, chats())
				if took := time.Since(start); took < c.least || took > c.most || s.count() != c.requests {
					t.Errorf("%d requests in %v: %v", s.count(), took, err)
				}
				if c.storm > 0 && err != nil {
					t.Error(err)
				}
				if c.storm == 0 {
					if e := wantError(t, err, graph.KindThrottled); e.Status != 429 || e.RetryAfter <= 0 {
						t.Errorf("error %#v", e)
					}
				}
			})
		})
	}
}

// TestTroubleBehindAStorm checks that waiting for throttling leaves the tries for other trouble, and that those are counted.
func TestTroubleBehindAStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		for range 10 {
			s.steps = append(s.steps, say(429, "", "Retry-After", "1"))
		}
		s.steps = append(s.steps, say(500, ""))
		_, err := fakeClient(t, s.roundTrip).Page(t.Context(), chats())
		if e := wantError(t, err, graph.KindUnavailable); e.Requests != 10+graphclient.DefaultTries {
			t.Errorf("%d requests", e.Requests)
		}
	})
}

// TestThrottlingWithoutAWaitBehindAStorm has Graph name no wait after it named some: these answers use up the tries, and the named waits used up none.
func TestThrottlingWithoutAWaitBehindAStorm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unnamed  int // 429s without a wait, after the named ones; 0 = no end
		requests int
	}{
		"as many as the tries allow": {graphclient.DefaultTries - 1, 10 + graphclient.DefaultTries},
		"no end":                     {0, 10 + graphclient.DefaultTries},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				for range 10 {
					s.steps = append(s.steps, say(429, "", "Retry-After", "1"))
				}
				for range c.unnamed {
					s.steps = append(s.steps, say(429, ""))
				}
				if c.unnamed > 0 {
					s.steps = append(s.steps, say(200, emptyPage))
				} else {
					s.steps = append(s.steps, say(429, ""))
				}
				_, err := fakeClient(t, s.roundTrip).Page(t.Context(), chats())
				if s.count() != c.requests {
					t.Errorf("%d requests, want %d: %v", s.count(), c.requests, err)
				}
				if c.unnamed > 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if e := wantError(t, err, graph.KindThrottled); e.Status != 429 || e.Requests != c.requests {
					t.Errorf("error %#v", e)
				}
			})
		})
	}
}
