package merge

import (
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/timeline/window"
)

// present is the present of a walk: the time of its first call, so that its end does not move while it is read. A walk that is extended
// begins a new present with the call that extends it. This machine's clock and Graph's may differ; the earlier one counts where a row must
// not be missed.
type present struct {
	ofWalk  time.Time            // the walk's present, by this machine's clock
	earlier time.Time            // the earliest present of the sources, from a token; zero = the present began with this call: it is the first, or extends the walk
	ofToken time.Time            // the walk's present as the token has it, from before this call extends the walk; zero = no token
	ofGraph time.Time            // the present of this call, by Graph's clock
	skew    func() time.Duration // time by which this machine's clock is ahead of Graph's
}

// earliest is the walk's present, by the earlier one of both clocks. Rows that Graph dates later are still to come.
func (p *present) earliest() time.Time {
	at := p.ofWalk.Add(-max(p.skew(), 0))
	if !p.earlier.IsZero() {
		at = window.Earlier(at, p.earlier)
	}
	return at
}

// now is the time at this moment, by the earlier one of both clocks.
func (p *present) now() time.Time { return time.Now().Add(-max(p.skew(), 0)) }

// settling is what the windows of a source say about the rows that have settled.
type settling struct {
	settle   time.Duration        // as Config.Settle
	skew     func() time.Duration // as present.skew
	conceal  bool                 // no answer may tell when a window was read: each counts as old as it may be
	openRead time.Time            // when the oldest of the open windows was read, by the earlier one of both clocks; zero = none was open
}

// noteRead notes when a window was read that ends at end; zero = it was not. One that was open then lacks the rows that came since.
func (s *settling) noteRead(end, read time.Time) {
	if read.IsZero() {
		return
	}
	at := read.Add(-max(s.skew(), 0))
	isOpen := end.After(at.Add(-s.settle))
	if isOpen && (s.openRead.IsZero() || at.Before(s.openRead)) {
		s.openRead = at
	}
}

// presentOf is the present of a source: that of the walk, or when the oldest of its open windows was read, whichever is earlier.
func (m *Merger) presentOf(r *sourceReader) time.Time {
	at := m.present.earliest()
	switch {
	case r.conceal:
		at = at.Add(-cache.MostOpen)
	case !r.openRead.IsZero():
		at = window.Earlier(at, r.openRead)
	}
	return at
}

// tokenPresent is the present that a token holds: the earliest one of the sources. finished says that the walk may be extended from there. A
// call that goes on before conceals the age of windows by itself.
func (m *Merger) tokenPresent(finished bool) time.Time {
	at := m.present.earliest()
	if m.req.Narrow && !finished {
		return at
	}
	for _, r := range m.readers {
		at = window.Earlier(at, m.presentOf(r))
	}
	return at
}

// settled is the time before which no new row of a source is expected.
func (m *Merger) settled(r *sourceReader) time.Time {
	return window.Earlier(m.span.End, m.presentOf(r).Add(-r.settle))
}
