package timeline

import (
	"slices"
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	t.Parallel()
	start, end := time.Date(2024, 2, 27, 22, 30, 0, 5, time.UTC), time.Date(2024, 3, 2, 1, 0, 0, 0, time.UTC)
	for l := hour; l <= era; l++ {
		for _, desc := range []bool{false, true} {
			p := plan{rest: span{start, end}, widest: l, desc: desc, pivot: yearOf(end)}
			d := density{level: l, most: maxRows}
			var windows []window
			for w, ok := p.next(&d); ok; w, ok = p.next(&d) {
				if w.empty() || w.start.Before(start) || w.end.After(end) {
					t.Fatalf("window %v", w)
				}
				if !w.start.Equal(start) && !l.floor(w.start).Equal(w.start) {
					t.Errorf("level %d: %v begins off the grid", l, w.start)
				}
				windows = append(windows, w)
			}
			for i := range len(windows) - 1 {
				a, b := windows[i], windows[i+1]
				if desc {
					a, b = b, a
				}
				if !a.end.Equal(b.start) {
					t.Errorf("level %d: %v and %v do not meet", l, a, b)
				}
			}
			first, last := windows[0], windows[len(windows)-1]
			if desc {
				first, last = last, first
			}
			if !first.start.Equal(start) || !last.end.Equal(end) {
				t.Errorf("level %d: windows from %v to %v", l, first.start, last.end)
			}
		}
	}
	// Years that have passed are one window.
	for _, desc := range []bool{false, true} {
		whole, pivot := span{start.AddDate(-6, 0, 0), end}, yearOf(end)
		p, d := plan{rest: whole, widest: era, desc: desc, pivot: pivot}, density{level: era, most: maxRows}
		windows := []window{{span{whole.start, pivot}, era}, {span{pivot, whole.end}, year}}
		if desc {
			slices.Reverse(windows)
		}
		for _, want := range windows {
			if got, ok := p.next(&d); !ok || got != want {
				t.Errorf("window %v, want %v", got, want)
			}
		}
		if got, ok := p.next(&d); ok {
			t.Errorf("another window %v", got)
		}
	}
	for w, want := range map[window]level{
		{span{start, start.AddDate(9, 0, 0)}, era}:    year,
		{span{start, start.AddDate(1, 0, 0)}, year}:   month,
		{span{start, start.AddDate(0, 0, 30)}, year}:  day,
		{span{start, start.AddDate(0, 1, 0)}, month}:  day,
		{span{start, start.AddDate(0, 0, 1)}, day}:    sixHours,
		{span{start, start.Add(7 * time.Hour)}, day}:  hour,
		{span{start, start.Add(2 * time.Hour)}, year}: hour,
	} {
		if got, ok := w.finer(); !ok || got != want {
			t.Errorf("%v at level %d is cut at level %d (%v), want %d", w.span, w.level, got, ok, want)
		}
	}
	if _, ok := (window{span{start, start.Add(time.Hour)}, year}).finer(); ok {
		t.Error("an hour was cut")
	}
}

// TestCells: an hour is cut on its own grid once it is known to hold too much, in whole seconds.
func TestCells(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 3, 3, 9, 50, 0, 0, time.UTC)
	for _, c := range []struct {
		rows       float64 // of an hour
		want, back time.Duration
	}{
		{0, 10 * time.Minute, 50 * time.Minute},
		{2000, 10 * time.Minute, 50 * time.Minute},
		{3000, 10 * time.Minute, 20 * time.Minute},
		{8000, 10 * time.Minute, 5 * time.Minute},
		{1e9, 150 * time.Second, 75 * time.Second},
	} {
		d := density{rows: c.rows, hours: 1, most: maxRows, level: hour}
		d.saw(window{span{at, at.Add(time.Hour)}, hour}, int(c.rows))
		p := &plan{rest: span{at, at.Add(24 * time.Hour)}, widest: hour}
		w, _ := p.next(&d)
		if took := w.end.Sub(w.start); c.rows > 0 && took != c.want {
			t.Errorf("%g rows an hour: a window of %v, want %v", c.rows, took, c.want)
		}
		p = &plan{rest: span{at.Add(-24 * time.Hour), at}, widest: hour, desc: true}
		w, _ = p.next(&d)
		if took := w.end.Sub(w.start); c.rows > 0 && took != c.back {
			t.Errorf("%g rows an hour, backwards: a window of %v, want %v", c.rows, took, c.back)
		}
	}
}
