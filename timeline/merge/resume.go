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

// progress is how far the events of one source were delivered: the part of a reader that goes into a token, together with
// the sum of resumeFingerprint. save and restore are the way there and back.
type progress struct {
	state         parleyv1.SourceState
	reason        parleyv1.ErrorReason
	answered      bool      // Graph has answered this source before
	finished      bool      // nothing is delivered any more: everything was, or the source has stopped
	restMissing   bool      // the source has stopped: the rest of the interval is a gap
	acceptedStart time.Time // start that Graph accepted after it refused the start of the interval; zero = it refused none

	reached  time.Time // boundary up to which whole windows were delivered
	position position  // position at or after reached: in a window, or between two pieces of the token's; none = reached says it all
	tooSlow  bool      // that window could not be read within an earlier call; see cursor.Window

	gaps    []window.Gap
	counts  cursor.Counts // of this call and earlier ones, but Pages, FromCache and Requests of earlier ones alone: fetch has this call's (allCounts)
	density window.Density
}

// addGap adds a gap, once.
func (p *progress) addGap(gap window.Gap) { p.gaps = window.AddGap(p.gaps, gap) }

// resumption is the state that a resumed walk has of the calls before it.
type resumption struct {
	resumeFrom  position // position of the token that the walk was resumed from
	fingerprint resumeFingerprint
}

// resume goes on from the position of a token.
func (m *Merger) resume(sources query.Sources, requested []parleyv1.Source, token, field string) error {
	saved, err := cursor.OpenEvents(m.cfg.Sealer, token, m.binding)
	if err != nil {
		return cursor.Refusal(err, field)
	}
	if len(saved.Sources) != len(requested) {
		return failure.TokenRefused(field)
	}
	m.present.ofToken = saved.Present
	if now := window.Earlier(m.present.ofWalk, m.present.ofGraph); saved.Finished && m.req.End.IsZero() && !m.desc && now.After(saved.End) {
		m.extend(saved, requested, now)
	} else {
		m.present.ofWalk, m.present.earlier = saved.Present, saved.EarlierPresent
		m.span = window.Span{Start: saved.Start, End: saved.End}
	}
	m.newReaders(sources, requested, saved.Sources)
	m.notices = notices{}
	for _, id := range saved.OutOfWindow {
		m.seen.AddOutOfWindow(id)
	}
	for i, r := range m.readers {
		for _, g := range saved.Sources[i].Gaps {
			m.notices.markIssued(reasons.Text(g.Reason), r.src, &g.Span)
		}
		if !r.acceptedStart.IsZero() {
			m.notices.markIssued(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), r.src, &window.Span{Start: r.acceptedStart})
		}
		if m.extended {
			r.fingerprint.resuming = false // its window is not the token's
		}
	}
	return nil
}

// extend goes on with a walk that had reached its end. It begins at the settled time, because rows may have come late after it.
func (m *Merger) extend(saved *cursor.Events, requested []parleyv1.Source, now time.Time) {
	m.span, m.extended = window.Span{Start: saved.Start, End: now}, true
	for i := range saved.Sources {
		if s := &saved.Sources[i]; s.State == parleyv1.SourceState_SOURCE_STATE_READ {
			settled := window.Earlier(saved.End, saved.EarlierPresent.Add(-m.cfg.Settle[requested[i]]))
			s.Finished, s.Window, s.Fingerprint = false, nil, 0
			s.Reached = window.Earlier(s.Reached, settled)
		} else if s.State == parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE {
			s.Finished = false
		}
	}
}

// restore moves the reader to the position of a token. A source that was throttled or failed is read again if it is available: configured, in
// this cloud, and no part of a plan that the user lacks.
func (r *sourceReader) restore(s *cursor.Source, available bool) {
	r.state, r.reason = s.State, s.Reason
	r.answered, r.finished = s.Answered, s.Finished
	r.density.Level, r.density.Longest, r.density.SavedRate = s.Level, s.Longest, s.Rate
	r.reached = window.Later(s.Reached, r.interval.Start)
	if w := s.Window; w != nil {
		r.position, r.tooSlow = position{window: w.Window}, w.TooSlow
		if last := w.Last; last != nil {
			r.position.time, r.position.key, r.position.outOfWindow, r.position.delivered = last.Time, last.Key, last.OutOfWindow, true
		}
	}
	r.counts, r.acceptedStart = s.Counts, s.AcceptedStart
	r.gaps = slices.Clone(s.Gaps)
	r.fingerprint.atBoundary, r.fingerprint.resuming = rowSum(s.Fingerprint), true
	r.reopen(available)
}

// reopen decides whether a restored source is read on. One that had stopped and is not read on has the gap of its rest, which no token holds.
// One that was read, and is not available any more, is asked all the same: Graph's answer says what is wrong.
func (r *sourceReader) reopen(available bool) {
	switch r.state {
	case parleyv1.SourceState_SOURCE_STATE_READ:
	case parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE:
		if available && !r.finished { // only after extend: the user may have a plan since
			r.state = parleyv1.SourceState_SOURCE_STATE_READ
		}
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if !available {
			r.restMissing = true
			return
		}
		r.state, r.reason, r.finished = parleyv1.SourceState_SOURCE_STATE_READ, failure.None, false
	default: // a source that was never asked, because it was not available, has no rest
		r.restMissing = available || r.counts.Requests > 0
	}
}

// Token seals the position of the walk.
func (m *Merger) Token() (string, error) { return m.seal(false) }

// finalToken seals the position of a stream after its last event.
func (m *Merger) finalToken() (string, error) { return m.seal(true) }

// seal makes the token of the position. finished says that it is the last one of a stream.
func (m *Merger) seal(finished bool) (string, error) {
	saved := cursor.Events{
		Present: m.present.ofWalk, EarlierPresent: m.tokenPresent(finished), Start: m.span.Start, End: m.span.End, Finished: finished,
		OutOfWindow: m.seen.OutOfWindow(cursor.MaxOutOfWindow),
	}
	for _, r := range m.readers {
		saved.Sources = append(saved.Sources, r.save(m.outOfTime))
	}
	return saved.Seal(m.cfg.Sealer, m.binding)
}

// save returns the position of the reader, for a token. outOfTime says that the call is over.
func (r *sourceReader) save(outOfTime bool) cursor.Source {
	s := cursor.Source{
		State: r.state, Reason: r.reason, Answered: r.answered, Finished: r.finished,
		Level: r.density.Level, Longest: r.density.Longest, Rate: r.density.Rate(),
		Reached: r.reached, Counts: r.allCounts(), AcceptedStart: r.acceptedStart, Gaps: r.gaps, Fingerprint: uint64(r.fingerprintNow()),
	}
	if at, tooSlow := r.savedPosition(outOfTime); !at.none() {
		s.Window = &cursor.Window{Window: at.window, TooSlow: tooSlow}
		if at.delivered {
			s.Window.Last = &cursor.Event{Time: at.time, Key: at.key, OutOfWindow: at.outOfWindow}
		}
	}
	return s
}

// allCounts returns the counts, together with the counts of fetch.
func (r *sourceReader) allCounts() cursor.Counts {
	c := r.counts
	pages, fromCache, requests := r.fetch.Counts()
	c.Pages += pages
	c.FromCache += fromCache
	c.Requests += requests
	return c
}
