package fetch

import (
	"context"

	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// A window that was read to its end without a doubt is cached as its chunk. Single pages are not cached: a window of old and new
// pages would be the state of no time, and would lack a row that moved between them.

// cache caches the chunk of a window. A window whose chunk is too large for the cache is read in pieces the next time.
func (r *Reader) cache(w window.Window, c *chunk.Chunk) {
	if r.Store == nil {
		return
	}
	q := r.queryFor(w.Span)
	cached := readers.Value{Key: r.Store.WindowKey(&q), End: q.End, Value: c, Read: c.Read, Size: c.Cost()}
	c.OnGrow = func() {
		grown := cached
		grown.Size = c.Cost()
		r.Store.Put(grown)
	}
	if !r.Store.Put(cached) && !c.Split {
		pieces := &chunk.Chunk{Split: true, Read: c.Read, Begun: c.Begun}
		cached.Value, cached.Size = pieces, pieces.Cost()
		r.Store.Put(cached)
	}
}

// Cached returns the result of a cached window; nil = the window must be read.
func (r *Reader) Cached(ctx context.Context, w window.Window) *Result {
	if r.Store == nil {
		return nil
	}
	q := r.queryFor(w.Span)
	key := r.Store.WindowKey(&q)
	c, ok := r.Store.Window(ctx, key).(*chunk.Chunk)
	if !ok {
		return nil
	}
	res := &Result{Window: w, Chunk: c, CacheKey: key, Split: c.Split, Begun: c.Begun}
	if c.Split {
		return res
	}
	res.clip(r.Desc)
	r.countCached(c)
	return res
}
