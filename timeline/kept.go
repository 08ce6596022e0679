package timeline

import (
	"context"

	"github.com/parley-gateway/parley/cache"
)

// A window that was read to its end without a doubt is kept as the sheet that was made of its pages, for as long as these
// would have been. Only what is stray, doubtful or cut short is made of pages again.

// keep keeps the sheet of a window in place of the pages that it was made of.
func (r *reading) keep(w window, s *sheet, links []string) {
	if r.store == nil {
		return
	}
	q := r.ask(w.span)
	kept := cache.Window{Key: r.store.WindowKey(&q), End: q.End, Value: s, Read: s.read, Cost: s.cost()}
	s.grown = func() {
		again := kept
		again.Cost, again.Pages = s.cost(), nil // the pages are gone
		r.store.KeepWindow(again)
	}
	if !s.split {
		kept.Pages = append(links, "") //nolint:gocritic // the rowset is done with them
	}
	r.store.KeepWindow(kept)
}

// find returns a window that was kept; nil = it must be read.
func (r *reading) find(ctx context.Context, w window) *block {
	if r.store == nil {
		return nil
	}
	q := r.ask(w.span)
	key := r.store.WindowKey(&q)
	s, ok := r.store.Window(ctx, key).(*sheet)
	if !ok {
		return nil
	}
	b := &block{window: w, sheet: s, kept: key, split: s.split}
	if s.split {
		return b
	}
	b.show(r.desc)
	r.pages.Add(int64(s.pages))
	r.fromCache.Add(int64(s.pages))
	r.buffered.Add(int64(s.rows))
	if s.unfiltered {
		r.unfiltered.Store(true)
	}
	return b
}
