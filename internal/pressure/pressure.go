// Package pressure keeps the process within its memory limit. When live data comes near the limit, the cache shrinks
// first; only what the cache does not explain makes new streams, and then new calls, be refused.
package pressure

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/wait"
)

// Parts of the memory limit.
const (
	cacheShare  = 0.70 // live data with the cache in it, above which the cache shrinks
	streamShare = 0.75 // live data without the cache, above which new streams are refused
	callShare   = 0.85 // the same for new calls: streams hold most and go first
)

// With so little live data, garbage may take as much again; with very much, a part of it. Where collections come often, lists wait for them
// (bars 16 and 17 of docs/performance.md).
const (
	smallHeap  = 8 << 20
	minPercent = 40
)

// Without work there is no collection for minutes, and what streams held before stays resident. So memory is released when there was no
// collection for the release interval and the last one found more than releaseAbove beside the cache. If as much is found again, the
// interval doubles.
const (
	releaseAbove       = 64 << 20
	minReleaseInterval = 10 * time.Second
	maxReleaseInterval = 2 * time.Minute // the runtime collects by itself then
)

const (
	checkEvery   = 250 * time.Millisecond // between two checks of the heap
	collectEvery = time.Second            // between two collections that are asked for while memory is shed
)

// Cache shrinks before work is refused; *cache.Cache is one.
type Cache interface {
	// Bytes is the number of bytes that the cache holds, Limit the number that it may hold.
	Bytes() int64
	Limit() int64
	// Resize sets the limit and drops what is above it.
	Resize(limit int64)
}

// Config describes a Guard.
type Config struct {
	// Limit is the process's memory limit in bytes; 0 or less = none, and nothing is shed.
	Limit int64
	// Cache shrinks first; nil = there is none.
	Cache Cache
	// Logger is told when shedding begins and ends; nil = nobody is.
	Logger *slog.Logger
	// Heap is what the last collection found in use, and its number; nil = the runtime's. Collect runs a collection; nil =
	// the runtime's. Release runs one and returns free memory to the operating system; nil = debug.FreeOSMemory.
	Heap    func() (live int64, collection uint64)
	Collect func()
	Release func()
}

// Guard watches live data against the limit. A nil Guard refuses nothing.
type Guard struct {
	cfg  Config
	full int64 // the cache's limit without pressure

	collecting sync.Mutex    // held while a collection runs, and never taken under mu: whoever is not refused waits for none
	interval   time.Duration // the release interval; of tick alone

	mu         sync.Mutex // guards the rest
	checked    time.Time
	collection uint64    // number of the collection that the last check saw
	collected  time.Time // when that was seen first, or a collection was asked for
	other      int64     // live bytes without the cache's
	shedding   bool

	tune    func(percent int) int // nil = the collector is left alone
	percent int

	stop context.CancelFunc
	done sync.WaitGroup
}

// New returns a Guard; Start makes it check the heap by itself.
func New(cfg Config) *Guard {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Heap == nil {
		cfg.Heap = liveHeap
	}
	if cfg.Collect == nil {
		cfg.Collect = runtime.GC
	}
	if cfg.Release == nil {
		cfg.Release = debug.FreeOSMemory
	}
	g := &Guard{cfg: cfg, interval: minReleaseInterval}
	if cfg.Cache != nil {
		g.full = cfg.Cache.Limit()
	}
	return g
}

// Tune makes the garbage collector run more often, the more data is live; set takes a percentage as debug.SetGCPercent does. Without it
// a large cache would let as much garbage gather as the cache is large. Call Tune before Start.
func (g *Guard) Tune(set func(percent int) int) { g.tune = set }

// Start begins to check the heap, every checkEvery until Close.
func (g *Guard) Start() {
	if g == nil || g.cfg.Limit <= 0 && g.tune == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.done.Go(func() { wait.Every(ctx, checkEvery, g.tick) })
}

// Close ends what Start began.
func (g *Guard) Close() {
	if g == nil || g.stop == nil {
		return
	}
	g.stop()
	g.done.Wait()
}

// Shedding reports whether the cache is smaller than it was configured, or new work is refused, for want of memory.
func (g *Guard) Shedding() bool {
	if g == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shedding
}

// RefusesStreams reports whether a new stream must be refused.
func (g *Guard) RefusesStreams() bool { return g.refuses(streamShare) }

// RefusesCalls reports whether a new call must be refused.
func (g *Guard) RefusesCalls() bool { return g.refuses(callShare) }

// refuses reports whether live data without the cache takes more than a share of the limit. Data that the last collection found may
// be garbage by now, so no work is refused before a new collection.
func (g *Guard) refuses(share float64) bool {
	if g == nil || g.cfg.Limit <= 0 {
		return false
	}
	if !g.exceeds(share) {
		return false
	}
	g.collect(g.cfg.Collect, checkEvery)
	return g.exceeds(share)
}

// exceeds reports whether live data without the cache, as the last collection found it, takes more than a share of the limit.
func (g *Guard) exceeds(share float64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if since := time.Since(g.checked); since >= checkEvery || since < 0 {
		g.check()
	}
	return float64(g.other) > share*float64(g.cfg.Limit)
}

// tick checks the heap. While memory is shed, it also finds out whether that is still needed, and after work has ended, what of it is
// garbage.
func (g *Guard) tick() {
	g.mu.Lock()
	g.check()
	shedding, before := g.shedding, g.other
	g.mu.Unlock()
	switch {
	case shedding:
		g.collect(g.cfg.Collect, collectEvery)
	case before <= releaseAbove:
		g.interval = minReleaseInterval
	default:
		after, ran := g.collect(g.cfg.Release, g.interval)
		switch {
		case !ran:
		case after > before-before/8:
			g.interval = min(2*g.interval, maxReleaseInterval)
		default:
			g.interval = minReleaseInterval
		}
	}
}

// collect runs a collection by one of the two functions of Config and checks again, unless the last one is younger than age. It returns what
// is live then without the cache, and whether one ran.
func (g *Guard) collect(run func(), age time.Duration) (other int64, ran bool) {
	g.collecting.Lock()
	defer g.collecting.Unlock()
	if g.sinceCollected() < age {
		return 0, false
	}
	run()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.check()
	g.collected = time.Now()
	return g.other, true
}

func (g *Guard) sinceCollected() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.collected)
}

// check compares live data with the limit and gives the cache what is left of its share; the lock is held.
func (g *Guard) check() {
	g.checked = time.Now()
	live, collection := g.cfg.Heap()
	if collection == g.collection && !g.collected.IsZero() {
		return // nothing new is known
	}
	g.collection, g.collected = collection, g.checked
	var held int64
	if g.cfg.Cache != nil {
		held = g.cfg.Cache.Bytes()
	}
	g.other = max(live-held, 0)
	g.setPercent(live)
	if g.cfg.Limit <= 0 {
		return
	}
	room := int64(cacheShare*float64(g.cfg.Limit)) - g.other
	g.resize(min(max(room, 0), g.full))
	g.report(live, held)
}

// setPercent sets how much garbage may gather before the next collection; the lock is held.
func (g *Guard) setPercent(live int64) {
	if g.tune == nil {
		return
	}
	percent := int(min(minPercent+100*smallHeap/max(live, 1), 100))
	if change := percent - g.percent; change > 5 || change < -5 {
		g.percent = percent
		g.tune(percent)
	}
}

// resize sets the cache's limit, but not for trifles; the lock is held.
func (g *Guard) resize(limit int64) {
	if g.cfg.Cache == nil {
		return
	}
	now := g.cfg.Cache.Limit()
	step := g.full / 16
	if limit != now && (limit < now-step || limit > now+step || limit == 0 || limit == g.full) {
		g.cfg.Cache.Resize(limit)
	}
}

// report notes whether memory is shed, and logs a change; the lock is held.
func (g *Guard) report(live, held int64) {
	shedding := float64(g.other) > streamShare*float64(g.cfg.Limit)
	var limit int64
	if g.cfg.Cache != nil {
		limit = g.cfg.Cache.Limit()
		shedding = shedding || limit < g.full
	}
	if shedding == g.shedding {
		return
	}
	g.shedding = shedding
	state := []slog.Attr{
		slog.Int64("memory_limit", g.cfg.Limit), slog.Int64("live_bytes", live),
		slog.Int64("cache_bytes", held), slog.Int64("cache_limit", limit),
	}
	ctx := context.Background()
	if shedding {
		g.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "memory is short: the cache shrinks, then new streams are refused", state...)
	} else {
		g.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "memory is no longer short: the cache has its full size again", state...)
	}
}

// liveHeap is what the last garbage collection found in use; what may be collected does not count.
func liveHeap() (live int64, collection uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	if samples[0].Value.Kind() != metrics.KindUint64 || samples[1].Value.Kind() != metrics.KindUint64 {
		return 0, 0
	}
	return int64(samples[0].Value.Uint64()), samples[1].Value.Uint64()
}
