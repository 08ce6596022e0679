package graphclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// throttler answers 429 until a time, as Graph does: coming back early is
// counted.
type throttler struct {
	until     time.Time
	throttled atomic.Int32
	served    atomic.Int32
}

func (g *throttler) roundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(20 * time.Millisecond)
	if left := time.Until(g.until); left > 0 && !strings.HasSuffix(r.URL.Opaque, "/calm") {
		g.throttled.Add(1)
		return answer(429, "", "Retry-After", strconv.Itoa(int(left.Seconds())+1)), nil
	}
	g.served.Add(1)
	return answer(200, emptyPage), nil
}

func TestManyCallersCauseOne429(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request graph.Request
		warm    bool // one call has met the 429 before the others come
	}{
		"per user":                    {graph.Request{API: "conversations", Path: "/users/u/chats", User: "u", Priority: graph.Background}, false},
		"per tenant, after the first": {graph.Request{API: "copilot", Path: "/x", User: "u", Priority: graph.Background}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := &throttler{until: time.Now().Add(7 * time.Second)}
				client := fakeClient(t, g.roundTrip, func(cfg *graphclient.Config) { cfg.Limits = ratelimit.DefaultLimits() })
				var wg sync.WaitGroup
				call := func() {
					if _, err := client.Page(t.Context(), c.request); err != nil {
						t.Error(err)
					}
				}
				if c.warm {
					wg.Go(call)
					time.Sleep(time.Second)
				}
				for range 200 {
					wg.Go(call)
				}
				wg.Wait()
				if n := g.throttled.Load(); n != 1 {
					t.Errorf("%d answers 429, want 1", n)
				}
				if g.served.Load() < 200 {
					t.Errorf("%d served", g.served.Load())
				}
			})
		})
	}
}

func TestColdBurstMeetsOne429(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &throttler{until: time.Now().Add(7 * time.Second)}
		client := fakeClient(t, g.roundTrip, func(cfg *graphclient.Config) { cfg.Limits = ratelimit.DefaultLimits() })
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := client.Page(t.Context(), graph.Request{API: "copilot", Path: "/x"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := g.throttled.Load(); n != 1 {
			t.Errorf("%d answers 429, want 1", n)
		}
	})
}

func TestNoLimitsStillHaveAGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &throttler{until: time.Now().Add(7 * time.Second)}
		client := fakeClient(t, g.roundTrip)
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := client.Page(t.Context(), chats()); err != nil || time.Since(start) < 7*time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		}
		time.Sleep(time.Second)
		// Another API is not held up by this one.
		if _, err := client.Page(t.Context(), graph.Request{API: "users", Path: "/calm"}); err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		wg.Wait()
		if n := g.throttled.Load(); n != 1 {
			t.Errorf("%d answers 429, want 1", n)
		}
	})
}

// recorder is an Observer.
type recorder struct {
	mu       sync.Mutex
	requests []string
	waits    []time.Duration
	logins   []bool
}

func (o *recorder) GraphRequest(_ context.Context, api string, status int, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, fmt.Sprint(api, " ", status, " ", took))
}

func (o *recorder) GraphWait(api string, waited time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waits = append(o.waits, waited)
}

func (o *recorder) CredentialState(ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.logins = append(o.logins, ok)
}

func TestAnObserverSeesRequestsAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []func() (*http.Response, error){
			say(429, "", "Retry-After", "3"), breaks(errors.New("broken")), say(200, emptyPage),
		}}
		o := &recorder{}
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Millisecond)
			return s.roundTrip(r)
		}, func(cfg *graphclient.Config) { cfg.Observer, cfg.Credential = o, &tokens{} })
		if _, err := client.Page(t.Context(), chats()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(o.requests); got != "[chat 429 5ms chat 0 5ms chat 200 5ms]" {
			t.Errorf("requests %s", got)
		}
		if len(o.waits) != 2 || o.waits[0] != 3*time.Second || o.waits[1] < 250*time.Millisecond {
			t.Errorf("waits %v", o.waits)
		}
		if fmt.Sprint(o.logins) != "[true]" {
			t.Errorf("logins %v", o.logins)
		}
	})
}
