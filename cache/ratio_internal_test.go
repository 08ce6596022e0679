//go:build !race

package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The race detector makes sync.Pool forget, and with it how often ristretto was asked for a page; hence the build tag.

// The patterns below count pages of 64 KiB, as chat pages are, in a cache of 64 MiB: about a thousand.
const (
	ratioBytes = 64 << 20
	ratioPage  = 64 << 10
	ratioHolds = ratioBytes / ratioPage
)

// fetcher fetches values that share one array, and counts them.
type fetcher struct{ fetched int }

func (f *fetcher) get(tb testing.TB, c *Cache, user string, n int) Answer[string] {
	tb.Helper()
	key := NewKey("page")
	key.Text(user)
	key.Number(int64(n))
	answer, err := Get(tb.Context(), c, Request[string]{Label: "chat", Key: key, Fetch: func(context.Context) (Fetched[string], error) {
		f.fetched++
		return Fetched[string]{Value: user, Life: time.Hour, Size: ratioPage - 1024}, nil
	}})
	if err != nil {
		tb.Fatal(err)
	}
	if !answer.Cached {
		c.store.ristretto.Wait()
	}
	return answer
}

// player counts the hits of one pattern.
type player struct {
	tb    testing.TB
	cache *Cache
	fetcher
	hits  map[string]int
	reads map[string]int
}

// ratioCache is a cache of the patterns' size. Without its LRUs everything hangs on ristretto alone.
func ratioCache(tb testing.TB, lru bool) *player {
	tb.Helper()
	c, err := New(Config{MaxBytes: ratioBytes})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	if !lru {
		c.store.queue = newTwoQueue(0, c.store.countReads)
		c.store.ristretto.UpdateMaxCost(ratioBytes)
	}
	return &player{tb: tb, cache: c, hits: map[string]int{}, reads: map[string]int{}}
}

// page reads page n of a user. Graph takes 100 ms for one, so that ristretto has taken over what it was given before.
func (r *player) page(as, user string, n int) {
	r.tb.Helper()
	r.reads[as]++
	if r.get(r.tb, r.cache, user, n).Cached {
		r.hits[as]++
	}
}

func (r *player) ratio(as string) float64 { return float64(r.hits[as]) / float64(max(r.reads[as], 1)) }

// patterns of readers. floor is the hit ratio, of the reads of the name, that a cache must reach.
var patterns = []struct {
	name, of string
	floor    float64
	run      func(r *player)
}{
	{"retry of each page", "again", 1, func(r *player) {
		for n := range 4 * ratioHolds {
			r.page("first", "u", n)
			r.page("again", "u", n)
		}
	}},
	{"second reader 100 pages behind", "again", 1, func(r *player) { behind(r, 100) }},
	// New pages have half of the cache: both readers together show it 400 other pages in between.
	{"second reader 200 pages behind", "again", .98, func(r *player) { behind(r, 200) }},
	{"re-read within 200 pages", "again", .9, func(r *player) {
		random := rand.New(rand.NewPCG(1, 2))
		for n := range 4 * ratioHolds {
			r.page("first", "u", n)
			if n >= 200 {
				r.page("again", "u", n-1-random.IntN(200))
			}
		}
	}},
	{"a scan of 8 sizes, a hot set of 100 pages read every 100 pages", "hot", .98, func(r *player) { scan(r, 100, 100) }},
	{"a scan of 8 sizes, a hot set of 100 pages read every 2,000 pages", "hot", .95, func(r *player) { scan(r, 100, 2000) }},
	{"a scan of 8 sizes, a hot set of 500 pages read every 2,000 pages", "hot", .6, func(r *player) { scan(r, 500, 2000) }},
	{"a hot set of 100 pages that begins in the middle of a scan", "late", .6, func(r *player) {
		for n := range 8 * ratioHolds {
			r.page("scan", "s", n)
			if n >= 4*ratioHolds && n%500 == 0 {
				for i := range 100 {
					r.page("late", "h", i)
				}
			}
		}
	}},
	{"skewed readers of four sizes", "some", .7, func(r *player) {
		zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 1, 4*ratioHolds-1)
		for range 40 * ratioHolds {
			r.page("some", "z", int(zipf.Uint64()))
		}
	}},
}

func behind(r *player, pages int) {
	for n := range 4 * ratioHolds {
		r.page("first", "u", n)
		if n >= pages {
			r.page("again", "u", n-pages)
		}
	}
}

// scan reads a hot set a few times, and then now and again while a scan reads everything once.
func scan(r *player, hot, every int) {
	for range 3 {
		for i := range hot {
			r.page("warm", "h", i)
		}
	}
	for n := range 8 * ratioHolds {
		r.page("scan", "s", n)
		if n%every == every-1 {
			for i := range hot {
				r.page("hot", "h", i)
			}
		}
	}
}

// TestTheCacheReachesItsHitRatios holds the ratios of the patterns that a cache reaches.
func TestTheCacheReachesItsHitRatios(t *testing.T) {
	t.Parallel()
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			const caches = 5 // the store drops and admits at random, so that one cache may have bad luck
			got := 0.0
			for range caches {
				r := ratioCache(t, true)
				p.run(r)
				got += r.ratio(p.of) / caches
			}
			t.Logf("%.1f %%", 100*got)
			if got < p.floor {
				t.Errorf("%.1f %% of the reads are hits, at least %.0f %% must be", 100*got, 100*p.floor)
			}
		})
	}
}

// BenchmarkHitRatio reports the patterns' ratios, with the LRUs and with ristretto alone, and the requests to Graph.
func BenchmarkHitRatio(b *testing.B) {
	for _, p := range patterns {
		for _, lru := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/lru=%v", p.name, lru), func(b *testing.B) {
				for b.Loop() {
					r := ratioCache(b, lru)
					p.run(r)
					b.ReportMetric(100*r.ratio(p.of), "%-hits")
					b.ReportMetric(float64(r.fetched), "graph-requests")
				}
			})
		}
	}
}
