// Package window is the UTC grid of the timeline: spans of time, the widths that an interval is split by, how many rows an hour of
// a source holds, and the plan that takes the next window off what is left. It reads nothing and
// knows no source: package merge above it takes one window after another off the plan, and package fetch reads the windows. Only the contract is below it.
package window

import "time"

// Span is a half-open interval of time.
type Span struct{ Start, End time.Time }

// Empty reports whether the span holds no instant.
func (s Span) Empty() bool { return !s.End.After(s.Start) }

// Hours is the length of the span.
func (s Span) Hours() float64 { return s.End.Sub(s.Start).Hours() }

// Has reports whether t lies within the span.
func (s Span) Has(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Begin is the bound at which a walk enters the span.
func (s Span) Begin(desc bool) time.Time {
	if desc {
		return s.End
	}
	return s.Start
}

// Window is a span that is read as one piece.
type Window struct {
	Span
	// Level is the level of the grid by which the window was planned; finer ones split it. Hour: none does, however long the window is.
	Level Level
}

// Finer returns the level that the window is split by: the widest level that splits it into 3 to 62 pieces, else the widest level
// that splits it at all. It returns false when no level does.
func (w Window) Finer() (Level, bool) {
	for l := w.Level; l > Hour; {
		l--
		if pieces := w.Hours() / l.hours(); pieces >= 3 && pieces <= 62 {
			return l, true
		}
	}
	for l := w.Level; l > Hour; {
		l--
		if w.Hours() > l.hours()*1.01 {
			return l, true
		}
	}
	return 0, false
}

// IsDivisible reports whether the grid splits the window.
func (w Window) IsDivisible() bool {
	_, ok := w.Finer()
	return ok
}

// leastHalf is the length of the shortest window that is still halved. Each half is asked for a second wider on both sides.
const leastHalf = 4 * time.Second

// Halves splits the window in two at a whole second. It returns false when the window is too short.
func (w Window) Halves() (first, second Window, ok bool) {
	middle := w.Start.Add(w.End.Sub(w.Start) / 2).Truncate(time.Second)
	if w.End.Sub(w.Start) < leastHalf || !middle.After(w.Start) {
		return w, w, false
	}
	return Window{Span{w.Start, middle}, w.Level}, Window{Span{middle, w.End}, w.Level}, true
}

// Earlier returns the earlier one of two times.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Later returns the later one of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
