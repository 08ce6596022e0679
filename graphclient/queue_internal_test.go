package graphclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestSlowBudgetIsNoQueueOfThousands: a chat's budget is one request a second. Whoever cannot be served before the deadline is told
// so at once, whoever is not told so is served, and it does not matter whether one caller asks or a thousand do. A few may wait
// in vain, since a caller who comes later has their turn before another one's second.
func TestSlowBudgetIsNoQueueOfThousands(t *testing.T) {
	t.Parallel()
	const calls, deadline = 1000, 2 * time.Minute
	for name, callers := range map[string]int{"one caller": 1, "ten callers": 10, "a thousand callers": calls} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(1, 1)
				b.half = false
				var refused, served, late atomic.Int64
				begin := time.Now()
				var group sync.WaitGroup
				for i := range calls {
					group.Go(func() {
						ctx, cancel := context.WithTimeout(WithCaller(t.Context(), fmt.Sprint("caller", i%callers)), deadline)
						defer cancel()
						probe, wait, err := b.acquire(ctx, graph.Interactive)
						switch {
						case err != nil:
							late.Add(1)
						case wait > 0 && time.Since(begin) > 0:
							late.Add(1)
						case wait > 0:
							refused.Add(1)
						default:
							b.spend(true)
							b.release(probe, true, time.Now())
							served.Add(1)
						}
					})
				}
				group.Wait()
				if refused.Load() < calls-130 || served.Load() < 100 || late.Load() > calls/50 {
					t.Errorf("%d refused at once, %d served, %d waited in vain", refused.Load(), served.Load(), late.Load())
				}
			})
		})
	}
}

// TestQueuesOfAllLimits is of the kind "what cannot be served before its deadline is refused at once": one caller's requests
// fill the tenant's queue. The queue of one chat is short, and yet the same caller is refused without waiting in it, is told
// that it is our own queue and for how long, and nothing is sent; another caller has their turn.
func TestQueuesOfAllLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		client, err := New(Config{
			BaseURL: "http://127.0.0.1:8090",
			Limits:  LimitTable{{Source: graph.SourceChat, Limits: []Limit{{PerTenant, 1, time.Second}, {PerResource, 1, time.Second}}}},
			Transport: serving(func(*http.Request) (*http.Response, error) {
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
			ctx, cancel := context.WithTimeout(WithCaller(t.Context(), caller), patience)
			defer cancel()
			_, err := client.Page(ctx, graph.Request{Source: graph.SourceChat, Resource: chat, Path: "/chats/" + chat + "/messages"})
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
		if !ok || refusal.Kind != graph.KindThrottled || !refusal.Own || refusal.RetryAfter < 30*time.Second || time.Since(begin) != 0 || sent != before {
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

// serving is a transport.
type serving func(*http.Request) (*http.Response, error)

func (s serving) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }
