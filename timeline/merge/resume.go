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
func (m *Merger) resume(have query.Sources, asked []parleyv1.Source, token, field string) error {
	place, err := cursor.OpenEvents(m.cfg.Sealer, token, m.associated)
	if err != nil || len(place.Sources) != len(asked) {
		return failure.TokenRefused(field)
	}
	m.firstCall = place.Now
	if now := window.Earlier(m.firstNow, m.graphNow); place.Finished && m.req.End.IsZero() && !m.desc && now.After(place.End) {
		m.extend(place, asked, now)
	} else {
		m.firstNow, m.firstClock, m.span = place.Now, place.Clock, window.Span{Start: place.Start, End: place.End}
	}
	m.newReaders(have, asked, place.Sources)
	m.notices, m.told = nil, map[string]bool{}
	for _, id := range place.OutOfWindow {
		m.seen.Add(id, true)
	}
	for i, r := range m.readers {
		for _, g := range place.Sources[i].Gaps {
			m.told[noticeKey(reasons.Text(g.Reason), r.src, &g.Span)] = true
		}
		if !r.begun.IsZero() {
			m.told[noticeKey(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), r.src, &window.Span{Start: r.begun})] = true
		}
		if m.extended {
			r.fingerprint.resuming = false // its window is not the one that the token stood in
		}
	}
	return nil
}

// extend goes on with a walk that had reached its end: from where it was settled, because rows may have come late behind that.
func (m *Merger) extend(place *cursor.Events, asked []parleyv1.Source, now time.Time) {
	m.span, m.extended = window.Span{Start: place.Start, End: now}, true
	for i := range place.Sources {
		if s := &place.Sources[i]; s.State == parleyv1.SourceState_SOURCE_STATE_READ {
			settled := window.Earlier(place.End, place.Clock.Add(-m.cfg.Settle[asked[i]]))
			s.Finished, s.Window, s.Fingerprint = false, nil, 0
			s.Reached = window.Earlier(s.Reached, settled)
		}
	}
}

// catchingUp reports whether the cursor stood behind all rows in order of a window: the window that it stood in is read in
// pieces, and this is one of the first.
func (r *sourceReader) catchingUp(s window.Span) bool {
	switch from := r.resumeFrom; {
	case from == nil || !from.delivered:
		return false
	case from.outOfWindow && r.desc:
		return from.window.Start.Before(s.Start)
	case from.outOfWindow:
		return from.window.End.After(s.End)
	case r.desc:
		return from.time.Before(s.Start)
	default:
		return !from.time.Before(s.End)
	}
}

// resumePosition is where the cursor stood, as a place in another window: behind a row in order, or behind all rows in order of the
// cursor's window where it stood behind a row from outside.
func (r *sourceReader) resumePosition(w window.Window) position {
	p := position{window: w, time: r.resumeFrom.time, key: r.resumeFrom.key, delivered: true}
	if r.resumeFrom.outOfWindow {
		p.time, p.key = r.resumeFrom.window.End, ""
		if r.desc {
			p.time = r.resumeFrom.window.Start
		}
	}
	return p
}

// restore takes over the place of a token. A source that was throttled or failed is asked again if it is asked at all.
func (r *sourceReader) restore(s *cursor.Source, asked bool) {
	r.state, r.reason = s.State, s.Reason
	r.answered, r.finished = s.Answered, s.Finished
	r.density.Level, r.density.Widest, r.density.Known = s.Level, s.Widest, s.Rate
	r.reached = window.Later(s.Reached, r.interval.Start)
	if w := s.Window; w != nil {
		r.position, r.oversized = &position{window: w.Window}, w.Oversized
		if last := w.Last; last != nil {
			r.position.time, r.position.key, r.position.outOfWindow, r.position.delivered = last.Time, last.Key, last.OutOfWindow, true
		}
	}
	r.counts, r.begun = s.Counts, s.Begun
	r.gaps = slices.Clone(s.Gaps)
	r.fingerprint.atBoundary, r.fingerprint.resuming = s.Fingerprint, true
	switch s.State {
	case parleyv1.SourceState_SOURCE_STATE_READ:
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if asked {
			r.state, r.reason, r.finished = parleyv1.SourceState_SOURCE_STATE_READ, failure.None, false
		}
	default:
		r.stoppedEarly = asked
	}
}

// save is the place of the track, for a token. hurried says that the call is out of time.
func (r *sourceReader) save(hurried bool) cursor.Source {
	s := cursor.Source{
		State: r.state, Reason: r.reason, Answered: r.answered, Finished: r.finished,
		Level: r.density.Level, Widest: r.density.Widest, Rate: r.density.Rate(),
		Reached: r.reached, Counts: r.allCounts(), Begun: r.begun, Gaps: r.gaps, Fingerprint: r.fingerprintNow(),
	}
	if at, tried := r.savedPosition(hurried); at != nil {
		s.Window = &cursor.Window{Window: at.window, Oversized: tried}
		if at.delivered {
			s.Window.Last = &cursor.Event{Time: at.time, Key: at.key, OutOfWindow: at.outOfWindow}
		}
	}
	return s
}
