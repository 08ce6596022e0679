package merge

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// Walks without a start time begin at the epoch, for history that was imported can be old: with one window up to the current
// year. Where Graph does not accept that or the window holds too much, it is split at the millennium and where the source's own
// rows begin: Teams became available in March 2017, the Copilot history in 2023. All of them lie a second into their year:
// windows are asked a second wider, and a Graph that accepts nothing before a year must not be asked for its eve.
var (
	epoch            = time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)
	millennium       = time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	chatBeginning    = time.Date(2017, 1, 1, 0, 0, 1, 0, time.UTC)
	copilotBeginning = time.Date(2023, 1, 1, 0, 0, 1, 0, time.UTC)
)

// retentionTolerance is the time by which a start may lie before the records that a source keeps. A caller who asks for the last thirty days
// must not be told a minute later that they are more.
const retentionTolerance = time.Hour

// bounds say which part of the interval is read of one source, and where it is split.
type bounds struct {
	interval    window.Span // span that is read
	lifeStart   time.Time   // time at which the conversation began, where the interval was narrowed to it; zero = it was not
	open        bool        // the interval has no start: rows from before 1970 belong to its oldest window
	laterStarts []time.Time // times at which history may begin: an era is split there, and Graph is asked from there after it refused the start
	eraEnd      time.Time   // end of an era: before it, a window may span many years
	clipped     []string    // fields of the filter that narrowed the interval
}

// setBounds sets the interval of a source and the times at which it is split.
func (m *Merger) setBounds(r *sourceReader) {
	r.interval, r.eraEnd, r.laterStarts = m.span, window.YearOf(m.present.ofWalk), []time.Time{millennium, chatBeginning}
	m.narrowByFilter(r)
	m.narrowByLife(r)
	if !m.filter.Possible(r.src) || slices.Contains(m.req.EmptySources, r.src) || !r.interval.End.After(r.interval.Start) {
		// No event of this source can match: it has been read to its end without being asked.
		r.interval.Start, r.reached, r.finished = r.interval.End, r.interval.End, true
		return
	}
	switch r.src {
	case parleyv1.Source_SOURCE_COPILOT:
		r.laterStarts[1] = copilotBeginning
	case parleyv1.Source_SOURCE_CALL:
		// What is older is asked for all the same, in one request.
		r.eraEnd = window.Day.Floor(m.present.ofGraph.Add(-m.cfg.CallsKept))
		r.laterStarts[1] = r.eraEnd
	default:
		// The history of any other source begins with Teams. A source whose history begins at another time needs a case of its own.
	}
	if r.interval.Start.IsZero() {
		r.open, r.interval.Start = true, epoch
	}
	r.reached = r.interval.Start
	if r.desc {
		r.reached = r.interval.End
	}
}

// maxCreateLag is the time by which a record may be created after its last change.
const maxCreateLag = time.Minute

// narrowByFilter narrows the interval to the times that a match can have. Nothing changes before it is created, so a bound of one time
// is a bound of the other on one side. For a call, whose times are both its start, that is left to the filter.
func (m *Merger) narrowByFilter(r *sourceReader) {
	own, other := "event_time", "create_time"
	if r.fetch.ByCreate {
		own, other = other, own
	}
	from, to := m.filter.Range(own)
	r.clip(own, from, to)
	from, to = m.filter.Range(other)
	switch {
	case r.src == parleyv1.Source_SOURCE_CALL:
	case r.fetch.ByCreate && !to.IsZero():
		r.clip(other, time.Time{}, to.Add(maxCreateLag))
	case !r.fetch.ByCreate && !from.IsZero():
		r.clip(other, from.Add(-maxCreateLag), time.Time{})
	}
}

// clip narrows the interval to the bounds of a field of the filter. Zero bounds are open.
func (b *bounds) clip(field string, from, to time.Time) {
	clipped := b.interval
	clipped.Start = window.Later(clipped.Start, from)
	if !to.IsZero() {
		clipped.End = window.Earlier(clipped.End, to)
	}
	if clipped != b.interval {
		b.interval, b.clipped = clipped, append(b.clipped, field)
	}
}

// narrowByLife narrows the interval to the times at which the conversation can have events. A chat's own messages cost no more without.
func (m *Merger) narrowByLife(r *sourceReader) {
	if r.fetch.Query.Conversation != "" {
		return
	}
	life := m.req.Lifetime
	if life.Start.After(r.interval.Start) {
		r.interval.Start, r.lifeStart = life.Start, life.Start
	}
	if !life.End.IsZero() {
		r.interval.End = window.Earlier(r.interval.End, life.End)
	}
}

// addBeforeKept adds the gap of the call records that Graph does not keep any more: the part of the rest of the interval that lies before
// the oldest record that it keeps now. A walk without an asked start has no such gap at first, since it asks for whatever Graph keeps.
// When it is resumed, the records that Graph has dropped since its first call are the gap.
func (m *Merger) addBeforeKept(r *sourceReader, resumed bool) {
	if r.src != parleyv1.Source_SOURCE_CALL || r.finished || r.state != parleyv1.SourceState_SOURCE_STATE_READ {
		return
	}
	beginning := m.present.ofGraph.Add(-m.cfg.CallsKept).Truncate(time.Minute)
	lost := window.Span{Start: r.interval.Start, End: window.Earlier(beginning, r.interval.End)}
	if r.open || !r.lifeStart.IsZero() && m.span.Start.IsZero() {
		if !resumed {
			return
		}
		lost.Start = m.present.ofToken.Add(-m.cfg.CallsKept)
	}
	if r.desc {
		lost.End = window.Earlier(lost.End, r.reached)
	} else {
		lost.Start = window.Later(lost.Start, r.reached)
	}
	if !lost.Start.Before(beginning.Add(-retentionTolerance)) || lost.Empty() {
		return
	}
	r.addGap(window.Gap{Span: lost, Reason: parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT})
}
