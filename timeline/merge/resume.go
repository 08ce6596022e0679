package merge

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// resume goes on where a token says.
func (w *Merger) resume(have query.Sources, asked []parleyv1.Source, token, field string) error {
	place, err := cursor.OpenEvents(w.cfg.Sealer, token, w.associated)
	if err != nil || len(place.Sources) != len(asked) {
		return failure.TokenRefused(field)
	}
	w.firstCall = place.Now
	if now := window.Earlier(w.firstNow, w.graphNow); place.Finished && w.req.End.IsZero() && !w.desc && now.After(place.End) {
		w.extend(place, asked, now)
	} else {
		w.firstNow, w.firstClock, w.span = place.Now, place.Clock, window.Span{Start: place.Start, End: place.End}
	}
	w.newReaders(have, asked, place.Sources)
	w.notices, w.told = nil, map[string]bool{}
	for _, id := range place.OutOfWindow {
		w.seen.Add(id, true)
	}
	for i, t := range w.readers {
		for _, g := range place.Sources[i].Gaps {
			w.told[noticeKey(reasons.Text(g.Reason), t.src, &g.Span)] = true
		}
		if !t.begun.IsZero() {
			w.told[noticeKey(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), t.src, &window.Span{Start: t.begun})] = true
		}
		if w.extended {
			t.fingerprint.resuming = false // its window is not the one that the token stood in
		}
	}
	return nil
}

// extend goes on with a walk that had reached its end: from where it was settled, because rows may have come late behind that.
func (w *Merger) extend(place *cursor.Events, asked []parleyv1.Source, now time.Time) {
	w.span, w.extended = window.Span{Start: place.Start, End: now}, true
	for i := range place.Sources {
		if s := &place.Sources[i]; s.State == parleyv1.SourceState_SOURCE_STATE_READ {
			settled := window.Earlier(place.End, place.Clock.Add(-w.cfg.Settle[asked[i]]))
			s.Finished, s.Window, s.Fingerprint = false, nil, 0
			s.Reached = window.Earlier(s.Reached, settled)
		}
	}
}

// catchingUp reports whether the cursor stood behind all rows in order of a window: the window that it stood in is read in
// pieces, and this is one of the first.
func (t *sourceReader) catchingUp(s window.Span) bool {
	switch r := t.resumeFrom; {
	case r == nil || !r.delivered:
		return false
	case r.outOfWindow && t.desc:
		return r.window.Start.Before(s.Start)
	case r.outOfWindow:
		return r.window.End.After(s.End)
	case t.desc:
		return r.time.Before(s.Start)
	default:
		return !r.time.Before(s.End)
	}
}

// resumePosition is where the cursor stood, as a place in another window: behind a row in order, or behind all rows in order of the
// cursor's window where it stood behind a row from outside.
func (t *sourceReader) resumePosition(w window.Window) position {
	p := position{window: w, time: t.resumeFrom.time, key: t.resumeFrom.key, delivered: true}
	if t.resumeFrom.outOfWindow {
		p.time, p.key = t.resumeFrom.window.End, ""
		if t.desc {
			p.time = t.resumeFrom.window.Start
		}
	}
	return p
}

// restore takes over the place of a token. A source that was throttled or failed is asked again if it is asked at all.
func (t *sourceReader) restore(s *cursor.Source, asked bool) {
	t.state, t.reason = s.State, s.Reason
	t.answered, t.finished = s.Answered, s.Finished
	t.density.Level, t.density.Widest, t.density.Known = s.Level, s.Widest, s.Rate
	t.reached = window.Later(s.Reached, t.interval.Start)
	if w := s.Window; w != nil {
		t.position, t.oversized = &position{window: w.Window}, w.Oversized
		if last := w.Last; last != nil {
			t.position.time, t.position.key, t.position.outOfWindow, t.position.delivered = last.Time, last.Key, last.OutOfWindow, true
		}
	}
	t.counts, t.begun = s.Counts, s.Begun
	t.gaps = slices.Clone(s.Gaps)
	t.fingerprint.atBoundary, t.fingerprint.resuming = s.Fingerprint, true
	switch s.State {
	case parleyv1.SourceState_SOURCE_STATE_READ:
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if asked {
			t.state, t.reason, t.finished = parleyv1.SourceState_SOURCE_STATE_READ, failure.None, false
		}
	default:
		t.stoppedEarly = asked
	}
}

// save is the place of the track, for a token. hurried says that the call is out of time.
func (t *sourceReader) save(hurried bool) cursor.Source {
	s := cursor.Source{
		State: t.state, Reason: t.reason, Answered: t.answered, Finished: t.finished,
		Level: t.density.Level, Widest: t.density.Widest, Rate: t.density.Rate(),
		Reached: t.reached, Counts: t.allCounts(), Begun: t.begun, Gaps: t.gaps, Fingerprint: t.fingerprintNow(),
	}
	if at, tried := t.savedPosition(hurried); at != nil {
		s.Window = &cursor.Window{Window: at.window, Oversized: tried}
		if at.delivered {
			s.Window.Last = &cursor.Event{Time: at.time, Key: at.key, OutOfWindow: at.outOfWindow}
		}
	}
	return s
}
