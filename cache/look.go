package cache

import (
	"cmp"
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/source"
)

// Memory of a page and of a row beside their messages, and how many times larger a message is in memory than on the wire.
const (
	pageOverhead = 512
	rowOverhead  = 160
	residence    = 3
)

// request is a page that is looked up, or asked for.
type request[T any] struct {
	source parleyv1.Source
	key    keyed  // key of the query
	link   string // link of the page; empty for the first one
	// life returns how long an answer is cached.
	life func(*entry) time.Duration
	// size returns the memory of a row beside rowOverhead.
	size  func(T) int64
	fetch func(context.Context) (*source.Page[T], error)
}

// look answers from the cache, or asks for the page and caches the answer.
func look[T any](ctx context.Context, c *Cache, r request[T]) (*source.Page[T], error) {
	name, key := shortName(r.source), r.key.with(r.link)
	e, result := c.get(ctx, key, r.link)
	if e != nil {
		c.cfg.Observer.CacheRequest(name, resultHit)
		recorderOf(ctx).record(true, e.read)
		page, ok := e.value.(*source.Page[T])
		if !ok {
			return r.fetch(ctx)
		}
		r.noteLink(c, e)
		return fromCache(page), nil
	}
	if ControlOf(ctx).OnlyIfCached {
		c.cfg.Observer.CacheRequest(name, result)
		recorderOf(ctx).record(false, time.Time{})
		return nil, ErrNotCached
	}
	fetched, joined, err := r.fetchShared(ctx, c, key)
	if joined {
		result = resultCoalesced
	}
	c.cfg.Observer.CacheRequest(name, result)
	if err != nil {
		recorderOf(ctx).record(false, time.Time{})
		return nil, err
	}
	recorderOf(ctx).record(false, fetched.read)
	page, _ := fetched.value.(*source.Page[T]) // the key names the type
	if joined {
		page = fromCache(page)
		page.Joined = true
	}
	return page, nil
}

// fetchShared asks for the page and caches it, or waits for another caller who does. joined is true when another caller's request
// brought the page.
func (r *request[T]) fetchShared(ctx context.Context, c *Cache, key string) (e *entry, joined bool, err error) {
	late := false
	e, joined, err = c.share(ctx, key, func(ctx context.Context) (*entry, error) {
		// Another caller's request may have ended since this one looked.
		if cached, _ := c.get(ctx, key, r.link); cached != nil {
			late = true
			return cached, nil
		}
		page, err := r.fetch(ctx)
		if err != nil {
			return nil, err
		}
		return r.put(c, key, page), nil
	})
	return e, joined || err == nil && late, err
}

// put makes an entry of a page that was just fetched and caches it.
func (r *request[T]) put(c *Cache, key string, page *source.Page[T]) *entry {
	e := &entry{
		key: key, source: shortName(r.source), value: page, next: page.Next, read: page.Read,
		size: pageOverhead + int64(2*len(key)+len(page.Next)),
	}
	if e.read.IsZero() {
		e.read = time.Now()
	}
	for _, row := range page.Items {
		e.size += rowOverhead + r.size(row)
	}
	if page.Lazy != nil {
		e.size += page.Lazy.Cost()
	}
	r.noteLink(c, e)
	life := c.ttl(r.life(e))
	e.expires = e.read.Add(life)
	c.put(e, life)
	return e
}

// noteLink notes when the page was read that links to the next one.
func (r *request[T]) noteLink(c *Cache, e *entry) {
	if e.next != "" {
		c.links.note(r.key.with(e.next), e.read)
	}
}

// share asks for a page, or waits with the others who do. A request to Graph counts against the day and waits for the turn of the
// caller who began it: that this day is used up, or that this turn comes too late, is no answer to those who joined, so they
// begin anew.
func (c *Cache) share(ctx context.Context, key string, do func(context.Context) (*entry, error)) (e *entry, joined bool, err error) {
	if ControlOf(ctx).OnlyUnderWay {
		e, err = c.pages.Join(ctx, key, coalesce.Options{})
		if errors.Is(err, coalesce.ErrNoCall) {
			return nil, false, ErrNotCached
		}
		return e, true, err
	}
	for {
		e, joined, err = c.pages.Do(ctx, key, coalesce.Options{}, func(ctx context.Context) (*entry, error) {
			return do(prioritized{ctx})
		})
		graphErr, ok := errors.AsType[*graph.Error](err)
		theirs := ok && (graphErr.Kind == graph.KindCallerLimit || graphErr.Kind == graph.KindThrottled && graphErr.Own)
		if !joined || !theirs {
			return e, joined, err
		}
	}
}

// fromCache returns the page as a later reader sees it. Its items are shared.
func fromCache[T any](page *source.Page[T]) *source.Page[T] {
	again := *page
	again.FromCache = true
	again.Requests = 0
	return &again
}

// resident estimates the memory of a message.
func resident(m proto.Message) int64 { return residence * int64(proto.Size(m)) }

// shortName is a source in metrics.
func shortName(src parleyv1.Source) string { return cmp.Or(source.Describe(src).Label, "other") }
