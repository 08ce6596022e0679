// Package window is the UTC grid of the timeline: spans of time, the widths that an interval is cut by, how many rows an hour of
// a source holds, and the plan that takes the next window off what is left. It reads nothing and knows no source.
package window

import "time"

// Level is a width of the grid. Each one is contained in the next.
type Level uint8

const (
	Hour Level = iota
	SixHours
	Day
	month
	Year
	Era // everything before the current year: while nothing is known, empty years cost one request together
)

// MaxRows is the number of expected rows up to which a window is planned.
const MaxRows = 1000

// TooMuch tells when a window that goes on is split instead of being read to its end. What was read is then overhead;
// what is saved is waiting (the pieces are read in parallel) and memory.
func (l Level) TooMuch(pages, rows int) bool {
	switch {
	case l == Era:
		return pages >= 1
	case l >= month:
		return pages >= 4
	default:
		return rows >= 5*MaxRows/2
	}
}

// Floor returns the beginning of the grid cell that holds t.
func (l Level) Floor(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	switch l {
	case Hour:
		return time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case SixHours:
		return time.Date(y, m, d, t.Hour()/6*6, 0, 0, 0, time.UTC)
	case Day:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case month:
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case Era:
		return time.Time{}
	default:
		return YearOf(t)
	}
}

// YearOf returns the beginning of the year that holds t.
func YearOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC)
}

// Next returns the beginning of the cell behind the one that holds t; an era has none.
func (l Level) Next(t time.Time) time.Time {
	from := l.Floor(t)
	switch l {
	case Hour:
		return from.Add(time.Hour)
	case SixHours:
		return from.Add(6 * time.Hour)
	case Day:
		return from.AddDate(0, 0, 1)
	case month:
		return from.AddDate(0, 1, 0)
	default:
		return from.AddDate(1, 0, 0)
	}
}

// hours is the usual length of a cell.
func (l Level) hours() float64 {
	return [...]float64{1, 6, 24, 730, 8766, 87660}[l]
}

// Span is a half-open piece of time.
type Span struct{ Start, End time.Time }

func (s Span) Empty() bool          { return !s.End.After(s.Start) }
func (s Span) Hours() float64       { return s.End.Sub(s.Start).Hours() }
func (s Span) Has(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Begin is the end of a span that a walk comes to first.
func (s Span) Begin(desc bool) time.Time {
	if desc {
		return s.End
	}
	return s.Start
}

// Window is one piece of the interval that is read by itself.
type Window struct {
	Span
	Level Level
}

// Finer returns the level that a window is split by: the widest one that cuts it into 3 to 62 pieces, else the widest one
// that cuts it at all; false when there is none.
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

// leastHalf is the shortest window that is still asked for in halves: each is asked for a second wider on both sides.
const leastHalf = 4 * time.Second

// Halves cuts a window in two at a whole second; false when it is too short.
func (w Window) Halves() (first, second Window, ok bool) {
	middle := w.Start.Add(w.End.Sub(w.Start) / 2).Truncate(time.Second)
	if w.End.Sub(w.Start) < leastHalf || !middle.After(w.Start) {
		return w, w, false
	}
	return Window{Span{w.Start, middle}, w.Level}, Window{Span{middle, w.End}, w.Level}, true
}

// MaxRate is the highest rate that a token tells: rows in ten hours.
const MaxRate = 1<<14 - 1

// Density is how many rows an hour of a source has held lately.
type Density struct {
	rows, hours float64
	Level       Level         // of the window planned last
	Most        float64       // expected rows up to which a window is planned
	Known       int           // rate that a token told; 0 = none
	Narrow      time.Duration // widest window that fits into a call; 0 = any does
}

// Rate is how many rows ten hours hold, as far as is known.
func (d *Density) Rate() int {
	if d.hours <= 0 {
		return d.Known
	}
	return int(min(d.rows/d.hours*10, MaxRate))
}

// quick is how soon a window must have been read for those behind it to be twice as wide again.
const quick = 5 * time.Second

// Took learns how long a window took.
func (d *Density) Took(t time.Duration) {
	if t >= quick || d.Narrow == 0 {
		return
	}
	if d.Narrow *= 2; d.Narrow > 31*24*time.Hour {
		d.Narrow = 0
	}
}

// Saw learns from a window that was read whole; older ones fade.
func (d *Density) Saw(w Window, rows int) {
	const fade = 0.9
	d.rows = d.rows*fade + float64(rows)
	d.hours = d.hours*fade + w.Hours()
}

// Dense forgets what was seen, because a window held more than expected, and goes on with narrower ones.
func (d *Density) Dense(l Level) {
	d.Level = min(d.Level, l)
	d.rows, d.hours = 0, 0
}

// choose returns the widest level that is expected to hold few enough rows, at most one step wider than before:
// emptiness may end.
func (d *Density) choose(widest Level) Level {
	if d.hours > 0 {
		l := Era
		for l > Hour && d.rows/d.hours*l.hours() > d.Most {
			l--
		}
		d.Level = min(l, d.Level+1)
	}
	d.Level = min(d.Level, widest)
	return d.Level
}

// cell is the part of an hour that is expected to hold few enough rows: an hour, or that halved a few times.
func (d *Density) cell() time.Duration {
	c := time.Hour
	for c > 5*time.Minute && d.hours > 0 && d.rows/d.hours*c.Hours() > 2*d.Most {
		c /= 2
	}
	return c
}

// Plan cuts what is left of a span into windows, in the order of the walk.
type Plan struct {
	Rest   Span
	Widest Level
	Desc   bool
	Pivot  time.Time // where an era ends: the beginning of the current year, or of what Graph keeps
}

// Next takes the next window off the rest; false when nothing is left.
func (p *Plan) Next(d *Density) (Window, bool) {
	if p.Rest.Empty() {
		return Window{}, false
	}
	l := d.choose(p.Widest)
	if l == Era && p.older().Hours() <= Year.hours() {
		l = Year
	}
	if p.Desc {
		from := l.Floor(p.Rest.End.Add(-1))
		if c := d.cell(); l == Hour && c < time.Hour {
			from = p.Rest.End.Add(-1).Truncate(c)
		}
		from = Later(from, p.Rest.Start)
		if l == Year && p.Rest.End.After(p.Pivot) {
			from = Later(from, p.Pivot)
		}
		if d.Narrow > 0 {
			from = Later(from, p.Rest.End.Add(-d.Narrow))
		}
		w := Window{Span{from, p.Rest.End}, l}
		p.Rest.End = from
		return w, true
	}
	to := p.Pivot
	if l != Era {
		to = l.Next(p.Rest.Start)
		if c := d.cell(); l == Hour && c < time.Hour {
			to = p.Rest.Start.Truncate(c).Add(c)
		}
	}
	to = Earlier(to, p.Rest.End)
	if d.Narrow > 0 {
		to = Earlier(to, p.Rest.Start.Add(d.Narrow))
	}
	w := Window{Span{p.Rest.Start, to}, l}
	p.Rest.Start = to
	return w, true
}

// older is the era that comes next: empty when the current year does.
func (p *Plan) older() Span {
	s := p.Rest
	if p.Desc && s.End.After(p.Pivot) {
		return Span{}
	}
	s.End = Earlier(s.End, p.Pivot)
	return s
}

func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
