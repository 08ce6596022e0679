package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestASlowBudgetIsNoQueueOfThousands: a chat's budget is one request a second. Whoever cannot be served before the deadline is told
// so at once, whoever is not told so is served, and it does not matter whether one caller asks or a thousand do. A few may wait
// in vain, since a caller who comes later has their turn before another one's second.
func TestASlowBudgetIsNoQueueOfThousands(t *testing.T) {
	t.Parallel()
	const calls, deadline = 1000, 2 * time.Minute
	for name, callers := range map[string]int{"one caller": 1, "ten callers": 10, "a thousand callers": calls} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(1, 1)
				b.halfOpen = false
				var refused, served, late atomic.Int64
				begin := time.Now()
				var group sync.WaitGroup
				for i := range calls {
					group.Go(func() {
						ctx, cancel := context.WithTimeout(WithCaller(t.Context(), fmt.Sprint("caller", i%callers)), deadline)
						defer cancel()
						probe, wait, err := b.acquire(ctx, &graph.Request{})
						switch {
						case err != nil:
							late.Add(1)
						case wait > 0 && time.Since(begin) > 0:
							late.Add(1)
						case wait > 0:
							refused.Add(1)
						default:
							b.spend()
							b.release(probe, true, time.Now())
							served.Add(1)
						}
					})
				}
				group.Wait()
				// 120 seconds serve 120 calls, and every other call but those in vain is refused at once.
				if inVain := int64(calls / 50); refused.Load() < calls-120-inVain || served.Load() < 100 || late.Load() > inVain {
					t.Errorf("%d refused at once, %d served, %d waited in vain", refused.Load(), served.Load(), late.Load())
				}
			})
		})
	}
}
