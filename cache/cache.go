package cache

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/spans"
)

// ErrNotCached is the answer to only-if-cached when the value is not there or not fresh enough.
var ErrNotCached = errors.New("cache: not cached")

// rereadAfter is how old a value must be before no-cache fetches it again.
const rereadAfter = 10 * time.Second

// MostOpen is how long a window is cached at most in which new rows are still expected.
const MostOpen = time.Minute

const (
	defaultMaxBytes = 256 << 20

	// entryOverhead is the memory of an entry beside its value and key.
	entryOverhead = 512
)

// Config describes a Cache. Zero fields take the defaults.
type Config struct {
	// MaxBytes bounds the resident bytes of all values; negative = nothing is cached, callers still share fetches.
	MaxBytes int64
	// MaxAge caps the life of every value; 0 = no cap.
	MaxAge time.Duration
	// Observer receives what metrics need; nil = none.
	Observer Observer
}

// Observer counts look-ups. Its methods are called from many goroutines and must not block.
type Observer interface {
	// CacheRequest reports one look-up: the label of its source and hit, miss, coalesced, expired or shared (another replica
	// had put the value); and of a value that was not cached, refused or lost.
	CacheRequest(label, result string)
}

// Results as the Observer sees them; of look-ups the first five. A refused value was not taken, because it is too large or
// because cached ones are asked for more often; a lost one is a value that ristretto had no time for. The twoQueue holds
// values of both kinds all the same, unless they are too large.
const (
	resultHit       = "hit"
	resultMiss      = "miss"
	resultCoalesced = "coalesced"
	resultExpired   = "expired"
	resultShared    = "shared"
	resultRefused   = "refused"
	resultLost      = "lost"
)

type noObserver struct{}

func (noObserver) CacheRequest(string, string) {}

var _ Observer = noObserver{}

// Cache holds values by key. It is safe for concurrent use.
type Cache struct {
	cfg      Config
	store    *store[*entry] // nil = nothing is cached
	links    *linkFreshness
	fetches  coalesce.Group[string, *entry]  // fetches of values under way
	readings coalesce.Group[string, reading] // readings under way
}

// entry is one value with everything that a look-up checks. It never changes.
type entry struct {
	key        string
	label      string
	value      any
	next       string
	read       time.Time
	expires    time.Time
	size       int64
	span       spans.Place               // that the value was fetched in; zero = nobody traced it
	superseded func(read time.Time) bool // nil = never
}

// newEntry returns the entry of a value that was fetched. It lives for a tenth less at most, so that values fetched together do not
// expire together.
func newEntry[V any](c *Cache, label, key string, v *Fetched[V]) *entry {
	e := &entry{
		key: key, label: label, value: v.Value, next: v.Next, read: v.ReadAt, superseded: v.Superseded,
		size: entryOverhead + int64(2*len(key)+len(v.Next)) + v.Size,
	}
	if e.read.IsZero() {
		e.read = time.Now()
	}
	life := v.Life
	if c.cfg.MaxAge > 0 {
		life = min(life, c.cfg.MaxAge)
	}
	if life > 0 {
		life -= rand.N(life/10 + 1) //nolint:gosec // spreads load, keeps no secret
	}
	e.expires = e.read.Add(life)
	return e
}

// New returns a Cache; Close it.
func New(cfg Config) (*Cache, error) {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	c := &Cache{cfg: cfg, links: newLinkFreshness()}
	if cfg.MaxBytes < 0 {
		return c, nil
	}
	store, err := newStore(cfg.MaxBytes, func(e *entry) { cfg.Observer.CacheRequest(e.label, resultRefused) })
	if err != nil {
		return nil, err
	}
	c.store = store
	return c, nil
}

// Close cancels the fetches and readings under way, waits for them, and frees everything.
func (c *Cache) Close() {
	c.readings.Close()
	c.fetches.Close()
	if c.store != nil {
		c.store.close()
	}
}

// Bytes returns the room that cached values take of the limit. Most count twice, because both halves of the store hold them.
func (c *Cache) Bytes() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.bytes()
}

// Entries returns about how many values are cached.
func (c *Cache) Entries() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.entries()
}

// Evictions returns how many values were dropped for room or age since the cache was made.
func (c *Cache) Evictions() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.evicted.Load()
}

// Limit returns the bound of Bytes.
func (c *Cache) Limit() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.limit.Load()
}

// Resize changes the limit and drops values until it holds. It is for memory that runs short; a cache that caches nothing stays
// so.
func (c *Cache) Resize(limit int64) {
	if c.store != nil {
		c.store.resize(limit)
	}
}

// MaxAge returns the cap on the life of every value; 0 = none.
func (c *Cache) MaxAge() time.Duration { return c.cfg.MaxAge }

// Largest returns the size of the largest value that can be cached; 0 = none can.
func (c *Cache) Largest() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.largest()
}

// get returns an entry that ctx's Control accepts, and the result of the look-up.
func (c *Cache) get(ctx context.Context, key, link string) (*entry, string) {
	if c.store == nil {
		return nil, resultMiss
	}
	it, fromRistretto := c.store.get(key)
	if it == nil {
		return nil, resultMiss
	}
	e := it.value
	switch {
	case !ControlOf(ctx).Accepts(e.read, e.expires),
		link != "" && !c.links.allows(key, e.read),
		e.superseded != nil && e.superseded(e.read):
		return nil, resultExpired
	}
	if fromRistretto {
		c.store.promote(it)
	}
	return e, resultHit
}

// put caches an entry for what is left of its life, and reports false if it is too large for that; true where nothing is cached.
func (c *Cache) put(e *entry) (fits bool) {
	if c.store == nil {
		return true
	}
	fits = e.size <= c.store.largest()
	left := time.Until(e.expires)
	switch {
	case left <= 0:
	case !fits:
		c.cfg.Observer.CacheRequest(e.label, resultRefused)
	case !c.store.put(e.key, e, e.size, left):
		c.cfg.Observer.CacheRequest(e.label, resultLost)
	}
	return fits
}
