package timeline

import "time"

// level is a width of the grid. Each one is contained in the next.
type level uint8

const (
	hour level = iota
	sixHours
	day
	month
	year
	era // everything before the current year: while nothing is known, empty years cost one request together
)

// maxRows is the number of expected rows up to which a window is planned.
const maxRows = 1000

// tooMuch tells when a window that goes on is split instead of being read to its end. What was read is then overhead;
// what is saved is waiting (the pieces are read in parallel) and memory.
func (l level) tooMuch(pages, rows int) bool {
	switch {
	case l == era:
		return pages >= 1
	case l >= month:
		return pages >= 4
	default:
		return rows >= 5*maxRows/2
	}
}

// floor returns the beginning of the grid cell that holds t.
func (l level) floor(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	switch l {
	case hour:
		return time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case sixHours:
		return time.Date(y, m, d, t.Hour()/6*6, 0, 0, 0, time.UTC)
	case day:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case month:
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	case era:
		return time.Time{}
	default:
		return yearOf(t)
	}
}

// yearOf returns the beginning of the year that holds t.
func yearOf(t time.Time) time.Time {
	return time.Date(t.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC)
}

// next returns the beginning of the cell behind the one that holds t; an era has none.
func (l level) next(t time.Time) time.Time {
	from := l.floor(t)
	switch l {
	case hour:
		return from.Add(time.Hour)
	case sixHours:
		return from.Add(6 * time.Hour)
	case day:
		return from.AddDate(0, 0, 1)
	case month:
		return from.AddDate(0, 1, 0)
	default:
		return from.AddDate(1, 0, 0)
	}
}

// hours is the usual length of a cell.
func (l level) hours() float64 {
	return [...]float64{1, 6, 24, 730, 8766, 87660}[l]
}

// span is a half-open piece of time.
type span struct{ start, end time.Time }

func (s span) empty() bool          { return !s.end.After(s.start) }
func (s span) hours() float64       { return s.end.Sub(s.start).Hours() }
func (s span) has(t time.Time) bool { return !t.Before(s.start) && t.Before(s.end) }

// begin is the end of a span that a walk comes to first.
func (s span) begin(desc bool) time.Time {
	if desc {
		return s.end
	}
	return s.start
}

// window is one piece of the interval that is read by itself.
type window struct {
	span
	level level
}

// finer returns the level that a window is split by: the widest one that cuts it into 3 to 62 pieces, else the widest one
// that cuts it at all; false when there is none.
func (w window) finer() (level, bool) {
	for l := w.level; l > hour; {
		l--
		if pieces := w.hours() / l.hours(); pieces >= 3 && pieces <= 62 {
			return l, true
		}
	}
	for l := w.level; l > hour; {
		l--
		if w.hours() > l.hours()*1.01 {
			return l, true
		}
	}
	return 0, false
}

// leastHalf is the shortest window that is still asked for in halves: each is asked for a second wider on both sides.
const leastHalf = 4 * time.Second

// halves cuts a window in two at a whole second; false when it is too short.
func (w window) halves() (first, second window, ok bool) {
	middle := w.start.Add(w.end.Sub(w.start) / 2).Truncate(time.Second)
	if w.end.Sub(w.start) < leastHalf || !middle.After(w.start) {
		return w, w, false
	}
	return window{span{w.start, middle}, w.level}, window{span{middle, w.end}, w.level}, true
}

// maxRate is the highest rate that a token tells: rows in ten hours.
const maxRate = 1<<14 - 1

// density is how many rows an hour of a source has held lately.
type density struct {
	rows, hours float64
	level       level         // of the window planned last
	most        float64       // expected rows up to which a window is planned
	known       int           // rate that a token told; 0 = none
	narrow      time.Duration // widest window that fits into a call; 0 = any does
}

// rate is how many rows ten hours hold, as far as is known.
func (d *density) rate() int {
	if d.hours <= 0 {
		return d.known
	}
	return int(min(d.rows/d.hours*10, maxRate))
}

// quick is how soon a window must have been read for those behind it to be twice as wide again.
const quick = 5 * time.Second

// took learns how long a window took.
func (d *density) took(t time.Duration) {
	if t >= quick || d.narrow == 0 {
		return
	}
	if d.narrow *= 2; d.narrow > 31*24*time.Hour {
		d.narrow = 0
	}
}

// saw learns from a window that was read whole; older ones fade.
func (d *density) saw(w window, rows int) {
	const fade = 0.9
	d.rows = d.rows*fade + float64(rows)
	d.hours = d.hours*fade + w.hours()
}

// dense forgets what was seen, because a window held more than expected, and goes on with narrower ones.
func (d *density) dense(l level) {
	d.level = min(d.level, l)
	d.rows, d.hours = 0, 0
}

// choose returns the widest level that is expected to hold few enough rows, at most one step wider than before:
// emptiness may end.
func (d *density) choose(widest level) level {
	if d.hours > 0 {
		l := era
		for l > hour && d.rows/d.hours*l.hours() > d.most {
			l--
		}
		d.level = min(l, d.level+1)
	}
	d.level = min(d.level, widest)
	return d.level
}

// cell is the part of an hour that is expected to hold few enough rows: an hour, or that halved a few times.
func (d *density) cell() time.Duration {
	c := time.Hour
	for c > 5*time.Minute && d.hours > 0 && d.rows/d.hours*c.Hours() > 2*d.most {
		c /= 2
	}
	return c
}

// plan cuts what is left of a span into windows, in the order of the walk.
type plan struct {
	rest   span
	widest level
	desc   bool
	pivot  time.Time // where an era ends: the beginning of the current year, or of what Graph keeps
}

// next takes the next window off the rest; false when nothing is left.
func (p *plan) next(d *density) (window, bool) {
	if p.rest.empty() {
		return window{}, false
	}
	l := d.choose(p.widest)
	if l == era && p.older().hours() <= year.hours() {
		l = year
	}
	if p.desc {
		from := l.floor(p.rest.end.Add(-1))
		if c := d.cell(); l == hour && c < time.Hour {
			from = p.rest.end.Add(-1).Truncate(c)
		}
		from = later(from, p.rest.start)
		if l == year && p.rest.end.After(p.pivot) {
			from = later(from, p.pivot)
		}
		if d.narrow > 0 {
			from = later(from, p.rest.end.Add(-d.narrow))
		}
		w := window{span{from, p.rest.end}, l}
		p.rest.end = from
		return w, true
	}
	to := p.pivot
	if l != era {
		to = l.next(p.rest.start)
		if c := d.cell(); l == hour && c < time.Hour {
			to = p.rest.start.Truncate(c).Add(c)
		}
	}
	to = earlier(to, p.rest.end)
	if d.narrow > 0 {
		to = earlier(to, p.rest.start.Add(d.narrow))
	}
	w := window{span{p.rest.start, to}, l}
	p.rest.start = to
	return w, true
}

// older is the era that comes next: empty when the current year does.
func (p *plan) older() span {
	s := p.rest
	if p.desc && s.end.After(p.pivot) {
		return span{}
	}
	s.end = earlier(s.end, p.pivot)
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
