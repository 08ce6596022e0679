package timeline

import (
	"context"
	"slices"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// A window is one reading: its pages are asked for one behind the other, none of them comes from the cache, and callers who
// want the same window at the same time share the reading. A reading ends with the last of its calls: what one call read is
// never gone on with by the next, behind rows that may have moved in between. Only a reading that waits for its first page
// when the time is up waits on for a while, and the next call takes part in it. A token says when a window did not fit into its
// call; it is then asked for in halves, and those behind it as narrow, so that every walk comes to its end.

// request is a window to read.
type request struct {
	window    window.Window
	wanted    <-chan struct{} // closed when it is the next window that is wanted
	unbounded bool            // Graph does not honour bounds: rows outside are left out
	whole     bool            // the window cannot be cut
}

// window reads a window to its end, or takes part in the reading of another call.
func (r *reading) window(ctx context.Context, s request) *block {
	shared, ok := r.store.(cache.Readings)
	if !ok {
		return r.once(ctx, s.window, s.wanted, s.unbounded)
	}
	q := r.ask(s.window.Span)
	opts := coalesce.Options{Urgent: s.wanted, Since: cache.ControlOf(ctx).Since()}
	for {
		value, joined, err := shared.Read(ctx, r.store.WindowKey(&q), opts, func(ctx context.Context) any {
			if kept := r.find(ctx, s.window); kept != nil && (!kept.split || !s.whole) {
				return kept // another reading has ended since this one was wanted
			}
			return r.once(ctx, s.window, coalesce.Urgent(ctx), s.unbounded)
		})
		from, _ := value.(*block)
		if err != nil || from == nil {
			return r.abandon(&block{Window: s.window}, err)
		}
		b := *from // what it points to is shared
		b.gaps = slices.Clone(b.gaps)
		if joined && (b.failed != nil && b.failed.Reason == parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT || b.ignored && s.unbounded) {
			continue // the limit of another caller, or a question that this one has settled; that reading has ended
		}
		if joined {
			r.join(&b)
		}
		return &b
	}
}

// underWay reports whether another call, or one that is out of time, is reading the window.
func (r *reading) underWay(ctx context.Context, w window.Window) bool {
	shared, ok := r.store.(cache.Readings)
	if !ok {
		return false
	}
	q := r.ask(w.Span)
	return shared.UnderWay(r.store.WindowKey(&q), cache.ControlOf(ctx).Since())
}

// join counts what another call has read.
func (r *reading) join(b *block) {
	if b.sheet != nil {
		r.pages.Add(int64(b.sheet.Pages))
		r.fromCache.Add(int64(b.sheet.Pages))
		if b.sheet.Unfiltered {
			r.unfiltered.Store(true)
		}
	}
}

// abandoned reports whether the reading ended because its call did.
func (b *block) abandoned() bool { return b.failed != nil && failure.IsContext(b.failed.Err) }
