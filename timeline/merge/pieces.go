package merge

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// slowWindow is how long the window that comes next may be read before a token says that it does not fit into a call.
const slowWindow = 10 * time.Second

// isSlow reports whether the window that comes next is being read for so long that a later call must not count on its end.
// hurried tells that this call is out of time already.
func (s *pendingRead) isSlow(hurried bool) bool {
	if s == nil || s.pager != nil || s.done == nil || s.ready() && !s.result.Abandoned() {
		return false
	}
	return hurried || time.Since(s.began) >= slowWindow
}

// split are what a window is read in that holds too much or takes too long.
func (r *sourceReader) split(s *pendingRead) []*task {
	w := s.window
	r.raiseStart(s.result)
	w.Start = window.Later(w.Start, s.result.Begun)
	l, divisible := w.Finer()
	if parts := r.eras(w); divisible && !s.result.Halve && len(parts) > 0 {
		return parts
	}
	if divisible && !s.result.Halve {
		r.density.Reset(l)
		rest := &task{plan: r.plan(w.Span, w.Level-1)}
		r.density.Level = l
		return []*task{rest}
	}
	first, second, ok := w.Halves()
	if !ok {
		return []*task{{read: &pendingRead{window: w, whole: true}}}
	}
	r.density.Widest = first.End.Sub(first.Start)
	passed := r.resumeFrom != nil && r.resumeFrom.delivered && !r.resumeFrom.outOfWindow && r.resumeFrom.window == w
	if r.desc {
		first, second = second, first
		passed = passed && r.resumeFrom.time.Before(first.Start)
	} else {
		passed = passed && !r.resumeFrom.time.Before(second.Start)
	}
	if passed {
		return []*task{{read: &pendingRead{window: second}}}
	}
	return []*task{{read: &pendingRead{window: first}}, {read: &pendingRead{window: second}}}
}

// eras are the pieces of an era that reaches back far: what lies before the first years of the source is not read by the year
// while nothing is known to be there. None for any other window.
func (r *sourceReader) eras(w window.Window) []*task {
	if w.Level != window.Era {
		return nil
	}
	var parts []*task
	rest := w.Span
	for _, mark := range r.marks {
		if mark.After(rest.Start) && mark.Before(rest.End) {
			parts = append(parts, &task{read: &pendingRead{window: window.Window{Span: window.Span{Start: rest.Start, End: mark}, Level: window.Era}}})
			rest.Start = mark
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

// readUnbounded goes on with a source whose Graph does not honour bounds: every window would bring the same rows, so that all that is
// left is read once, and what lies outside is left out.
func (r *sourceReader) readUnbounded(f *readPool, s *pendingRead) {
	if !s.result.BoundsUnsent {
		r.addGap(window.Gap{Span: s.window.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED})
	}
	rest := r.interval
	if r.desc {
		rest.End = s.window.End
	} else {
		rest.Start = s.window.Start
	}
	r.abandonQueue(f)
	r.queue = []*task{{read: &pendingRead{window: window.Window{Span: rest, Level: window.Hour}, unbounded: true}}}
}

// abandonQueue ends the readings of what is queued, which nobody waits for any more.
func (r *sourceReader) abandonQueue(f *readPool) {
	for _, queued := range r.queue {
		s := queued.read
		if s == nil || s.done == nil {
			continue
		}
		if s.cancel != nil {
			s.cancel()
		}
		if s.ready() {
			r.fetch.Drop(s.result)
			continue
		}
		f.group.Go(func() {
			<-s.done
			r.fetch.Drop(s.result)
		})
	}
	r.queue = nil
}

// savedPosition is where a token says that the track stands, and whether the window there does not fit into this call.
func (r *sourceReader) savedPosition(hurried bool) (at *position, tried bool) {
	if r.current != nil || len(r.queue) == 0 {
		return r.position, false
	}
	next := r.queue[0].read
	tried = next.isSlow(hurried)
	if between := r.position != nil && r.position.window.Empty(); !tried && !between {
		return r.position, false
	}
	var place position
	if r.position != nil {
		place = *r.position
	}
	if next != nil && next.pager == nil {
		place.window = next.window // perhaps a piece of the one that the track stood in
	}
	return &place, tried
}
