package fetch

import (
	"context"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// A window that was read to its end without a doubt is kept as the sheet that was made of its pages. Pages by themselves are
// not kept: a window made of old and new ones would be the state of no time, and lack a row that moved between them.

// keep keeps the sheet of a window. A sheet that is too large for that is read in pieces the next time.
func (r *Reader) keep(w window.Window, s *chunk.Chunk) {
	if r.Store == nil {
		return
	}
	q := r.ask(w.Span)
	kept := cache.Window{Key: r.Store.WindowKey(&q), End: q.End, Value: s, Read: s.Read, Cost: s.Cost()}
	s.OnGrow = func() {
		again := kept
		again.Cost = s.Cost()
		r.Store.KeepWindow(again)
	}
	if !r.Store.KeepWindow(kept) && !s.Split {
		pieces := &chunk.Chunk{Split: true, Read: s.Read, Begun: s.Begun}
		kept.Value, kept.Cost = pieces, pieces.Cost()
		r.Store.KeepWindow(kept)
	}
}

// Cached returns a window that was kept; nil = it must be read.
func (r *Reader) Cached(ctx context.Context, w window.Window) *Result {
	if r.Store == nil {
		return nil
	}
	q := r.ask(w.Span)
	key := r.Store.WindowKey(&q)
	s, ok := r.Store.Window(ctx, key).(*chunk.Chunk)
	if !ok {
		return nil
	}
	b := &Result{Window: w, Chunk: s, CacheKey: key, Split: s.Split, Begun: s.Begun}
	if s.Split {
		return b
	}
	b.show(r.Desc)
	r.pages.Add(int64(s.Pages))
	r.fromCache.Add(int64(s.Pages))
	if s.Unfiltered {
		r.unfiltered.Store(true)
	}
	return b
}
