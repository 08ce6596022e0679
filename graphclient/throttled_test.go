package graphclient_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphsim"
)

// TestCallersOfAThrottlingGraph lets 200 callers ask a Graph that enforces its published limits and, in between, answers
// nothing but 429 for seven seconds. The limit is run into once, and the callers take no longer than the budgets allow.
func TestCallersOfAThrottlingGraph(t *testing.T) {
	t.Parallel()
	const callers = 200
	for name, c := range map[string]struct {
		each   int     // requests of each caller
		budget float64 // requests a second, of all
		ask    func(user string) graphclient.Request
	}{
		graphsim.SourceCopilot: {8, 0.83 * 30, func(user string) graphclient.Request {
			return graphclient.Request{Source: graphclient.SourceCopilot, Path: "/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions", User: user}
		}},
		graphsim.SourceChat: {40, 0.83 * 200, func(user string) graphclient.Request {
			return graphclient.Request{Source: graphclient.SourceChat, Path: "/users/" + user + "/chats/getAllMessages", User: user}
		}},
		graphsim.SourceChats: {6, 0.83 * 20, func(user string) graphclient.Request {
			return graphclient.Request{Source: graphclient.SourceConversations, Path: "/users/" + user + "/chats", User: user}
		}},
		graphsim.SourceCall: {1, 0.83 * 2, func(string) graphclient.Request {
			return graphclient.Request{Source: graphclient.SourceCall, Path: "/communications/callRecords"}
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
				graph, err := sim.HandlerWith([]graphsim.Fault{
					{Kind: graphsim.FaultStatus, Status: 429, RetryAfter: "7", Match: name, FromMS: 5000, UntilMS: 12000},
					{Kind: graphsim.FaultSlow, DelayMS: 4},
				}, 1)
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				refused, served := map[string]int{}, 0
				wire := graphsim.InProcess(graph)
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
						ctx := graphclient.WithCaller(t.Context(), fmt.Sprint("caller ", n))
						request := c.ask(users[n%len(users)])
						request.Priority, request.Query = graphclient.Background, nil
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
