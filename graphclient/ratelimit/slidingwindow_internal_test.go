package ratelimit

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestNoSpanOfALongLimitHoldsMore keeps limits that are counted over minutes: as many requests as are allowed go out at once, no span of
// that length holds more, and who cannot wait is told at once for how long.
func TestNoSpanOfALongLimitHoldsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 11 // 83 % of 14
		limit := Limit{PerTenant, 14, 10 * time.Minute}
		b := limit.budget(1)
		begin := time.Now()
		sent := make([]time.Time, 0, 60)
		patient, end := context.WithTimeout(t.Context(), 24*time.Hour)
		defer end()
		r := rand.New(rand.NewPCG(1, 2))
		for n := range 60 {
			if n >= most {
				time.Sleep(time.Duration(r.Int64N(int64(3 * time.Minute))))
			}
			if wait, err := pass(patient, b, graph.Interactive); err != nil || wait > 0 {
				t.Fatal(wait, err)
			}
			sent = append(sent, time.Now())
			if n == most-1 && time.Since(begin) != 0 {
				t.Errorf("the first %d took %v", most, time.Since(begin))
			}
			if n >= most && sent[n].Sub(sent[n-most]) < limit.Per {
				t.Errorf("%d requests within %v", most+1, sent[n].Sub(sent[n-most]))
			}
		}
		time.Sleep(limit.Per)
		if !b.idle(time.Now()) {
			t.Error("not idle after a whole span")
		}
		for range most {
			if _, err := pass(t.Context(), b, graph.Interactive); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if wait, err := pass(ctx, b, graph.Interactive); err != nil || wait != 9*time.Minute {
			t.Errorf("one more: wait %v, %v", wait, err)
		}
	})
}

// TestNobodyWaitsOverAMinuteForALongLimit holds that nobody without a deadline waits over a minute for a limit that is counted over minutes: who
// would, streams and downloads too, is told the time at once, and who waits less gets a turn.
func TestNobodyWaitsOverAMinuteForALongLimit(t *testing.T) {
	t.Parallel()
	for priority, free := range map[graph.Priority]int{graph.Interactive: 11, graph.Background: 10} {
		synctest.Test(t, func(t *testing.T) {
			b := Limit{PerTenant, 14, 10 * time.Minute}.budget(1)
			begin := time.Now()
			for range free {
				if wait, err := pass(t.Context(), b, priority); err != nil || wait > 0 {
					t.Fatal(wait, err)
				}
			}
			for _, step := range []struct{ after, wait time.Duration }{{0, 10 * time.Minute}, {8 * time.Minute, 2 * time.Minute}} {
				time.Sleep(step.after)
				asked := time.Now()
				if wait, err := pass(t.Context(), b, priority); err != nil || wait != step.wait || time.Since(asked) > 0 {
					t.Errorf("priority %v, %v after the first: wait %v, %v, told after %v", priority, asked.Sub(begin), wait, err, time.Since(asked))
				}
			}
			time.Sleep(time.Minute)
			if wait, err := pass(t.Context(), b, priority); err != nil || wait != 0 || time.Since(begin) != 10*time.Minute {
				t.Errorf("priority %v: wait %v, %v, a turn after %v", priority, wait, err, time.Since(begin))
			}
		})
	}
}
