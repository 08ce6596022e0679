package admission_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/server/admission"
)

func TestACallerAboveTheRateWaits(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	rates := admission.NewRates(2, 3, func() time.Time { return now })
	for i := range 3 {
		if wait := rates.Take("a"); wait != 0 {
			t.Errorf("call %d of the burst waits %s", i+1, wait)
		}
	}
	for range 5 {
		// Refused calls take nothing, so the wait does not grow.
		if wait := rates.Take("a"); wait != 500*time.Millisecond {
			t.Errorf("beyond the burst: %s", wait)
		}
	}
	if wait := rates.Take("b"); wait != 0 {
		t.Errorf("another caller waits %s", wait)
	}
	now = now.Add(500 * time.Millisecond)
	if first, second := rates.Take("a"), rates.Take("a"); first != 0 || second == 0 {
		t.Errorf("after the wait: %s and %s", first, second)
	}
	var none *admission.Rates
	if none.Take("a") != 0 || admission.NewRates(0, 0, nil).Take("a") != 0 {
		t.Error("no bound refuses")
	}
}

func TestRatesForgetTheLeastRecent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	rates := admission.NewRates(1, 1, func() time.Time { return now })
	if rates.Take("a") != 0 || rates.Take("z") != 0 {
		t.Fatal("the first call was refused")
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 2499 {
				rates.Take(strconv.Itoa(i*10000 + j))
				rates.Take("a") // stays known
			}
		})
	}
	group.Wait()
	for i := range 10 {
		rates.Take("more" + strconv.Itoa(i))
	}
	if rates.Take("a") == 0 {
		t.Error("a caller who calls all the time was forgotten")
	}
	if rates.Take("z") != 0 {
		t.Error("the caller who was seen first is still remembered")
	}
}
