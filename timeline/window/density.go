package window

import "time"

// TargetRows is the number of expected rows up to which a window is planned. A window may turn out to hold more; see Level.TooMuch.
const TargetRows = 1000

// MaxRate is the highest rate that a token holds, in rows per ten hours.
const MaxRate = 1<<14 - 1

// Density estimates how many rows an hour of a source holds, and chooses the width of windows by it. It learns by Observe, ObserveTime and
// Reset. Plan.Next asks it for the level and the cell of the next window.
type Density struct {
	// Level is the level from which the next one is chosen: at most one step wider.
	Level Level
	// WindowRows is the number of expected rows up to which a window is planned: TargetRows, or more where memory allows for it.
	WindowRows float64
	// SavedRate is the rate of a token or of the walk on the other side of an anchor, in rows per ten hours; 0 = none.
	SavedRate int
	// Longest bounds the length of the next windows beside the grid: an earlier one was too slow or too large, or is to hold a List's page
	// (LimitNext); 0 = no bound.
	Longest time.Duration

	rows, hours float64 // sums over the latest windows; older ones fade
}

// Rate returns the estimated number of rows per ten hours, as a token holds it; 0 = nothing is known.
func (d *Density) Rate() int {
	if d.hours <= 0 {
		return d.SavedRate
	}
	return int(min(d.rows/d.hours*10, MaxRate))
}

// RowsPerHour returns the estimated number of rows per hour; 0 = nothing is known.
func (d *Density) RowsPerHour() float64 { return float64(d.Rate()) / 10 }

// Observe takes into account how full a window was that was read to its end: weight is what fetch.Reader.Weigh returns.
func (d *Density) Observe(w Window, weight int) {
	const fade = 0.9 // the part of its weight that a window keeps after each later one
	d.rows = d.rows*fade + float64(weight)
	d.hours = d.hours*fade + w.Hours()
}

// quick is the time within which a window must be read so that the next ones may be twice as long.
const quick = 5 * time.Second

// MaxLongest is the longest time that Longest bounds windows to. Beyond it, they are not bounded.
const MaxLongest = 31 * 24 * time.Hour

// ObserveTime takes into account how long the reading of a window took.
func (d *Density) ObserveTime(t time.Duration) {
	if t >= quick || d.Longest == 0 {
		return
	}
	if d.Longest *= 2; d.Longest > MaxLongest {
		d.Longest = 0
	}
}

// Reset forgets the estimate, because a window held more than expected, and goes on at a level or below.
func (d *Density) Reset(l Level) {
	d.Level = min(d.Level, l)
	d.rows, d.hours = 0, 0
}

// Restart is Reset that goes on at the level, be it wider than before.
func (d *Density) Restart(l Level) {
	d.Reset(l)
	d.Level = l
}

// LimitNext bounds the length of the next window, whatever the grid. The windows after it may be longer.
func (d *Density) LimitNext(t time.Duration) {
	d.Level = min(d.Level, Year)
	d.Longest = min(max(t.Truncate(time.Second), time.Second), MaxLongest)
}

// LimitNextByRows bounds the next window to the time that is expected to hold a number of rows, at a rate of rows per hour.
func (d *Density) LimitNextByRows(rows, rate float64) {
	d.SavedRate = int(min(rate*10, MaxRate))
	if rate*Year.hours() > rows { // otherwise a year holds fewer rows, and needs no bound
		d.LimitNext(time.Duration(rows / rate * float64(time.Hour)))
	}
}

// choose returns the widest level whose cells are expected to hold few enough rows. It is at most one step wider than before,
// because an empty time may end.
func (d *Density) choose(maxLevel Level) Level {
	if d.hours > 0 {
		l := Era
		for l > Hour && d.rows/d.hours*l.hours() > d.WindowRows {
			l--
		}
		d.Level = min(l, d.Level+1)
	}
	d.Level = min(d.Level, maxLevel)
	return d.Level
}

// cell returns the part of an hour that is expected to hold few enough rows: an hour, halved as often as needed.
func (d *Density) cell() time.Duration {
	c := time.Hour
	for c > 5*time.Minute && d.hours > 0 && d.rows/d.hours*c.Hours() > 2*d.WindowRows {
		c /= 2
	}
	return c
}
