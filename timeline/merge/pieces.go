package merge

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// slowWindow is the time for which the next window may be read before a token says that it is too slow for a call.
const slowWindow = 10 * time.Second

// isSlow reports whether a later call must not count on the end of the reading: it goes on after slowWindow, or has outlived this call
// (outOfTime).
func (p *pendingRead) isSlow(outOfTime bool) bool {
	if p == nil || p.chain != nil || !p.hasBegun() || p.ready() && !p.result.Abandoned() {
		return false
	}
	return outOfTime || time.Since(p.began) >= slowWindow
}

// split returns the pieces of a window that holds too much or takes too long.
func (r *sourceReader) split(read *pendingRead) []*task {
	w := read.window
	r.raiseStart(read.result)
	w.Start = window.Later(w.Start, read.result.AcceptedStart)
	l, divisible := w.Finer()
	if !divisible || read.result.Reread == fetch.InHalves {
		return r.halve(w)
	}
	if parts := r.eras(w); len(parts) > 0 {
		return parts
	}
	r.density.Restart(l)
	return []*task{{plan: r.plan(w.Span, w.Level-1)}}
}

// halve returns the halves of a window, in the order of the walk. The first half is left out after the position has passed it.
func (r *sourceReader) halve(w window.Window) []*task {
	first, second, ok := w.Halves()
	if !ok {
		return []*task{{read: &pendingRead{window: w, indivisible: true}}}
	}
	r.density.Longest = first.End.Sub(first.Start)
	if r.desc {
		first, second = second, first
	}
	halves := []*task{readWindow(first), readWindow(second)}
	if from := &r.resumeFrom; from.window == w && !from.outOfWindow && r.catchingUp(first.Span) {
		return halves[1:]
	}
	return halves
}

// eras returns the pieces of an era that reaches back far. The time before the first years of the source is not read by the year while
// nothing is known to be there. Any other window has no such pieces.
func (r *sourceReader) eras(w window.Window) []*task {
	if w.Level != window.Era {
		return nil
	}
	var parts []*task
	rest := w.Span
	for _, start := range r.laterStarts {
		if start.After(rest.Start) && start.Before(rest.End) {
			parts = append(parts, readWindow(window.Window{Span: window.Span{Start: rest.Start, End: start}, Level: window.Era}))
			rest.Start = start
		}
	}
	if len(parts) == 0 {
		return nil
	}
	last := window.Window{Span: rest, Level: window.Era}
	if l, ok := last.Finer(); ok {
		r.density.Reset(l)
	}
	parts = append(parts, &task{plan: r.plan(rest, window.Year)})
	if r.desc {
		slices.Reverse(parts)
	}
	return parts
}

// readUnbounded goes on with a source whose Graph does not honour bounds. Every window would bring the same rows, so the rest is read
// once as a whole, and rows out of it are left out.
func (r *sourceReader) readUnbounded(pool *readPool, read *pendingRead) {
	if read.result.Reread != fetch.BoundsUnsent {
		r.addGap(window.Gap{Span: read.window.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
	}
	rest := r.interval
	if r.desc {
		rest.End = read.window.End
	} else {
		rest.Start = read.window.Start
	}
	r.abandonQueue(pool)
	r.queue = []*task{{read: &pendingRead{window: window.Window{Span: rest, Level: window.Hour}, unbounded: true}}}
}

// abandonQueue ends the readings of the queue. Nobody waits for them any more.
func (r *sourceReader) abandonQueue(pool *readPool) {
	for _, queued := range r.queue {
		read := queued.read
		if read == nil || !read.hasBegun() {
			continue
		}
		if read.cancel != nil {
			read.cancel()
		}
		if read.ready() {
			r.fetch.Drop(read.result)
			continue
		}
		pool.group.Go(func() {
			<-read.done
			r.fetch.Drop(read.result)
		})
	}
	r.queue = nil
}
