package window

import "time"

// Plan splits the rest of a span into windows, in the order of the walk.
type Plan struct {
	// Rest is the span that is not split yet.
	Rest Span
	// MaxLevel is the level of the widest windows.
	MaxLevel Level
	// Desc says that the walk runs from the newest to the oldest event.
	Desc bool
	// EraEnd is the end of an era: the beginning of the current year, or of what Graph keeps.
	EraEnd time.Time
}

// Next takes the next window off the rest. It returns false when nothing is left.
func (p *Plan) Next(d *Density) (Window, bool) {
	if p.Rest.Empty() {
		return Window{}, false
	}
	l := d.choose(p.MaxLevel)
	if l == Era && p.era().Hours() <= Year.hours() {
		l = Year
	}
	if p.Desc {
		from := p.lastCellStart(l, d)
		w := Window{Span{from, p.Rest.End}, l}
		p.Rest.End = from
		return w, true
	}
	to := p.firstCellEnd(l, d)
	w := Window{Span{p.Rest.Start, to}, l}
	p.Rest.Start = to
	return w, true
}

// firstCellEnd is the end of the first cell of the rest.
func (p *Plan) firstCellEnd(l Level, d *Density) time.Time {
	to := p.EraEnd
	if l != Era {
		to = l.Next(p.Rest.Start)
		if c := d.cell(); l == Hour && c < time.Hour {
			to = p.Rest.Start.Truncate(c).Add(c)
		}
	}
	to = Earlier(to, p.Rest.End)
	if d.Longest > 0 {
		to = Earlier(to, p.Rest.Start.Add(d.Longest))
	}
	return to
}

// lastCellStart is the beginning of the last cell of the rest.
func (p *Plan) lastCellStart(l Level, d *Density) time.Time {
	from := l.Floor(p.Rest.End.Add(-1))
	if c := d.cell(); l == Hour && c < time.Hour {
		from = p.Rest.End.Add(-1).Truncate(c)
	}
	from = Later(from, p.Rest.Start)
	if l == Year && p.Rest.End.After(p.EraEnd) {
		from = Later(from, p.EraEnd)
	}
	if d.Longest > 0 {
		from = Later(from, p.Rest.End.Add(-d.Longest))
	}
	return from
}

// era is the era that comes next. It is empty when the current year comes next.
func (p *Plan) era() Span {
	s := p.Rest
	if p.Desc && s.End.After(p.EraEnd) {
		return Span{}
	}
	s.End = Earlier(s.End, p.EraEnd)
	return s
}
