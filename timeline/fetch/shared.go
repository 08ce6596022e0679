package fetch

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

// Request is a window to read.
type Request struct {
	Window    window.Window
	Wanted    <-chan struct{} // closed when it is the next window that is wanted
	Unbounded bool            // Graph does not honour bounds: rows outside are left out
	Whole     bool            // the window cannot be cut
}

// Read reads a window to its end, or takes part in the reading of another call.
func (r *Reader) Read(ctx context.Context, s Request) *Result {
	shared, ok := r.Store.(cache.Readings)
	if !ok {
		return r.once(ctx, s.Window, s.Wanted, s.Unbounded)
	}
	q := r.ask(s.Window.Span)
	opts := coalesce.Options{Urgent: s.Wanted, Since: cache.ControlOf(ctx).Since()}
	for {
		value, joined, err := shared.Read(ctx, r.Store.WindowKey(&q), opts, func(ctx context.Context) any {
			if kept := r.Cached(ctx, s.Window); kept != nil && (!kept.Split || !s.Whole) {
				return kept // another reading has ended since this one was wanted
			}
			return r.once(ctx, s.Window, coalesce.Urgent(ctx), s.Unbounded)
		})
		from, _ := value.(*Result)
		if err != nil || from == nil {
			return r.Abandon(&Result{Window: s.Window}, err)
		}
		b := *from // what it points to is shared
		b.Gaps = slices.Clone(b.Gaps)
		if joined && (b.Failed != nil && b.Failed.Reason == parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT || b.Ignored && s.Unbounded) {
			continue // the limit of another caller, or a question that this one has settled; that reading has ended
		}
		if joined {
			r.join(&b)
		}
		return &b
	}
}

// UnderWay reports whether another call, or one that is out of time, is reading the window.
func (r *Reader) UnderWay(ctx context.Context, w window.Window) bool {
	shared, ok := r.Store.(cache.Readings)
	if !ok {
		return false
	}
	q := r.ask(w.Span)
	return shared.UnderWay(r.Store.WindowKey(&q), cache.ControlOf(ctx).Since())
}

// join counts what another call has read.
func (r *Reader) join(b *Result) {
	if b.Chunk != nil {
		r.pages.Add(int64(b.Chunk.Pages))
		r.fromCache.Add(int64(b.Chunk.Pages))
		if b.Chunk.Unfiltered {
			r.unfiltered.Store(true)
		}
	}
}

// Abandoned reports whether the reading ended because its call did.
func (b *Result) Abandoned() bool { return b.Failed != nil && failure.IsContext(b.Failed.Err) }
