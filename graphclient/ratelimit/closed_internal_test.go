package ratelimit

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestALimitThatOnlyAsksToWaitIsGivenUp has Graph ask for a minute again and again. Background requests are refused after ten minutes in all, those
// that wait as well as those that come; a call that has the time waits. An answer, or a time in which nobody asks, begins the ten minutes anew.
func TestALimitThatOnlyAsksToWaitIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		patient := &graph.Request{Priority: graph.Background, Patience: time.Hour}
		b := newBudget(0, 1)
		meet := func() (waited time.Duration, refused bool) {
			start := time.Now()
			probe, tooLong, err := b.acquire(t.Context(), patient)
			if err != nil {
				t.Fatal(err)
			}
			if tooLong > 0 {
				return time.Since(start), true
			}
			b.spend()
			b.close(time.Minute, "")
			b.release(probe, false, time.Now())
			return time.Since(start), false
		}
		storm := func() {
			t.Helper()
			start := time.Now()
			for n := 0; ; n++ {
				waited, refused := meet()
				if took := time.Since(start); refused && (n != 11 || waited != 0 || took != maxClosed) || n > 11 {
					t.Errorf("refused: %t, after %d requests and %v, the last of which took %v", refused, n, took, waited)
				}
				if refused || n > 11 {
					return
				}
			}
		}
		storm()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if wait, err := pass(ctx, b, graph.Interactive); wait > 0 || err != nil { // is answered
			t.Errorf("a call with time: %v, %v", wait, err)
		}
		storm()
		time.Sleep(3 * time.Minute)
		storm()
		time.Sleep(time.Minute)
		var refused atomic.Int64
		for range 5 { // one goes ahead, the others wait behind the gate that it closes
			go func() {
				if _, no := meet(); no {
					refused.Add(1)
				}
			}()
		}
		synctest.Wait()
		if refused.Load() != 4 {
			t.Errorf("%d of those who wait are refused, want 4", refused.Load())
		}
	})
}
