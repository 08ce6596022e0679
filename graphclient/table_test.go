package graphclient_test

import (
	"context"
	"fmt"
	"math"
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

// enforcer is a Graph that enforces one row of the table as published, in fixed windows of time, and for three seconds
// answers nothing but 429. A request's path names its user and resource.
type enforcer struct {
	row         ratelimit.LimitRow
	from, until time.Time // answers are 429
	download    bool

	mu      sync.Mutex
	counted map[period]int
	refused int
	served  int
}

// period is what a limit counts the requests of.
type period struct {
	scope ratelimit.Scope
	of    string // the user or the resource
	begin int64
}

func (g *enforcer) roundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(4 * time.Millisecond)
	_, names, _ := strings.Cut(r.URL.Opaque, "/u/")
	user, rest, _ := strings.Cut(names, "/r/")
	resource, _, _ := strings.Cut(rest, "/")
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	over := !now.Before(g.from) && now.Before(g.until)
	for _, l := range g.row.Limits {
		id := period{scope: l.Scope, begin: now.Truncate(l.Per).UnixNano()}
		switch l.Scope {
		case ratelimit.PerUser:
			id.of = user
		case ratelimit.PerResource:
			id.of = resource
		case ratelimit.PerTenant:
		}
		g.counted[id]++
		over = over || g.counted[id] > l.Requests
	}
	if over {
		g.refused++
		return answer(http.StatusTooManyRequests, "", "Retry-After", "3"), nil
	}
	g.served++
	if g.download {
		return answer(http.StatusOK, "a,b\n", "Content-Type", "text/csv"), nil
	}
	return answer(http.StatusOK, emptyPage), nil
}

// TestEveryLimitUnderLoad lets 200 callers run into each limit of the table in turn: Graph has to say 429 once, and the
// callers take no longer than the budget allows.
func TestEveryLimitUnderLoad(t *testing.T) {
	t.Parallel()
	const (
		callers = 200
		load    = 24 * time.Second // of work for the budget, at least
	)
	table := ratelimit.DefaultLimits()
	for n, row := range table {
		for _, limit := range row.Limits {
			scope := []string{"tenant", "user", "resource"}[limit.Scope]
			t.Run(fmt.Sprintf("%d %s%s per %s", n, row.API, row.Suffix, scope), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					budget := 0.83 * float64(limit.Requests) / limit.Per.Seconds()
					each := max(1, int(math.Ceil(load.Seconds()*budget/callers)))
					g := &enforcer{row: row, download: row.Download, counted: map[period]int{}}
					g.from = time.Now().Add(5 * time.Second)
					if limit.Per >= time.Minute { // all that may be sent at once is
						g.from = time.Now()
					}
					g.until = g.from.Add(3 * time.Second)
					client := fakeClient(t, g.roundTrip, func(cfg *graphclient.Config) { cfg.Limits = table })
					begin := time.Now()
					patient, end := context.WithTimeout(t.Context(), 24*time.Hour) // without one, nobody waits minutes
					defer end()
					var all sync.WaitGroup
					for caller := range callers {
						all.Go(func() {
							ctx := ratelimit.WithCaller(patient, fmt.Sprint("caller ", caller))
							request := ofRow(row, limit.Scope, caller)
							for range each {
								if err := ask(ctx, client, request, row.Download); err != nil {
									t.Errorf("caller %d: %v", caller, err)
									return
								}
							}
						})
					}
					all.Wait()
					bound := time.Duration(1.2 * callers * float64(each) / budget * float64(time.Second))
					if took := time.Since(begin); took > bound {
						t.Errorf("%d requests took %v, at most %v", callers*each, took, bound)
					}
					if g.served != callers*each || g.refused != 1 {
						t.Errorf("%d of %d served, %d answers 429, want 1", g.served, callers*each, g.refused)
					}
					t.Logf("%d requests in %v of %v", g.served, time.Since(begin), bound)
				})
			})
		}
	}
}

// ofRow is a caller's request that counts against a row. What the scope names is one and the same for all callers, all else is
// each caller's own.
func ofRow(row ratelimit.LimitRow, scope ratelimit.Scope, caller int) graph.Request {
	own := fmt.Sprint("own", caller)
	r := graph.Request{API: row.API, User: own, Priority: graph.Background}
	if row.Resource {
		r.Resource = own
	}
	for _, l := range row.Limits {
		if l.Scope == ratelimit.PerResource {
			r.Resource = own
		}
	}
	switch scope {
	case ratelimit.PerUser:
		r.User = "one"
	case ratelimit.PerResource:
		r.Resource = "one"
	case ratelimit.PerTenant:
	}
	r.Path = "/u/" + r.User + "/r/" + r.Resource + row.Suffix
	if row.Suffix == "" {
		r.Path += "/x"
	}
	return r
}

// ask makes one call of the kind that a row counts.
func ask(ctx context.Context, client *graphclient.Client, request graph.Request, download bool) error {
	if !download {
		_, err := client.Page(ctx, request)
		return err
	}
	report, err := client.Download(ctx, request)
	if err != nil {
		return err
	}
	return report.Body.Close()
}

// TestOneUsersLimitStopsNobodyElse lets Graph throttle one of 200 users for longer than any precaution lasts: it says so once
// or twice, and the others lose no more than moments.
func TestOneUsersLimitStopsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 14457 * time.Millisecond // 1.2 × 2000 requests ÷ 166 a second
		row := ratelimit.LimitRow{API: graph.APIConversations, Limits: []ratelimit.Limit{
			{Scope: ratelimit.PerTenant, Requests: 200, Per: time.Second}, {Scope: ratelimit.PerUser, Requests: 1, Per: time.Second},
		}}
		var mu sync.Mutex
		refused, last := 0, time.Time{}
		begin := time.Now()
		client := fakeClient(t, func(r *http.Request) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(r.URL.Opaque, "/u/own7/") && time.Since(begin) < time.Minute {
				refused++
				return answer(http.StatusTooManyRequests, "", "Retry-After", "30"), nil
			}
			if !strings.Contains(r.URL.Opaque, "/u/own7/") {
				last = time.Now()
			}
			return answer(http.StatusOK, emptyPage), nil
		}, func(cfg *graphclient.Config) { cfg.Limits = ratelimit.LimitTable{row} })
		var all sync.WaitGroup
		start := func(caller int) {
			all.Go(func() {
				for range 10 {
					if err := ask(t.Context(), client, ofRow(row, ratelimit.PerTenant, caller), false); err != nil {
						t.Errorf("caller %d: %v", caller, err)
						return
					}
				}
			})
		}
		// The first request of all goes alone. Were it the refused one, no other answer would show that its limit alone is meant, and the
		// precaution would hold the others for its ten seconds.
		start(0)
		synctest.Wait()
		for caller := range 199 {
			start(caller + 1)
		}
		all.Wait()
		if refused < 1 || refused > 2 {
			t.Errorf("%d answers 429 in a minute", refused)
		}
		if took := last.Sub(begin); took > bound {
			t.Errorf("the other users took %v, at most %v", took, bound)
		}
	})
}
