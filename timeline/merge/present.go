package merge

import (
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// present is the present of a walk: the time of its first call, so that its end does not move while it is read. A walk that is extended
// begins a new present with the call that extends it. This machine's clock and Graph's may differ; the earlier one counts where a row must
// not be missed.
type present struct {
	ofWalk  time.Time            // the walk's present, by this machine's clock
	earlier time.Time            // the walk's present by the earlier one of both clocks, from a token; zero = the present began with this call: it is the first, or extends the walk
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

// settled is the time before which no new row of a source is expected.
func (m *Merger) settled(src parleyv1.Source) time.Time {
	return window.Earlier(m.span.End, m.present.earliest().Add(-m.cfg.Settle[src]))
}
