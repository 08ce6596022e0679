package graphclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

func copilotOf(user string) graph.Request {
	return graph.Request{API: graph.APICopilot, Path: "/copilot/users/" + user, User: user, Priority: graph.Background}
}

// TestCallersTakeTurns lets one caller ask for everything at once: a second one that comes later with few requests is not
// behind all of it.
func TestCallersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fakeClient(t, findNothing, func(cfg *graphclient.Config) { cfg.Limits = ratelimit.DefaultLimits() })
		var all sync.WaitGroup
		ask := func(caller string, n int) (took func() time.Duration) {
			var own sync.WaitGroup
			begin, end := time.Now(), time.Time{}
			for range n {
				own.Go(func() {
					if _, err := client.Page(ratelimit.WithCaller(t.Context(), caller), copilotOf("u")); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() { own.Wait(); end = time.Now() })
			return func() time.Duration { return end.Sub(begin) }
		}
		greedy := ask("greedy", 500)
		time.Sleep(time.Second)
		modest := ask("modest", 10)
		all.Wait()
		// 20 turns of a budget of 24.9 a second.
		if took := modest(); took > time.Second {
			t.Errorf("10 requests beside 500 took %v", took)
		}
		if took := greedy(); took < 19*time.Second {
			t.Errorf("500 requests took %v, less than the budget", took)
		}
	})
}

func TestACallersDayEndsAtMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		client := fakeClient(t, func(*http.Request) (*http.Response, error) {
			if sent++; sent == 2 {
				return answer(503, ""), nil
			}
			return answer(200, emptyPage), nil
		}, func(cfg *graphclient.Config) { cfg.CallerDay = 3 })
		ask := func(caller string) error {
			_, err := client.Page(ratelimit.WithCaller(t.Context(), caller), copilotOf("u"))
			return err
		}
		time.Sleep(18 * time.Hour) // the clock begins at midnight UTC
		for range 2 {              // three requests: one is repeated
			if err := ask("a"); err != nil {
				t.Fatal(err)
			}
		}
		err := ask("a")
		var refused *graph.Error
		if !errors.As(err, &refused) || refused.Kind != graph.KindCallerLimit || refused.Requests != 0 ||
			refused.RetryAfter > 6*time.Hour || refused.RetryAfter < 6*time.Hour-time.Minute {
			t.Errorf("over the limit: %v", err)
		}
		if sent != 3 {
			t.Errorf("%d requests, want 3", sent)
		}
		if err := errors.Join(ask("b"), ask("")); err != nil {
			t.Errorf("others are refused: %v", err)
		}
		ctx, cancel := context.WithCancel(ratelimit.WithCaller(t.Context(), "c"))
		cancel()
		for range 9 {
			if _, err := client.Page(ctx, copilotOf("u")); err == nil {
				t.Error("a call that was over got an answer")
			}
		}
		if err := ask("c"); err != nil {
			t.Errorf("requests that were not sent were counted: %v", err)
		}
		time.Sleep(6 * time.Hour)
		if err := ask("a"); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
}

// TestARouteThatAsksForPaymentIsLeftAlone asks routes of which one wants to be paid.
func TestARouteThatAsksForPaymentIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		var mu sync.Mutex
		status := 402
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(r.URL.Opaque, "getAllMessages") {
				return answer(200, emptyPage), nil
			}
			asked["export"]++
			body := emptyPage
			if status >= 400 {
				body = `{"error":{"code":"PaymentRequired","message":"Evaluation capacity for the month has exceeded."}}`
			}
			resp := answer(status, body, "request-id", "r1")
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			return resp, nil
		}, func(cfg *graphclient.Config) { cfg.Limits = ratelimit.DefaultLimits() })
		export := graph.Request{API: graph.APIChat, Path: "/users/u/chats/getAllMessages", User: "u"}
		ask := func() (string, time.Duration) {
			begin := time.Now()
			_, err := client.Page(t.Context(), export)
			if graphErr, ok := errors.AsType[*graph.Error](err); ok {
				return fmt.Sprint(graphErr.Kind, " ", graphErr.Code, " ", graphErr.RequestID, " ", graphErr.RetryAfter), time.Since(begin)
			}
			return fmt.Sprint(err), time.Since(begin)
		}
		expect := func(step, want string, at int, fast bool) {
			t.Helper()
			got, took := ask()
			if got != want || asked["export"] != at || fast != (took == 0) {
				t.Errorf("%s: %s after %d requests and %v, want %s after %d", step, got, asked["export"], took, want, at)
			}
		}
		const unpaid = "payment required PaymentRequired r1 0s"
		expect("first", unpaid, 1, false)
		expect("open", unpaid, 1, true)
		if _, err := client.Page(t.Context(), graph.Request{API: graph.APIChat, Path: "/chats/c/messages", Resource: "c"}); err != nil {
			t.Errorf("another route: %v", err)
		}
		time.Sleep(ratelimit.DefaultPaymentPause)
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { ask() })
		}
		group.Wait()
		if asked["export"] != 2 {
			t.Errorf("half open: %d requests, want one more", asked["export"])
		}
		expect("open again", unpaid, 2, true)
		time.Sleep(ratelimit.DefaultPaymentPause)
		mu.Lock()
		status = 503
		mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		if _, err := client.Page(ctx, export); err == nil {
			t.Error("503 is no answer")
		}
		cancel()
		mu.Lock()
		status = 200
		mu.Unlock()
		n := asked["export"]
		expect("paid", "<nil>", n+1, false)
		expect("closed", "<nil>", n+2, false)
		now := func(s int) {
			mu.Lock()
			defer mu.Unlock()
			status = s
		}
		now(402)
		expect("unpaid again", unpaid, n+3, false)
		time.Sleep(ratelimit.DefaultPaymentPause)
		now(200)
		// Windows are read side by side: none is refused because another call goes ahead.
		for range 50 {
			group.Go(func() {
				if got, _ := ask(); got != "<nil>" {
					t.Errorf("paid meanwhile: %s", got)
				}
			})
		}
		group.Wait()
		if asked["export"] != n+53 {
			t.Errorf("%d requests, want 50", asked["export"]-n-3)
		}
	})
}
