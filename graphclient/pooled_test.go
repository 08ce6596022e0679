package graphclient_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/graphclient/ratelimit/pooltest"
	"github.com/parley-gateway/parley/graphsim"
)

// TestReplicasKeepTheSimulatorsLimits reads the same by one client and by three that share a pool, in the simulator's limits: the same
// requests, no 429, and no more time.
func TestReplicasKeepTheSimulatorsLimits(t *testing.T) {
	t.Parallel()
	const users = 120
	read := func(replicas int) (requests, throttled int, took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			sim, err := graphsim.New(graphsim.Config{Plain: true, Throttle: true, Steady: true, Users: users, Chats: 30, Messages: 300, Interactions: 600, Calls: 10})
			if err != nil {
				t.Fatal(err)
			}
			handler := sim.Handler()
			serve := roundTripper(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), http.NoBody))
				return w.Result(), nil
			})
			pool := pooltest.NewMemory(replicas)
			clients := make([]*graphclient.Client, replicas)
			for i := range clients {
				clients[i] = fakeClient(t, serve, func(cfg *graphclient.Config) {
					cfg.BaseURL, cfg.Limits, cfg.Pool = "http://127.0.0.1:8443", ratelimit.DefaultLimits(), pool
				})
			}
			day := time.Now().UTC().Truncate(24 * time.Hour)
			begin := time.Now()
			var load sync.WaitGroup
			people := sim.Oracle(sim.TenantID())
			for i, user := range slices.Collect(people.Users()) {
				if !people.Licensed(user.ID) {
					continue
				}
				for _, request := range requestsOf(user.ID, day) {
					load.Go(func() {
						if _, err := clients[i%replicas].Page(t.Context(), request); err != nil {
							t.Error(request.Path, err)
						}
					})
				}
			}
			load.Wait()
			took = time.Since(begin)
			for _, r := range sim.Requests() {
				requests++
				if r.Status == http.StatusTooManyRequests {
					throttled++
				}
			}
		})
		return requests, throttled, took
	}
	one, throttledOne, took := read(1)
	three, throttledThree, tookThree := read(3)
	t.Logf("one: %d requests, %d × 429, %v; three: %d requests, %d × 429, %v", one, throttledOne, took, three, throttledThree, tookThree)
	if one < users || three != one || throttledOne+throttledThree > 0 {
		t.Errorf("%d requests and %d × 429 by three, %d and %d by one", three, throttledThree, one, throttledOne)
	}
	if tookThree > took*11/10 {
		t.Errorf("three took %v, one %v", tookThree, took)
	}
}

// requestsOf are requests about one user.
func requestsOf(user string, day time.Time) []graph.Request {
	span := fmt.Sprintf("createdDateTime gt %s and createdDateTime lt %s", day.AddDate(0, 0, -20).Format(time.RFC3339), day.Format(time.RFC3339))
	return []graph.Request{
		{API: graph.APICopilot, User: user, Path: "/copilot/users/" + user + "/interactionHistory/getAllEnterpriseInteractions", Query: []graph.Param{{Name: "$filter", Value: span}}},
		{API: graph.APIConversations, User: user, Path: "/users/" + user + "/chats"},
		{API: graph.APIChat, User: user, Path: "/users/" + user + "/chats/getAllMessages"},
	}
}
