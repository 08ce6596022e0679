package merge

import (
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/window"
)

// keptTolerance is how far before what a source keeps a start may lie and still be met: who asks for the last thirty days must
// not be told a minute later that they are more.
const keptTolerance = time.Hour

// clock is the present of the walk's first page, by the earlier of both clocks as far as is known: rows that Graph dates behind
// it are still to come.
func (w *Merger) clock() time.Time {
	at := w.firstNow.Add(-max(w.skew(), 0))
	if !w.firstClock.IsZero() {
		at = window.Earlier(at, w.firstClock)
	}
	return at
}

// present is the present by the earlier of both clocks.
func (w *Merger) present() time.Time { return time.Now().Add(-max(w.skew(), 0)) }

// settled is up to where no new row of a source is expected.
func (w *Merger) settled(src parleyv1.Source) time.Time {
	return window.Earlier(w.span.End, w.clock().Add(-w.cfg.Settle[src]))
}

// setBounds lays out what is asked of a source.
func (w *Merger) setBounds(t *sourceReader) {
	t.interval, t.pivot, t.marks = w.span, window.YearOf(w.firstNow), []time.Time{millennium, chatBeginning}
	w.narrowByFilter(t)
	if !w.filter.Possible(t.src) || !t.interval.End.After(t.interval.Start) {
		// No event of this source can match: it has been read to its end without being asked.
		t.interval.Start, t.reached, t.finished = t.interval.End, t.interval.End, true
		return
	}
	switch t.src {
	case parleyv1.Source_SOURCE_COPILOT:
		t.marks[1] = copilotBeginning
	case parleyv1.Source_SOURCE_CALL:
		// What is older is asked for all the same, in one request.
		t.pivot = window.Day.Floor(w.graphNow.Add(-w.cfg.CallsKept))
		t.marks[1] = t.pivot
	default:
	}
	if t.interval.Start.IsZero() {
		t.open, t.interval.Start = true, epoch
	}
	t.reached = t.interval.Start
	if t.desc {
		t.reached = t.interval.End
	}
}

// addBeforeKept makes a gap of what is still to be read of call records and lies before what Graph keeps of them at present, whatever it
// kept when the walk began.
func (w *Merger) addBeforeKept(t *sourceReader, resumed bool) {
	if t.src != parleyv1.Source_SOURCE_CALL || t.finished || t.state != parleyv1.SourceState_SOURCE_STATE_READ {
		return
	}
	beginning := w.graphNow.Add(-w.cfg.CallsKept).Truncate(time.Minute)
	lost := window.Span{Start: t.interval.Start, End: window.Earlier(beginning, t.interval.End)}
	if t.open {
		if !resumed {
			return // whatever there is was asked for
		}
		lost.Start = w.firstCall.Add(-w.cfg.CallsKept)
	}
	if t.desc {
		lost.End = window.Earlier(lost.End, t.reached)
	} else {
		lost.Start = window.Later(lost.Start, t.reached)
	}
	if !lost.Start.Before(beginning.Add(-keptTolerance)) || lost.Empty() {
		return
	}
	t.addGap(window.Gap{Span: lost, Reason: parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT})
}
