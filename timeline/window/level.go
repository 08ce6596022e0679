package window

import "time"

// Level is a width of the grid. A cell of one level lies within one cell of the next.
type Level uint8

// The levels, from the narrowest to the widest. An era is everything before the current year, or before what Graph keeps
// (Plan.EraEnd): while nothing is known about a source, its empty years cost one request together.
const (
	Hour Level = iota
	SixHours
	Day
	month
	Year
	Era
)

// TooMuch reports whether a window that has another page is split: from a month on by its pages with rows and a link, below by its weight,
// which is what fetch.Reader.Weigh returns. The pages that were read are then overhead. The pieces are read
// in parallel, which saves time, and each of them takes less memory.
func (l Level) TooMuch(pages, weight int) bool {
	switch {
	case l == Era:
		return pages >= 1
	case l >= month:
		return pages >= 4
	default:
		return weight >= 5*TargetRows/2
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

// Next returns the beginning of the cell after the one that holds t. An era has no next cell.
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
