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
	r.put(readers.Value{Key: r.Store.WindowKey(&q), End: q.End, Value: c, ReadAt: c.ReadAt, Size: c.Cost(), Encode: c.Encode}, c)
}

// put caches a chunk as a value.
func (r *Reader) put(cached readers.Value, c *chunk.Chunk) {
	c.OnGrow = func() {
		grown := cached
		grown.Size, grown.Encode = c.Cost(), nil
		r.Store.Put(grown)
	}
	if !r.Store.Put(cached) && !c.Split {
		pieces := &chunk.Chunk{Split: true, ReadAt: c.ReadAt, AcceptedStart: c.AcceptedStart}
		cached.Value, cached.Size, cached.Encode = pieces, pieces.Cost(), nil
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
	return r.resultOf(w, key, c)
}

// resultOf returns the result of a window whose chunk was not read for this call.
func (r *Reader) resultOf(w window.Window, key string, c *chunk.Chunk) *Result {
	res := &Result{Window: w, Chunk: c, CacheKey: key, AcceptedStart: c.AcceptedStart}
	if c.Split {
		res.Reread = InPieces
		return res
	}
	res.clip(r.Desc)
	r.countCached(c)
	return res
}

// fromReplica returns the result of a window that another replica has read, and caches it; nil = the window must be read. The caller
// calls done after it has read and cached the window, or has used the result; then the claim of this replica ends.
func (r *Reader) fromReplica(ctx context.Context, w window.Window) (res *Result, done func()) {
	windows, ok := r.Store.(readers.SharedWindows)
	if !ok {
		return nil, func() {}
	}
	q := r.queryFor(w.Span)
	key := r.Store.WindowKey(&q)
	value, done := windows.Claim(ctx, key, func(encoded []byte) (any, error) { return chunk.Decode(encoded) })
	c, ok := value.(*chunk.Chunk)
	if !ok {
		return nil, done
	}
	r.put(readers.Value{Key: key, End: q.End, Value: c, ReadAt: c.ReadAt, Size: c.Cost()}, c)
	return r.resultOf(w, key, c), done
}
