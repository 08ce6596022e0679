package fetch

import (
	"context"
	"slices"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/spans"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// A window is one reading: its pages are asked for one after another, none of them comes from the cache (but see readers.Readings), and calls
// that want the same window at the same time share the reading. A reading ends with the last of its calls. The next call never goes on with
// it, because rows may have moved in between. Only a reading that waits for its first page when the time is up waits on for a while, and the
// next call takes part in it. A token says when a window was too slow for its call. The window is then read in halves, and the windows after
// it are as narrow, so that every walk comes to its end.

// Read reads a window to its end, or takes part in the reading of another call.
func (r *Reader) Read(ctx context.Context, req Request) *Result {
	ctx, span := spans.Start(ctx, "window", spans.Internal)
	defer span.End("")
	if span.Traced() {
		span.Text("parley.source", r.Source.String())
		span.Text("parley.window.start", req.Window.Span.Start.UTC().Format(time.RFC3339))
		span.Text("parley.window.end", req.Window.Span.End.UTC().Format(time.RFC3339))
	}
	readings, ok := r.Store.(readers.Readings)
	if !ok {
		return r.read(ctx, &req)
	}
	q := r.queryFor(req.Window.Span)
	opts := coalesce.Options{Urgent: req.Urgent, Since: cache.ControlOf(ctx).Since()}
	if cache.ControlOf(ctx).OnlyIfCached {
		// Graph is not asked: where no replica has the window either, readings.Read answers ErrNotCached.
		stored, done := r.fromReplica(ctx, req.Window)
		defer done()
		if req.accepts(stored) {
			return stored
		}
	}
	for {
		value, joined, err := readings.Read(ctx, r.Store.WindowKey(&q), opts, func(ctx context.Context) any { return r.findOrRead(ctx, &req) })
		from, _ := value.(*Result)
		if err != nil || from == nil {
			return r.Abandon(&Result{Window: req.Window}, err)
		}
		if !joined {
			return from.copyForCall()
		}
		if from.mustReadAgain(&req) {
			continue
		}
		r.countCached(from.Chunk)
		return r.joined(from, req.Window)
	}
}

// findOrRead returns the window if another reading of it has ended since this one was wanted, or if another replica has read it; else it
// reads the window.
func (r *Reader) findOrRead(ctx context.Context, req *Request) *Result {
	if cached := r.Cached(ctx, req.Window); req.accepts(cached) {
		return cached
	}
	stored, done := r.fromReplica(ctx, req.Window)
	defer done()
	if req.accepts(stored) {
		return stored
	}
	return r.read(ctx, &Request{Window: req.Window, Urgent: coalesce.Urgent(ctx), Unbounded: req.Unbounded})
}

// mustReadAgain reports whether the result of another call's reading is of no use to this call: the other caller's own limit ended the reading, or
// it was bounded where this call knows that Graph ignores bounds, or the window holds too much and cannot be split.
func (res *Result) mustReadAgain(req *Request) bool {
	limited := res.Failed != nil && res.Failed.Reason == parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT
	return limited || res.Reread.Unbounded() && req.Unbounded || !req.accepts(res)
}

// joined returns the result of another call's reading as that of a window with the same key. The two may end at other times of one minute,
// where both intervals end with the present.
func (r *Reader) joined(from *Result, w window.Window) *Result {
	own := from.copyForCall()
	if from.Window == w {
		return own
	}
	own.Window = w
	for i := range own.Gaps {
		if own.Gaps[i].Span == from.Span {
			own.Gaps[i].Span = w.Span
		}
	}
	if own.Chunk != nil && !own.Reread.Split() {
		own.clip(r.Desc)
	}
	return own
}

// copyForCall returns a copy of the result that a call may change. What it points to is shared.
func (res *Result) copyForCall() *Result {
	own := *res
	own.Gaps = slices.Clone(res.Gaps)
	return &own
}

// UnderWay reports whether a window is being read by another call, or by one that is out of time.
func (r *Reader) UnderWay(ctx context.Context, w window.Window) bool {
	readings, ok := r.Store.(readers.Readings)
	if !ok {
		return false
	}
	q := r.queryFor(w.Span)
	return readings.UnderWay(r.Store.WindowKey(&q), cache.ControlOf(ctx).Since())
}

// countCached counts the pages of a chunk that was not read for this call.
func (r *Reader) countCached(c *chunk.Chunk) {
	if c == nil {
		return
	}
	r.pages.Add(int64(c.Pages))
	r.fromCache.Add(int64(c.Pages))
	if c.Unfiltered {
		r.unfiltered.Store(true)
	}
}
