//go:build !race

package cachebench_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

func heapInUse() int64 {
	for range 3 { // finalizers and pools take more than one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestResidentMemory has streams and lists fill a cache with several times what it may hold, of pages and of the windows
// and answers that are made of them. What the cache keeps of them varies a little, so the middle one of several caches counts. It is not
// parallel: others would be counted.
//
//nolint:paralleltest // see above
func TestResidentMemory(t *testing.T) {
	const size, users, most, caches = 16 << 20, 60, 1.1, 5
	var live []int64
	for range caches {
		play(t, now, size, daysAgo(30), 30*time.Minute, func(h *setup) {
			before := heapInUse()
			for i := range users {
				user := fmt.Sprint("u", i)
				h.stream(user, daysAgo(30), daysAgo(1))
				token := ""
				for range 10 {
					token = h.list(user, daysAgo(30), daysAgo(1), token, 50)
				}
				h.list(fmt.Sprint("u", i/2), daysAgo(30), daysAgo(20), "", 100)
			}
			clear(h.times)
			live = append(live, heapInUse()-before)
			if counted := h.cache.Bytes(); counted < size*8/10 || counted > size+size/20 {
				t.Errorf("a full cache of %d bytes counts %d", size, counted)
			}
		})
	}
	slices.Sort(live)
	t.Logf("limit %d bytes, live heap %d", size, live)
	if got := float64(live[caches/2]) / size; got > most {
		t.Errorf("a full cache takes %.2f times its limit, at most %.2f are allowed", got, most)
	}
}
