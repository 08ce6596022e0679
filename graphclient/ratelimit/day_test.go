package ratelimit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/graphclient/ratelimit/pooltest"
)

// TestACallerHasOneDayInAllProcesses holds that a caller has one day in all processes, and that a pool which fails leaves each process its part of what
// remained.
func TestACallerHasOneDayInAllProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := pooltest.NewMemory(3)
		days := make([]*ratelimit.Days, 3)
		for i := range days {
			days[i] = ratelimit.NewDays(30)
			days[i].UsePool(pool)
		}
		take := func(n int, caller string) (taken int) {
			for i := range n {
				if wait, _ := days[i%3].Take(t.Context(), caller, time.Now()); wait == 0 {
					taken++
				}
			}
			return taken
		}
		if taken := take(60, "a"); taken != 30 {
			t.Errorf("%d of a day of 30", taken)
		}
		_, giveBack := days[1].Take(t.Context(), "d", time.Now())
		if taken := take(60, "d"); taken != 29 {
			t.Errorf("%d of 29 that remain", taken)
		}
		pool.Fail(true)
		giveBack() // the pool does not hear it, and nobody has counted it
		pool.Fail(false)
		if taken := take(3, "d"); taken != 0 {
			t.Errorf("%d that the pool has counted", taken)
		}
		_, giveBack = days[1].Take(t.Context(), "e", time.Now())
		giveBack()
		if taken := take(60, "e"); taken != 30 {
			t.Errorf("%d after one was given back", taken)
		}
		if taken := take(12, "b"); taken != 12 {
			t.Errorf("%d of 12", taken)
		}
		pool.Fail(true)
		// 20, 19 and 18 remained when they last asked.
		if taken := take(60, "b"); taken != 7+7+6 {
			t.Errorf("%d of 18 that remain", taken)
		}
		if taken := take(60, "c"); taken != 30 {
			t.Errorf("%d of a caller whom the pool has not seen", taken)
		}
		time.Sleep(24 * time.Hour)
		if taken := take(60, "b"); taken != 30 {
			t.Errorf("%d on the next day", taken)
		}
	})
}
