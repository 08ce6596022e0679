package merge

import (
	"sort"
	"time"

	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// position is a position inside a window: after the last entry that was delivered, or at the beginning. A reader moves it, and the
// fingerprint with it, in this order: enterPosition and enterFingerprint when it enters a window, setPosition when it delivers entries, and
// leaveFingerprint and leavePosition when it leaves the window, after reached has moved.
//
// A resumed walk reads the window of the token's position again. Where it was one window then and is split now, the pieces before the
// position hold delivered rows only, but for rows out of their window: in these pieces the walk is catching up. The position of the token
// stays until a piece reaches it.
type position struct {
	window      window.Window // empty = between two pieces of the token's window (betweenPieces), or nowhere (none)
	delivered   bool          // an entry was delivered; else the position is the beginning of the window
	time        time.Time
	key         string
	outOfWindow bool // the entry is out of its window: all entries in order were delivered before it
}

// none reports whether there is no position: it is the zero value.
func (p *position) none() bool { return p.window.Empty() && !p.delivered }

// betweenPieces reports whether the position lies behind a piece of the token's window and before the next one, which is not known yet.
func (p *position) betweenPieces() bool { return p.window.Empty() && p.delivered }

// deliveredUntil is the time up to which everything was delivered.
func (r *sourceReader) deliveredUntil() time.Time {
	if e := r.head(); e != nil && !e.OutOfWindow {
		return e.Time
	}
	if p := &r.position; p.delivered && !p.outOfWindow {
		return p.time
	}
	return r.reached
}

// setPosition moves the position after an entry of the current window. The position of the token stays while the current window lies
// before it: the entries that are delivered then are out of their window.
func (r *sourceReader) setPosition(e *chunk.Entry) {
	if r.catchingUp(r.current.Span) {
		return
	}
	r.position = position{window: r.current.Window, delivered: true, time: e.Time, key: e.Key, outOfWindow: e.OutOfWindow}
}

// enterPosition moves the position into the current window, and skips the entries that were delivered before the walk was resumed.
// inTokenWindow says that the window is the token's window or a piece of it.
func (r *sourceReader) enterPosition(inTokenWindow bool) {
	res, from := r.current, &r.resumeFrom
	r.position = position{window: res.Window}
	if !from.delivered {
		return
	}
	r.next = r.firstUndelivered(res, inTokenWindow)
	switch {
	case r.catchingUp(res.Span):
		r.position = r.resumePosition(res.Window)
	case from.outOfWindow && inTokenWindow, !from.outOfWindow && res.Has(from.time):
		r.position = *from
		r.position.window = res.Window
	}
}

// leavePosition moves the position after a window. The position of the token stays while it is not reached.
func (r *sourceReader) leavePosition(left window.Span) {
	r.position = position{}
	if r.catchingUp(left) {
		r.position = r.resumePosition(window.Window{})
	}
}

// catchingUp reports whether a window lies before the position that the walk was resumed from: it is a piece of that position's window.
func (r *sourceReader) catchingUp(s window.Span) bool {
	switch from := &r.resumeFrom; {
	case !from.delivered:
		return false
	case from.outOfWindow && r.desc:
		return from.window.Start.Before(s.Start)
	case from.outOfWindow:
		return from.window.End.After(s.End)
	case r.desc:
		return from.time.Before(s.Start)
	default:
		return !from.time.Before(s.End)
	}
}

// resumePosition is the position that the walk was resumed from, as a position in another window. After an entry out of its window, it is
// the position after all entries in order of the token's window.
func (r *sourceReader) resumePosition(w window.Window) position {
	p := position{window: w, delivered: true, time: r.resumeFrom.time, key: r.resumeFrom.key}
	if r.resumeFrom.outOfWindow {
		// Every entry in order came before it: the bound at which the walk leaves the window is after them all.
		p.time, p.key = r.resumeFrom.window.End, ""
		if r.desc {
			p.time = r.resumeFrom.window.Start
		}
	}
	return p
}

// wasDelivered reports whether an entry was delivered before the walk was resumed. inTokenWindow says that the window is the token's window or
// a piece of it.
func (r *sourceReader) wasDelivered(e *chunk.Entry, inTokenWindow bool) bool {
	switch from := &r.resumeFrom; {
	case e.OutOfWindow:
		return inTokenWindow && from.outOfWindow && e.Key <= from.key
	case from.outOfWindow:
		return from.window.Has(e.Time)
	default:
		return r.fetch.Compare(e, &chunk.Entry{Time: from.time, Key: from.key}) <= 0
	}
}

// firstUndelivered is the index of the first entry that was not delivered before the walk was resumed.
func (r *sourceReader) firstUndelivered(res *fetch.Result, inTokenWindow bool) int {
	if !r.resumeFrom.outOfWindow {
		return sort.Search(len(res.Entries), func(i int) bool { return !r.wasDelivered(&res.Entries[i], inTokenWindow) })
	}
	next := 0
	for next < len(res.Entries) && r.wasDelivered(&res.Entries[next], inTokenWindow) {
		next++
	}
	return next
}

// savedPosition returns the position for a token, and whether the window there is too slow for a call. It is the position as it is or, if
// the next window is too slow or the position lies between two pieces, one at that window: fillQueue has put a read at the head of the queue.
func (r *sourceReader) savedPosition(outOfTime bool) (at position, tooSlow bool) {
	if r.current != nil || len(r.queue) == 0 {
		return r.position, false
	}
	next := r.queue[0].read
	tooSlow = next.isSlow(outOfTime)
	if at = r.position; !tooSlow && !at.betweenPieces() {
		return at, false
	}
	if next != nil && next.chain == nil {
		at.window = next.window // perhaps a piece of the window of the position
	}
	return at, tooSlow
}
