package cache

import (
	"context"
	"errors"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/spans"
)

// Request is a value that is looked up, or fetched.
type Request[V any] struct {
	// Label is the source of the value in metrics.
	Label string
	// Key names the query, Link the page of it; the first page has no link.
	Key  Key
	Link string
	// Fetch fetches the value. Its context is that of all callers who wait for it.
	Fetch func(context.Context) (Fetched[V], error)
	// Retry reports whether an error concerns only the caller whose fetch it ended. The others who wait then begin anew. nil = no
	// error does.
	Retry func(error) bool
}

// Fetched is a value as it was fetched, with the properties that the cache goes by. The cache shares the value with every reader, so it
// must not change.
type Fetched[V any] struct {
	Value V
	// Next is the link that the value carries to the next page; empty on the last one.
	Next string
	// ReadAt is when the value was true; zero = now.
	ReadAt time.Time
	// Life is how long the value may be served after ReadAt; 0 = it is not cached.
	Life time.Duration
	// Size is the memory of the value in bytes, without its key.
	Size int64
	// Superseded reports whether something newer has been seen than a value that was true at readAt; nil = that is never known.
	Superseded func(readAt time.Time) bool
}

// Answer is a value that Get returned.
type Answer[V any] struct {
	Value V
	// Cached is true when the value was not fetched for this caller. Joined is true beside it when another caller was fetching the value
	// at the same time.
	Cached, Joined bool
}

// Get returns a value that the context's Control accepts, or fetches it and caches it. Callers who miss the same value at the same
// time share one fetch. The error is ErrNotCached, or that of Fetch.
func Get[V any](ctx context.Context, c *Cache, r Request[V]) (Answer[V], error) {
	key := r.Key.Page(r.Link)
	ctx, span := spans.Start(ctx, "cache", spans.Internal)
	defer span.End("")
	span.Text("parley.source", r.Label)
	e, result := c.get(ctx, key, r.Link)
	if e != nil {
		c.hit(ctx, r.Label, e)
		span.Text("parley.cache", resultHit)
		c.noteLink(r.Key, e)
		return Answer[V]{Value: valueOf[V](e), Cached: true}, nil
	}
	if ControlOf(ctx).OnlyIfCached {
		c.miss(ctx, r.Label, result, time.Time{})
		return Answer[V]{}, ErrNotCached
	}
	e, coalesced, err := fetch(ctx, c, &r, key)
	if coalesced {
		result = resultCoalesced
		if err == nil {
			span.Link(e.span)
		}
	}
	span.Text("parley.cache", result)
	if err != nil {
		c.miss(ctx, r.Label, result, time.Time{})
		return Answer[V]{}, err
	}
	c.miss(ctx, r.Label, result, e.read)
	return Answer[V]{Value: valueOf[V](e), Cached: coalesced, Joined: coalesced}, nil
}

// valueOf returns the value of an entry, whose key names the type.
func valueOf[V any](e *entry) V {
	value, _ := e.value.(V)
	return value
}

// fetch fetches a value and caches it, or waits for another caller who does. coalesced is true when another caller's fetch brought
// the value.
func fetch[V any](ctx context.Context, c *Cache, r *Request[V], key string) (e *entry, coalesced bool, err error) {
	foundLate, own := false, spans.Current(ctx)
	e, joined, err := c.coalesce(ctx, key, r.Retry, func(ctx context.Context) (*entry, error) {
		// Another caller's fetch may have ended since this one looked.
		if cached, _ := c.get(ctx, key, r.Link); cached != nil {
			foundLate = true
			return cached, nil
		}
		fetched, err := r.Fetch(ctx)
		if err != nil {
			return nil, err
		}
		e := newEntry(c, r.Label, key, &fetched)
		e.span = own
		c.noteLink(r.Key, e)
		c.put(e)
		return e, nil
	})
	return e, joined || err == nil && foundLate, err
}

// coalesce fetches a value, or waits with the others who do.
func (c *Cache) coalesce(
	ctx context.Context, key string, retry func(error) bool, do func(context.Context) (*entry, error),
) (e *entry, joined bool, err error) {
	if ControlOf(ctx).OnlyUnderWay {
		e, err = c.fetches.Join(ctx, key, coalesce.Options{})
		if errors.Is(err, coalesce.ErrNoCall) {
			return nil, false, ErrNotCached
		}
		return e, true, err
	}
	for {
		e, joined, err = c.fetches.Do(ctx, key, coalesce.Options{}, do)
		if err == nil || !joined || retry == nil || !retry(err) {
			return e, joined, err
		}
	}
}

// noteLink notes when a page was read, if it links to a next one.
func (c *Cache) noteLink(query Key, e *entry) {
	if e.next != "" {
		c.links.note(query.Page(e.next), e.read)
	}
}

// Lookup returns the value under a key; nil = none that the context's Control accepts. A hit is counted and recorded, a miss is not:
// its caller goes on to fetch the parts of the value.
func (c *Cache) Lookup(ctx context.Context, label, key string) any {
	e, _ := c.get(ctx, key, "")
	if e == nil {
		return nil
	}
	c.hit(ctx, label, e)
	return e.value
}

// Peek is Lookup without counting.
func (c *Cache) Peek(ctx context.Context, key string) any {
	e, _ := c.get(ctx, key, "")
	if e == nil {
		return nil
	}
	return e.value
}

// Put caches a value under a key, in place of an older one, and reports false if it is too large for that; true where nothing
// is cached.
func (c *Cache) Put(label, key string, v Fetched[any]) bool {
	return c.put(newEntry(c, label, key, &v))
}

// CountMiss counts and records a value that its caller fetched past the cache. read is when the value was true; zero = it could not be
// fetched.
func (c *Cache) CountMiss(ctx context.Context, label string, read time.Time) {
	c.miss(ctx, label, resultMiss, read)
}

// CountShared counts and records a value that another replica had put in the shared store. read is when it was true.
func (c *Cache) CountShared(ctx context.Context, label string, read time.Time) {
	c.cfg.Observer.CacheRequest(label, resultShared)
	recorderOf(ctx).hit(read)
}

// hit counts and records a look-up that was answered from the cache.
func (c *Cache) hit(ctx context.Context, label string, e *entry) {
	c.cfg.Observer.CacheRequest(label, resultHit)
	recorderOf(ctx).hit(e.read)
}

// miss counts and records any other look-up.
func (c *Cache) miss(ctx context.Context, label, result string, read time.Time) {
	c.cfg.Observer.CacheRequest(label, result)
	recorderOf(ctx).miss(read)
}
