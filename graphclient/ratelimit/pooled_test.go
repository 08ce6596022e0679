package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/graphclient/ratelimit/pooltest"
)

// fleet is processes that share a pool, and what they sent.
type fleet struct {
	t    *testing.T
	pool *pooltest.Memory
	each []*ratelimit.Budgets
	load sync.WaitGroup

	mu   sync.Mutex
	sent []sending
}

// sending is a request that was sent.
type sending struct {
	at       time.Time
	process  int
	request  graph.Request
	waited   time.Duration
	throttle time.Duration
}

func newFleet(t *testing.T, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, pool: pooltest.NewMemory(n)}
	for range n {
		budgets := ratelimit.NewBudgets(ratelimit.DefaultLimits(), 1)
		budgets.UsePool(f.pool)
		f.each = append(f.each, budgets)
	}
	return f
}

// send sends a request, which Graph answers at once with no error or with 429.
func (f *fleet) send(ctx context.Context, process int, r graph.Request, uri string, throttle time.Duration) error {
	turn, err := f.each[process].Enter(ctx, ratelimit.Call{Request: &r, URI: uri})
	if err != nil {
		return err
	}
	defer turn.Leave(ctx)
	f.mu.Lock()
	f.sent = append(f.sent, sending{time.Now(), process, r, turn.Waited, throttle})
	f.mu.Unlock()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
	if throttle > 0 {
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", strconv.Itoa(int(throttle.Seconds())))
	}
	turn.Answered(ctx, resp)
	return nil
}

// begin sends a request in the background; it must not fail.
func (f *fleet) begin(process int, r graph.Request, uri string) {
	f.load.Go(func() {
		if err := f.send(f.t.Context(), process, r, uri, 0); err != nil {
			f.t.Error(err)
		}
	})
}

// keeps holds that no span has more requests than a limit allows.
func (f *fleet) keeps(requests int, per time.Duration, of func(sending) bool) {
	f.t.Helper()
	var at []time.Time
	for _, s := range f.sent {
		if of == nil || of(s) {
			at = append(at, s.at)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := range max(0, len(at)-requests) {
		if span := at[i+requests].Sub(at[i]); span < per {
			f.t.Errorf("%d requests within %v", requests+1, span)
			return
		}
	}
}

func (f *fleet) took() time.Duration {
	first, last := f.sent[0].at, f.sent[0].at
	for _, s := range f.sent {
		if s.at.Before(first) {
			first = s.at
		}
		if s.at.After(last) {
			last = s.at
		}
	}
	return last.Sub(first)
}

const (
	copilotURI  = "/v1.0/copilot/users/u/interactionHistory/getAllEnterpriseInteractions"
	messagesURI = "/v1.0/chats/c/messages"
	chatsURI    = "/v1.0/users/u/chats"
	exportURI   = "/v1.0/users/u/chats/getAllMessages"
	usageURI    = "/beta/reports/x"
)

// TestAFleetKeepsTheLimits holds that processes with one pool keep each limit together, and use it as well as one process does.
func TestAFleetKeepsTheLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request  graph.Request
		uri      string
		n        int
		requests int
		per      time.Duration
		most     time.Duration // that all may take
	}{
		"copilot":         {graph.Request{API: graph.APICopilot}, copilotURI, 750, 30, time.Second, 31 * time.Second},
		"export":          {graph.Request{API: graph.APIChat}, exportURI, 3000, 200, time.Second, 19 * time.Second},
		"call list":       {graph.Request{API: graph.APICall}, "/v1.0/communications/callRecords", 200, 40, 20 * time.Second, 121 * time.Second},
		"reports":         {graph.Request{API: graph.APIUsage}, usageURI, 240, 100, 10 * time.Minute, 21 * time.Minute},
		"one chat":        {graph.Request{API: graph.APIChat, Resource: "c"}, messagesURI, 60, 1, time.Second, 73 * time.Second},
		"one user's list": {graph.Request{API: graph.APIConversations, User: "u"}, chatsURI, 30, 1, time.Second, 37 * time.Second},
	} {
		for _, processes := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " ", processes), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t, processes)
					ctx, end := context.WithTimeout(t.Context(), time.Hour)
					defer end()
					for i := range c.n {
						f.load.Go(func() {
							if err := f.send(ctx, i%processes, c.request, c.uri, 0); err != nil {
								t.Error(err)
							}
						})
					}
					f.load.Wait()
					f.keeps(c.requests, c.per, nil)
					if f.took() > c.most {
						t.Errorf("%d requests took %v, more than %v", c.n, f.took(), c.most)
					}
					if asked := f.pool.Asked(); asked > 2*c.n+c.n/10 {
						t.Errorf("the pool was asked %d times for %d requests", asked, c.n)
					}
				})
			})
		}
	}
}

// TestAFleetKeepsTheLimitsOfChats holds that the limits of each chat and of the tenant are kept together, and that a chat that several processes read
// holds the others up at no process.
func TestAFleetKeepsTheLimitsOfChats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const processes, chats, each = 3, 40, 4
		f := newFleet(t, processes)
		for process := range processes {
			for chat := range chats {
				for range each {
					f.begin(process, graph.Request{API: graph.APIChat, Resource: fmt.Sprint("chat", chat)}, messagesURI)
				}
			}
		}
		f.load.Wait()
		f.keeps(20, time.Second, nil)
		for chat := range chats {
			f.keeps(1, time.Second, func(s sending) bool { return s.request.Resource == fmt.Sprint("chat", chat) })
		}
		// 480 requests at 16.6 a second.
		if took := f.took(); took > 33*time.Second {
			t.Errorf("took %v", took)
		}
		if asked := f.pool.Asked(); asked > 3*len(f.sent) {
			t.Errorf("the pool was asked %d times for %d requests", asked, len(f.sent))
		}
	})
}

// TestInteractiveRequestsGoFirstInAFleet holds that background requests which wait in each process keep no interactive one of any process waiting
// for more than the slots that were taken already.
func TestInteractiveRequestsGoFirstInAFleet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		for i := range 600 {
			f.begin(i%3, graph.Request{API: graph.APICopilot, Priority: graph.Background}, copilotURI)
		}
		for i := range 20 {
			time.Sleep(time.Second / 2)
			f.begin(i%3, graph.Request{API: graph.APICopilot, Priority: graph.Interactive}, copilotURI)
		}
		f.load.Wait()
		f.keeps(30, time.Second, nil)
		for _, s := range f.sent {
			// The slots that the head of each process has taken before, and one of each before its own.
			if s.request.Priority == graph.Interactive && s.waited > 6*time.Second/24 {
				t.Errorf("an interactive request waited %v", s.waited)
			}
		}
	})
}

// TestAFleetStopsAtOne429 holds that a 429 that one process meets stops all of them, for one limit and for a narrow and a wide one.
func TestAFleetStopsAtOne429(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		throttled, other graph.Request
		uri              string
		wait             time.Duration
	}{
		"one limit":              {graph.Request{API: graph.APICopilot}, graph.Request{API: graph.APICopilot}, copilotURI, 20 * time.Second},
		"the same user":          {graph.Request{API: graph.APIConversations, User: "a"}, graph.Request{API: graph.APIConversations, User: "a"}, chatsURI, 20 * time.Second},
		"another, as precaution": {graph.Request{API: graph.APIConversations, User: "a"}, graph.Request{API: graph.APIConversations, User: "b"}, chatsURI, 10 * time.Second},
		"no number":              {graph.Request{API: graph.APIUsers}, graph.Request{API: graph.APIUsers}, "/v1.0/users", 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				if err := f.send(t.Context(), 0, c.throttled, c.uri, 20*time.Second); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				for process := range f.each {
					f.begin(process, c.other, c.uri)
				}
				short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				var refusal *graph.Error
				if err := f.send(short, 1, c.other, c.uri, 0); c.wait == 20*time.Second && (!errors.As(err, &refusal) || refusal.Kind != graph.KindThrottled) {
					t.Errorf("a request that cannot wait: %v", err)
				}
				f.load.Wait()
				for _, s := range f.sent[1:] {
					if at := s.at.Sub(begin); at < c.wait {
						t.Errorf("process %d sent after %v", s.process, at)
					}
				}
				if took := f.took(); took > c.wait+5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestAFleetOpensTogether holds that a process which finds the wide limit open tells the others.
func TestAFleetOpensTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		of := func(user string) ratelimit.Call {
			return ratelimit.Call{Request: &graph.Request{API: graph.APIConversations, User: user}, URI: chatsURI}
		}
		if err := f.send(t.Context(), 0, *of("x").Request, chatsURI, 0); err != nil { // the probe
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		throttled, err := f.each[0].Enter(t.Context(), of("a"))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		later, err := f.each[0].Enter(t.Context(), of("b"))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		throttled.Answered(t.Context(), &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"10"}}})
		throttled.Leave(t.Context())
		f.begin(1, *of("c").Request, chatsURI)
		time.Sleep(100 * time.Millisecond)
		later.Answered(t.Context(), &http.Response{StatusCode: http.StatusOK, Header: http.Header{}})
		later.Leave(t.Context())
		f.load.Wait()
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the other process waited %v", took)
		}
	})
}

// TestAFleetGoesOnWithoutItsPool holds that a pool which fails, forgets or comes back in mid-run costs no caller an error and never lets the
// processes send more than the limit for longer than a heartbeat.
func TestAFleetGoesOnWithoutItsPool(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(*pooltest.Memory){
		"gone for good": func(p *pooltest.Memory) { p.Fail(true) },
		"gone for a while": func(p *pooltest.Memory) {
			p.Fail(true)
			time.Sleep(5 * time.Second)
			p.Fail(false)
		},
		"forgets": func(p *pooltest.Memory) { p.Forget() },
		"comes back empty": func(p *pooltest.Memory) {
			p.Fail(true)
			time.Sleep(3 * time.Second)
			p.Forget()
			p.Fail(false)
		},
		"comes and goes": func(p *pooltest.Memory) {
			for range 10 {
				p.Fail(true)
				time.Sleep(200 * time.Millisecond)
				p.Fail(false)
				time.Sleep(200 * time.Millisecond)
			}
		},
		"was never there": func(*pooltest.Memory) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 3)
				f.pool.Fail(name == "was never there")
				for i := range 500 {
					f.begin(i%3, graph.Request{API: graph.APICopilot}, copilotURI)
				}
				time.Sleep(5*time.Second + 137*time.Millisecond)
				disturb(f.pool)
				f.load.Wait()
				f.keeps(90, 3*time.Second, nil) // a heartbeat and the second of the limit
				if took := f.took(); took > 26*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
