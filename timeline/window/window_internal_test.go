package window

import (
	"slices"
	"testing"
	"time"
)

// An interval that begins and ends off the grid.
var start, end = time.Date(2024, 2, 27, 22, 30, 0, 5, time.UTC), time.Date(2024, 3, 2, 1, 0, 0, 0, time.UTC)

func TestPlannedWindowsMeetOnTheGrid(t *testing.T) {
	t.Parallel()
	for l := Hour; l <= Era; l++ {
		for _, desc := range []bool{false, true} {
			p := Plan{Rest: Span{start, end}, MaxLevel: l, Desc: desc, EraEnd: YearOf(end)}
			d := Density{Level: l, WindowRows: TargetRows}
			var windows []Window
			for w, ok := p.Next(&d); ok; w, ok = p.Next(&d) {
				if w.Empty() || w.Start.Before(start) || w.End.After(end) {
					t.Fatalf("window %v", w)
				}
				if !w.Start.Equal(start) && !l.Floor(w.Start).Equal(w.Start) {
					t.Errorf("level %d: %v begins off the grid", l, w.Start)
				}
				windows = append(windows, w)
			}
			for i := range len(windows) - 1 {
				a, b := windows[i], windows[i+1]
				if desc {
					a, b = b, a
				}
				if !a.End.Equal(b.Start) {
					t.Errorf("level %d: %v and %v do not meet", l, a, b)
				}
			}
			first, last := windows[0], windows[len(windows)-1]
			if desc {
				first, last = last, first
			}
			if !first.Start.Equal(start) || !last.End.Equal(end) {
				t.Errorf("level %d: windows from %v to %v", l, first.Start, last.End)
			}
		}
	}
}

func TestPastYearsAreOneWindow(t *testing.T) {
	t.Parallel()
	for _, desc := range []bool{false, true} {
		whole, eraEnd := Span{start.AddDate(-6, 0, 0), end}, YearOf(end)
		p, d := Plan{Rest: whole, MaxLevel: Era, Desc: desc, EraEnd: eraEnd}, Density{Level: Era, WindowRows: TargetRows}
		windows := []Window{{Span{whole.Start, eraEnd}, Era}, {Span{eraEnd, whole.End}, Year}}
		if desc {
			slices.Reverse(windows)
		}
		for _, want := range windows {
			if got, ok := p.Next(&d); !ok || got != want {
				t.Errorf("window %v, want %v", got, want)
			}
		}
		if got, ok := p.Next(&d); ok {
			t.Errorf("another window %v", got)
		}
	}
}

func TestFinerLevels(t *testing.T) {
	t.Parallel()
	for w, want := range map[Window]Level{
		{Span{start, start.AddDate(9, 0, 0)}, Era}:    Year,
		{Span{start, start.AddDate(1, 0, 0)}, Year}:   month,
		{Span{start, start.AddDate(0, 0, 30)}, Year}:  Day,
		{Span{start, start.AddDate(0, 1, 0)}, month}:  Day,
		{Span{start, start.AddDate(0, 0, 1)}, Day}:    SixHours,
		{Span{start, start.Add(7 * time.Hour)}, Day}:  Hour,
		{Span{start, start.Add(2 * time.Hour)}, Year}: Hour,
	} {
		if got, ok := w.Finer(); !ok || got != want {
			t.Errorf("%v at level %d is split at level %d (%v), want %d", w.Span, w.Level, got, ok, want)
		}
	}
	if _, ok := (Window{Span{start, start.Add(time.Hour)}, Year}).Finer(); ok {
		t.Error("an hour was split")
	}
}

// TestFullHoursAreSplit: an hour is split on its own grid once it is known to hold too much, in whole seconds.
func TestFullHoursAreSplit(t *testing.T) {
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
		d := Density{rows: c.rows, hours: 1, WindowRows: TargetRows, Level: Hour}
		d.Observe(Window{Span{at, at.Add(time.Hour)}, Hour}, int(c.rows))
		p := &Plan{Rest: Span{at, at.Add(24 * time.Hour)}, MaxLevel: Hour}
		w, _ := p.Next(&d)
		if took := w.End.Sub(w.Start); c.rows > 0 && took != c.want {
			t.Errorf("%g rows an hour: a window of %v, want %v", c.rows, took, c.want)
		}
		p = &Plan{Rest: Span{at.Add(-24 * time.Hour), at}, MaxLevel: Hour, Desc: true}
		w, _ = p.Next(&d)
		if took := w.End.Sub(w.Start); c.rows > 0 && took != c.back {
			t.Errorf("%g rows an hour, backwards: a window of %v, want %v", c.rows, took, c.back)
		}
	}
}
