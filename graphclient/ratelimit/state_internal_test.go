package ratelimit

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestTheStateShowsUseQueuesAndGates: what an operator sees. How much of a limit is used, who waits, and for how long Graph asked to wait.
func TestTheStateShowsUseQueuesAndGates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := LimitTable{
			{Name: "history", API: graph.APICopilot, Limits: []Limit{{PerTenant, 10, time.Second}, {PerUser, 2, time.Second}}},
			{API: graph.APIUsers},
		}
		budgets := NewBudgets(table, 1)
		if state := budgets.State(); len(state.Limits) != 2 || len(state.APIs) != 2 || state.Limits[1].Limit != "history_user" || state.Limits[0].Used != 0 {
			t.Fatalf("before the first request: %+v", state)
		}
		send := func(ctx context.Context, user string, status int) error {
			turn, err := budgets.Enter(ctx, Call{Request: &graph.Request{API: graph.APICopilot, User: user}})
			if err != nil {
				return err
			}
			answer := &http.Response{StatusCode: status, Header: http.Header{}}
			if status == http.StatusTooManyRequests {
				answer.Header.Set("Retry-After", "20")
			}
			turn.Answered(t.Context(), answer)
			turn.Leave(t.Context())
			return nil
		}
		for range 15 {
			if err := send(t.Context(), "a", http.StatusOK); err != nil {
				t.Fatal(err)
			}
		}
		state := budgets.State()
		if used := state.Limits[0].Used; math.Abs(used-0.1) > 0.02 {
			t.Errorf("15 of 150 requests in 15 s: %v used", used)
		}
		if used := state.Limits[1].Used; math.Abs(used-0.5) > 0.05 {
			t.Errorf("15 of 30 requests of one user in 15 s: %v used", used)
		}
		time.Sleep(time.Minute)
		if used := budgets.State().Limits[0].Used; used != 0 {
			t.Errorf("%v used a minute later", used)
		}
		if err := send(t.Context(), "a", http.StatusTooManyRequests); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ended <- send(ctx, "a", http.StatusOK) }()
		synctest.Wait()
		api := budgets.State().APIs[0]
		if api.Queued != [2]int{1, 0} || api.Closed <= 19*time.Second || api.Closed > 20*time.Second {
			t.Errorf("while Graph asks to wait: %+v", api)
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("a request that nobody waits for was sent")
		}
	})
}
