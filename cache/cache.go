package cache

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/source"
)

// ErrNotCached is the answer to only-if-cached when the page is not there or not fresh enough.
var ErrNotCached = errors.New("cache: not cached")

// rereadAfter is how old a page must be before no-cache asks Graph again.
const rereadAfter = 10 * time.Second

// Defaults of Config.
const (
	defaultMaxBytes = 256 << 20
	defaultOpen     = time.Minute
	defaultCopilot  = 24 * time.Hour
	defaultChat     = time.Hour
	defaultCall     = time.Hour
	defaultUsage    = 6 * time.Hour
	defaultOther    = time.Minute
)

// Config describes a Cache. Zero fields take the defaults.
type Config struct {
	// MaxBytes bounds the resident bytes of all pages; negative = nothing is cached, requests still coalesce.
	MaxBytes int64
	// MaxAge caps every time to live; 0 = no cap.
	MaxAge time.Duration
	// The times to live. Open is for a window whose end is not settled yet, Copilot, Chat and Call for settled windows. Usage is
	// for usage reports whose refresh date does not move, Other for conversations and users.
	Open, Copilot, Chat, Call, Usage, Other time.Duration
	// Settle is how long after an event its row may still appear; as timeline.Config.Settle.
	Settle map[parleyv1.Source]time.Duration
	// Observer receives what metrics need; nil = none.
	Observer Observer
}

// Observer counts look-ups. Its methods are called from many goroutines and must not block.
type Observer interface {
	// CacheRequest reports one look-up: the source's short name and hit, miss, coalesced or expired; and of a page that was
	// not cached, refused or lost.
	CacheRequest(source, result string)
}

// Results as the Observer sees them; of look-ups the first four. A refused page was not taken, because it is too large or
// because cached ones are asked for more often; a lost one is a page that the store had no time for. The twoQueue holds
// pages of both kinds all the same, unless they are too large.
const (
	resultHit       = "hit"
	resultMiss      = "miss"
	resultCoalesced = "coalesced"
	resultExpired   = "expired"
	resultRefused   = "refused"
	resultLost      = "lost"
)

type noObserver struct{}

func (noObserver) CacheRequest(string, string) {}

var _ Observer = noObserver{}

// Scope is the part of a key that the query does not hold: the tenant of the data, and the identity that Graph was asked as.
type Scope struct {
	// Tenant is the tenant's alias or id, Identity the application or user that the token belongs to.
	Tenant, Identity string
	// Source is the API.
	Source parleyv1.Source
	// Skew is the time by which this machine's clock is ahead of Graph's; nil = none. It is no part of the key.
	Skew func() time.Duration
	// Delegated is true when the identity is a user, who may lose the right to read: reports are cached no longer than chats then.
	Delegated bool
}

// Cache holds pages of all sources and tenants. It is safe for concurrent use.
type Cache struct {
	cfg     Config
	store   *store[*entry] // nil = nothing is cached
	links   *linkFreshness
	pages   coalesce.Group[string, *entry]     // requests for pages under way
	windows coalesce.Group[string, windowRead] // readings of windows under way

	refreshes sync.Map // *refresh by tenant
	passed    passedReports
}

// entry is one page, window or answer with everything that a look-up checks. It never changes.
type entry struct {
	key     string
	source  string // its short name
	value   any    // *source.Page[T], or the value of a Window
	next    string
	read    time.Time // when Graph answered
	expires time.Time
	size    int64
	// The last day of a usage report, and the tenant's refresh date, which may have moved since; nil for any other page.
	day     string
	refresh *refresh
}

// New returns a Cache; Close it.
func New(cfg Config) (*Cache, error) {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	cfg.Open = cmp.Or(cfg.Open, defaultOpen)
	cfg.Copilot = cmp.Or(cfg.Copilot, defaultCopilot)
	cfg.Chat = cmp.Or(cfg.Chat, defaultChat)
	cfg.Call = cmp.Or(cfg.Call, defaultCall)
	cfg.Usage = cmp.Or(cfg.Usage, defaultUsage)
	cfg.Other = cmp.Or(cfg.Other, defaultOther)
	cfg.Settle = source.Settle(cfg.Settle)
	if cfg.Observer == nil {
		cfg.Observer = noObserver{}
	}
	c := &Cache{cfg: cfg, links: newLinkFreshness()}
	if cfg.MaxBytes < 0 {
		return c, nil
	}
	store, err := newStore(cfg.MaxBytes, func(e *entry) { cfg.Observer.CacheRequest(e.source, resultRefused) })
	if err != nil {
		return nil, err
	}
	c.store = store
	return c, nil
}

// Close cancels the requests under way, waits for them, and frees everything.
func (c *Cache) Close() {
	c.windows.Close()
	c.pages.Close()
	if c.store != nil {
		c.store.close()
	}
}

// Bytes returns the memory of everything that is cached, by size.
func (c *Cache) Bytes() int64 {
	if c.store == nil {
		return 0
	}
	return c.store.bytes()
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

// get returns a page that ctx's Control accepts.
func (c *Cache) get(ctx context.Context, key, link string) (*entry, string) {
	if c.store == nil {
		return nil, resultMiss
	}
	it, left := c.store.get(key)
	if it == nil {
		return nil, resultMiss
	}
	e, now := it.value, time.Now()
	age := now.Sub(e.read)
	control := ControlOf(ctx)
	switch {
	case !now.Before(e.expires), age < -time.Second: // a clock that went back must not make pages immortal
		return nil, resultExpired
	case control.NoCache && age >= rereadAfter, control.MaxAge != nil && age > *control.MaxAge:
		return nil, resultExpired
	case link != "" && !c.links.allows(key, e.read):
		return nil, resultExpired
	case e.refresh != nil && e.refresh.moved(e.day, e.read):
		return nil, resultExpired
	}
	if left {
		c.store.promote(it)
	}
	return e, resultHit
}

// put caches a page for a time.
func (c *Cache) put(e *entry, ttl time.Duration) {
	if c.store == nil || ttl <= 0 {
		return
	}
	if e.size > c.store.largest() {
		c.cfg.Observer.CacheRequest(e.source, resultRefused)
		return
	}
	if !c.store.put(e.key, e, e.size, ttl) {
		c.cfg.Observer.CacheRequest(e.source, resultLost)
	}
}

// ttl is how long a page may be served, less up to a tenth so that pages read together do not expire together.
func (c *Cache) ttl(base time.Duration) time.Duration {
	if c.cfg.MaxAge > 0 {
		base = min(base, c.cfg.MaxAge)
	}
	if base <= 0 {
		return 0
	}
	return base - rand.N(base/10+1) //nolint:gosec // spreads load, keeps no secret
}

// windowTTL is the time to live of a window that ends at end. It is settled by the earlier of both clocks.
func (c *Cache) windowTTL(scope *Scope, end time.Time) time.Duration {
	src, settle := scope.Source, c.cfg.Settle[scope.Source]
	if scope.Skew != nil {
		settle += max(scope.Skew(), 0)
	}
	switch {
	case end.After(time.Now().Add(-settle)):
		return c.cfg.Open
	case src == parleyv1.Source_SOURCE_COPILOT:
		return c.cfg.Copilot
	case src == parleyv1.Source_SOURCE_CALL:
		return c.cfg.Call
	default:
		return c.cfg.Chat
	}
}
