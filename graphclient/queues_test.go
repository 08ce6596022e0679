package graphclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// TestQueuesOfAllLimits: what cannot be served before its deadline is refused at once. One caller's requests
// fill the tenant's queue. The queue of one chat is short, and yet the same caller is refused without waiting in it, is told
// that it is our own queue and for how long, and nothing is sent; another caller has their turn.
func TestQueuesOfAllLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		client, err := graphclient.New(graphclient.Config{
			BaseURL: "http://127.0.0.1:8090",
			Limits:  ratelimit.LimitTable{{API: graph.APIChat, Limits: []ratelimit.Limit{{Scope: ratelimit.PerTenant, Requests: 1, Per: time.Second}, {Scope: ratelimit.PerResource, Requests: 1, Per: time.Second}}}},
			Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				sent++
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"value":[]}`))}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var all sync.WaitGroup
		ask := func(caller, chat string, patience time.Duration) error {
			ctx, cancel := context.WithTimeout(ratelimit.WithCaller(t.Context(), caller), patience)
			defer cancel()
			_, err := client.Page(ctx, graph.Request{API: graph.APIChat, Resource: chat, Path: "/chats/" + chat + "/messages"})
			return err
		}
		for range 5 {
			all.Go(func() { _ = ask("greedy", "short", 2*time.Minute) })
		}
		synctest.Wait()
		for i := range 1000 { // of chats of their own, so that the tenant's limit is the only queue
			all.Go(func() { _ = ask("greedy", strconv.Itoa(i), 2*time.Minute) })
		}
		synctest.Wait()
		begin, before := time.Now(), sent
		refusal, ok := errors.AsType[*graph.Error](ask("greedy", "short", 30*time.Second))
		if !ok || refusal.Kind != graph.KindThrottled || !refusal.OwnBudget || refusal.RetryAfter < 30*time.Second || time.Since(begin) != 0 || sent != before {
			t.Errorf("a chat whose own queue is short: %+v after %v, %d sent", refusal, time.Since(begin), sent-before)
		}
		if err := ask("modest", "other", 10*time.Second); err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("another caller: %v after %v", err, time.Since(begin))
		}
		all.Wait()
		if took := time.Since(begin); took > 2*time.Minute || sent < 90 {
			t.Errorf("%d of a thousand were sent within %v", sent, took)
		}
	})
}
