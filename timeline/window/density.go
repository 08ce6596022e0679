package window

import "time"

// MaxRows is the number of expected rows up to which a window is planned.
const MaxRows = 1000

// MaxRate is the highest rate that a token holds, in rows per ten hours.
const MaxRate = 1<<14 - 1

// Density estimates how many rows an hour of a source holds, and chooses the width of windows by it.
type Density struct {
	// Level is the level of the window that was planned last.
	Level Level
	// Most is the number of expected rows up to which a window is planned.
	Most float64
	// Known is the rate of a token, in rows per ten hours; 0 = none.
	Known int
	// Widest is the widest window that fits into a call; 0 = any window does.
	Widest time.Duration

	rows, hours float64 // sums over the latest windows; older ones fade
}

// Rate returns the estimated number of rows per ten hours, as a token holds it; 0 = nothing is known.
func (d *Density) Rate() int {
	if d.hours <= 0 {
		return d.Known
	}
	return int(min(d.rows/d.hours*10, MaxRate))
}

// RowsPerHour returns the estimated number of rows per hour; 0 = nothing is known.
func (d *Density) RowsPerHour() float64 { return float64(d.Rate()) / 10 }

// quick is the time within which a window must be read so that the next ones may be twice as wide.
const quick = 5 * time.Second

// ObserveTime takes into account how long the reading of a window took.
func (d *Density) ObserveTime(t time.Duration) {
	if t >= quick || d.Widest == 0 {
		return
	}
	if d.Widest *= 2; d.Widest > longestReach {
		d.Widest = 0
	}
}

// Observe takes into account how many rows a window had that was read to its end.
func (d *Density) Observe(w Window, rows int) {
	const fade = 0.9 // the weight that each older window loses to the next one
	d.rows = d.rows*fade + float64(rows)
	d.hours = d.hours*fade + w.Hours()
}

// Reset forgets the estimate, because a window held more than expected, and goes on at a level or below.
func (d *Density) Reset(l Level) {
	d.Level = min(d.Level, l)
	d.rows, d.hours = 0, 0
}

// choose returns the widest level whose cells are expected to hold few enough rows. It is at most one step wider than before,
// because an empty time may end.
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

// cell returns the part of an hour that is expected to hold few enough rows: an hour, halved as often as needed.
func (d *Density) cell() time.Duration {
	c := time.Hour
	for c > 5*time.Minute && d.hours > 0 && d.rows/d.hours*c.Hours() > 2*d.Most {
		c /= 2
	}
	return c
}

// longestReach is the longest time that Widest bounds windows to.
const longestReach = 31 * 24 * time.Hour

// Seek bounds the next window to the time that is expected to hold a number of rows, at a rate of rows per hour.
func (d *Density) Seek(rows, rate float64) {
	d.Known = int(min(rate*10, MaxRate))
	if rate*Year.hours() > rows { // otherwise a year holds fewer rows, and needs no bound
		d.Reach(time.Duration(rows / rate * float64(time.Hour)))
	}
}

// Reach bounds the length of the next window, whatever the grid. The windows after it may be longer.
func (d *Density) Reach(t time.Duration) {
	d.Level = min(d.Level, Year)
	d.Widest = min(max(t.Truncate(time.Second), time.Second), longestReach)
}
