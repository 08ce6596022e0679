package pressure_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/internal/pressure"
)

// heap is a heap of live data beside a cache's; a collection is what tells how much there is.
type heap struct {
	mu           sync.Mutex
	other, found int64
	collections  uint64
	releases     int   // collections that also gave memory back
	limit, bytes int64 // the cache's
}

func (h *heap) locked(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

func (h *heap) Bytes() (n int64) {
	h.locked(func() { n = h.bytes })
	return n
}

func (h *heap) Limit() (n int64) {
	h.locked(func() { n = h.limit })
	return n
}

func (h *heap) Resize(limit int64) {
	h.locked(func() { h.limit, h.bytes = limit, min(h.bytes, limit) })
}

func (h *heap) collect() {
	h.locked(func() {
		h.collections++
		h.found = h.other + h.bytes
	})
}

func (h *heap) release() {
	h.locked(func() { h.releases++ })
	h.collect()
}

func (h *heap) live() (found int64, collections uint64) {
	h.locked(func() { found, collections = h.found, h.collections })
	return found, collections
}

// set changes what lives beside the cache.
func (h *heap) set(other int64) { h.locked(func() { h.other = other }) }

func (h *heap) guard(log *bytes.Buffer) *pressure.Guard {
	cfg := pressure.Config{Limit: 1000, Cache: h, Heap: h.live, Collect: h.collect, Release: h.release}
	if log != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return pressure.New(cfg)
}

// TestCacheGivesWayFirst: live data makes the cache shrink, then streams be refused, then calls; a full cache refuses nobody.
func TestCacheGivesWayFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heap{limit: 320, bytes: 320}
		g := h.guard(nil)
		time.Sleep(time.Second)
		for _, c := range []struct {
			other, cache   int64
			streams, calls bool
			shedding       bool
		}{
			{100, 320, false, false, false},
			{380, 320, false, false, false},
			{390, 320, false, false, false}, // a trifle
			{500, 200, false, false, true},
			{690, 0, false, false, true},
			{750, 0, false, false, true},
			{751, 0, true, false, true},
			{851, 0, true, true, true},
			{600, 100, false, false, true},
			{100, 320, false, false, false},
		} {
			h.other = c.other
			h.bytes = h.limit
			h.collect()
			time.Sleep(time.Second)
			if s, r := g.RefusesStreams(), g.RefusesCalls(); s != c.streams || r != c.calls {
				t.Errorf("%d of 1000 beside the cache: streams refused %t, calls %t", c.other, s, r)
			}
			if n := h.limit; n < c.cache-20 || n > c.cache+20 || g.Shedding() != c.shedding {
				t.Errorf("%d of 1000 beside the cache: the cache may take %d, want about %d; shedding %t", c.other, n, c.cache, g.Shedding())
			}
		}
	})
}

// TestNobodyIsRefusedForWhatIsGone: locked out after load. The last collection saw a full heap, all of it has
// gone since, and nothing else would make the runtime collect.
func TestNobodyIsRefusedForWhatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heap{limit: 250, bytes: 250, other: 900}
		g := h.guard(nil)
		h.collect()
		time.Sleep(time.Second)
		if !g.RefusesStreams() || !g.RefusesCalls() {
			t.Fatal("a full heap refuses nobody")
		}
		h.other = 50
		time.Sleep(time.Second)
		before := h.collections
		if g.RefusesStreams() || g.RefusesCalls() {
			t.Error("refused for what is gone")
		}
		if n := h.collections - before; n != 1 {
			t.Errorf("%d collections to find that out", n)
		}
		h.other = 900
		h.collect()
		time.Sleep(time.Second)
		before = h.collections
		for range 1000 {
			g.RefusesStreams()
		}
		if n := h.collections - before; n > 1 {
			t.Errorf("%d collections for calls that come together", n)
		}
	})
}

// TestACollectionDelaysNobodyWhoIsNotRefused: while a collection runs for a stream that would be refused, calls that are not refused
// begin at once.
func TestACollectionDelaysNobodyWhoIsNotRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heap{limit: 500}
		g := pressure.New(pressure.Config{Limit: 1000, Cache: h, Heap: h.live, Collect: func() {
			time.Sleep(time.Second)
			h.collect()
		}})
		h.set(800)
		h.collect()
		g.RefusesCalls() // looks at the heap
		time.Sleep(time.Second)
		began, stream := time.Now(), make(chan bool, 1)
		go func() { stream <- g.RefusesStreams() }()
		synctest.Wait()
		if g.RefusesCalls() || !g.Shedding() || time.Since(began) != 0 {
			t.Errorf("a call is refused, or waited for %v", time.Since(began))
		}
		if _, collections := h.live(); !<-stream || time.Since(began) != time.Second || collections != 1 {
			t.Errorf("a stream is not refused, or after %v; %d collections before", time.Since(began), collections)
		}
	})
}

// TestGuardLooksByItself: streams that run already may fill the heap without any new call; the log tells once when shedding
// begins and once when it ends.
func TestGuardLooksByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := &heap{limit: 250, bytes: 250, other: 100}
		g := h.guard(&log)
		g.Start()
		defer g.Close()
		for range 3 {
			h.set(660)
			h.collect()
			time.Sleep(time.Second)
			synctest.Wait()
			if !g.Shedding() || h.Limit() > 50 {
				t.Errorf("the cache may take %d, shedding %t", h.Limit(), g.Shedding())
			}
			h.set(100)
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if g.Shedding() || h.Limit() != 250 {
				t.Errorf("after the load: the cache may take %d, shedding %t", h.Limit(), g.Shedding())
			}
		}
		if n := strings.Count(log.String(), "\n"); n != 6 || strings.Count(log.String(), "memory is short") != 3 {
			t.Errorf("log:\n%s", log.String())
		}
	})
}

// TestTune: a full cache takes little more than itself. The more lives, the smaller the part of it that
// garbage may take, and the collector is not told the same again and again.
func TestTune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		h := &heap{}
		var told []int
		g := pressure.New(pressure.Config{Heap: h.live, Collect: h.collect, Release: h.release})
		g.Tune(func(percent int) int {
			told = append(told, percent)
			return 0
		})
		g.Start()
		for _, live := range []int64{0, 10 * mib, 40 * mib, 41 * mib, 100 * mib, 320 * mib, 325 * mib, 20_000 * mib} {
			h.set(live)
			h.collect()
			time.Sleep(time.Second)
		}
		g.Close()
		if want := []int{100, 60, 48, 42}; !slices.Equal(told, want) {
			t.Errorf("percentages %v, want %v", told, want)
		}
	})
}

// TestMemoryIsGivenBackAfterWork: after work has ended, what it held is found to be garbage within seconds and given back, without the collections
// that further work would cause. Memory that is still held is looked for ever more rarely, and a small heap is left alone.
func TestMemoryIsGivenBackAfterWork(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, c := range map[string]struct {
		during, behind int64
		least, most    uint64 // collections in five minutes
	}{
		"streams have ended":    {300 * mib, 10 * mib, 1, 1},
		"slow readers hold all": {300 * mib, 300 * mib, 3, 6},
		"a small heap":          {40 * mib, 10 * mib, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &heap{limit: 128 * mib, bytes: 128 * mib, other: c.during}
				g := pressure.New(pressure.Config{Limit: 4096 * mib, Cache: h, Heap: h.live, Collect: h.collect, Release: h.release})
				h.collect()
				g.Start()
				time.Sleep(time.Second)
				h.set(c.behind)
				time.Sleep(5 * time.Minute)
				g.Close()
				asked := h.collections - 1
				if asked < c.least || asked > c.most {
					t.Errorf("%d collections were asked for, want %d to %d", asked, c.least, c.most)
				}
				if uint64(h.releases) != asked {
					t.Errorf("%d of %d collections gave memory back to the operating system, want all", h.releases, asked)
				}
			})
		})
	}
}

// TestGuardOfTheRuntime: the runtime's own heap against limits that it surely keeps and surely exceeds.
func TestGuardOfTheRuntime(t *testing.T) {
	t.Parallel()
	runtime.GC() // before the first collection nothing is known
	for limit, want := range map[int64]bool{0: false, 1 << 40: false, 1: true} {
		g := pressure.New(pressure.Config{Limit: limit})
		if g.RefusesStreams() != want || g.RefusesCalls() != want || g.Shedding() != want {
			t.Errorf("limit %d: refuses streams %t, calls %t, sheds %t", limit, g.RefusesStreams(), g.RefusesCalls(), g.Shedding())
		}
	}
	var none *pressure.Guard
	if none.RefusesStreams() || none.RefusesCalls() || none.Shedding() {
		t.Error("no guard refuses")
	}
}
