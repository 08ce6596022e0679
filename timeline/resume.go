package timeline

import (
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// resume goes on where a token says.
func (w *walk) resume(have query.Sources, asked []parleyv1.Source, token, field string) error {
	plain, err := w.engine.cfg.Sealer.Open(token, w.associated)
	if err != nil {
		return failure.TokenRefused(field)
	}
	m, err := decodeMark(plain)
	if err != nil || len(m.sources) != len(asked) {
		return failure.TokenRefused(field)
	}
	for i := range asked {
		if m.sources[i].src != asked[i] {
			return failure.TokenRefused(field)
		}
	}
	w.began = m.now0
	if now := window.Earlier(w.now0, w.graph); m.finished && w.req.End.IsZero() && !w.desc && now.After(m.end) {
		w.extend(m, now)
	} else {
		w.now0, w.told0, w.span = m.now0, m.clock, window.Span{Start: m.start, End: m.end}
	}
	w.begin(have, asked, m.sources)
	w.notices, w.told = nil, map[string]bool{}
	for _, id := range m.strays {
		w.seen.add(id, true)
	}
	for _, t := range w.tracks {
		for _, g := range m.source(t.src).gaps {
			w.told[noticeKey(reasons.Text(g.reason), t.src, &g.Span)] = true
		}
		if !t.begun.IsZero() {
			w.told[noticeKey(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), t.src, &window.Span{Start: t.begun})] = true
		}
		if w.extended {
			t.trace.fresh = false // its window is not the one that the token stood in
		}
	}
	return nil
}

// extend goes on with a walk that had reached its end: from where it was settled, because rows may have come late behind that.
func (w *walk) extend(m *mark, now time.Time) {
	w.span, w.extended = window.Span{Start: m.start, End: now}, true
	for i := range m.sources {
		if s := &m.sources[i]; s.state == parleyv1.SourceState_SOURCE_STATE_READ {
			settled := window.Earlier(m.end, m.clock.Add(-w.engine.cfg.Settle[s.src]))
			s.finished, s.at, s.tried, s.sum = false, nil, false, 0
			s.reached = window.Earlier(s.reached, settled)
		}
	}
}

// source is the place in a source.
func (m *mark) source(src parleyv1.Source) *sourceMark {
	for i := range m.sources {
		if m.sources[i].src == src {
			return &m.sources[i]
		}
	}
	return &sourceMark{}
}

// catchingUp reports whether the cursor stood behind all rows in order of a window: the window that it stood in is read in
// pieces, and this is one of the first.
func (t *track) catchingUp(s window.Span) bool {
	switch r := t.resume; {
	case r == nil || !r.any:
		return false
	case r.stray && t.desc:
		return r.window.Start.Before(s.Start)
	case r.stray:
		return r.window.End.After(s.End)
	case t.desc:
		return r.time.Before(s.Start)
	default:
		return !r.time.Before(s.End)
	}
}

// resumed is where the cursor stood, as a place in another window: behind a row in order, or behind all rows in order of the
// cursor's window where it stood behind a row from outside.
func (t *track) resumed(w window.Window) position {
	p := position{window: w, time: t.resume.time, key: t.resume.key, any: true}
	if t.resume.stray {
		p.time, p.key = t.resume.window.End, ""
		if t.desc {
			p.time = t.resume.window.Start
		}
	}
	return p
}

// restore takes over the place of a cursor. A source that was throttled or failed is asked again if it is asked at all.
func (t *track) restore(m *sourceMark, asked bool) {
	t.state, t.reason = m.state, m.reason
	t.answered, t.finished = m.answered, m.finished
	t.density.Level, t.density.Narrow, t.density.Known = m.level, m.narrow, m.rate
	t.reached, t.at, t.tried = window.Later(m.reached, t.whole.Start), m.at, m.tried
	t.counts, t.gaps, t.begun = m.counts, m.gaps, m.begun
	t.trace.base, t.trace.fresh = m.sum, true
	switch m.state {
	case parleyv1.SourceState_SOURCE_STATE_READ:
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED, parleyv1.SourceState_SOURCE_STATE_FAILED:
		if asked {
			t.state, t.reason, t.finished = parleyv1.SourceState_SOURCE_STATE_READ, failure.None, false
		}
	default:
		t.cut = asked
	}
}
