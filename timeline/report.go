package timeline

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/failure"
)

func noticeKey(code string, src parleyv1.Source, s *span) string {
	if s == nil {
		return fmt.Sprint(code, src)
	}
	return fmt.Sprint(code, src, s.start.UnixNano(), s.end.UnixNano())
}

// notice tells the reader something, once.
func (w *walk) notice(code, message string, src parleyv1.Source, s *span) {
	id := noticeKey(code, src, s)
	if w.told[id] {
		return
	}
	w.told[id] = true
	n := &parleyv1.Notice{Code: code, Message: message, Source: src}
	if s != nil {
		n.Interval = interval(*s)
	}
	w.notices = append(w.notices, n)
}

// news turns doubts and states that were not told yet into notices and returns all that are new.
func (w *walk) news() []*parleyv1.Notice {
	for _, t := range w.tracks {
		for _, g := range t.doubts() {
			var cause error
			if g.reason == t.reason {
				cause = t.cause
			}
			w.notice(reasons.Text(g.reason), failure.Explain(g.reason, cause), t.src, &g.span)
		}
		if t.refuted.Load() && !slices.ContainsFunc(t.gaps, func(g gap) bool { return g.reason == parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED }) {
			w.notice(reasons.Text(parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED), "Graph sent calls without the participant that it was asked for; they were left out", t.src, nil)
		}
		if !t.begun.IsZero() && t.open {
			w.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), "Graph refused to be asked from 1970 on; what lies before this span was not read", t.src, &span{start: t.begun})
		}
		if skew := w.skew(); skew.Abs() > w.engine.cfg.Settle[t.src] {
			w.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_CLOCK_SKEW), "The gateway's clock and Graph's differ by "+skew.Abs().Round(time.Second).String()+
				", more than this source needs to settle; the earlier one counts", t.src, nil)
		}
		if t.reason != failure.None && t.state != parleyv1.SourceState_SOURCE_STATE_READ {
			w.notice(reasons.Text(t.reason), failure.Explain(t.reason, t.cause), t.src, nil)
		}
	}
	fresh := w.notices
	w.notices = nil
	return fresh
}

// complete tells whether everything was read without a doubt, all tracks being at their end.
func (w *walk) complete() bool {
	for _, t := range w.tracks {
		if t.state != parleyv1.SourceState_SOURCE_STATE_READ || len(t.gaps) > 0 || !t.finished {
			return false
		}
	}
	return true
}

// reports says for each source what was read.
func (w *walk) reports() []*parleyv1.SourceReport {
	reports := make([]*parleyv1.SourceReport, 0, len(w.tracks))
	for _, t := range w.tracks {
		reports = append(reports, w.report(t))
	}
	return reports
}

func (w *walk) report(t *track) *parleyv1.SourceReport {
	c := t.total()
	r := &parleyv1.SourceReport{
		Source: t.src, State: t.state, Reason: reasons.Text(t.reason), FailedRequestIds: t.requestID,
		Counts: &parleyv1.SourceCounts{
			Events: c.events, Pages: c.pages, Duplicates: c.duplicates,
			OutOfWindow: c.strays, LeftOut: c.leftOut, FromCache: c.fromCache, GraphRequests: c.requests,
		},
	}
	if w.req.Narrow {
		concealReads(r.GetCounts())
	}
	if w.filter != nil {
		r.FilteredByGateway = t.filteredHere()
		if !t.read.unfiltered.Load() && !t.refuted.Load() {
			r.FilteredByGraph = t.pushed
		}
		r.FilteredByGraph = append(slices.Clone(r.GetFilteredByGraph()), t.clipped...)
	}
	for _, g := range t.doubts() {
		r.Gaps = append(r.Gaps, &parleyv1.Gap{Interval: interval(g.span), Reason: reasons.Text(g.reason)})
	}
	if covered := w.covered(t); covered.end.After(covered.start) {
		r.Covered = interval(covered)
	}
	if t.state == parleyv1.SourceState_SOURCE_STATE_READ {
		r.SettledUntil = timestamppb.New(w.settled(t.src))
	}
	return r
}

// covered is what was read of a source, gaps included: nothing that was not asked for, and nothing that lies in Graph's future.
func (w *walk) covered(t *track) span {
	s := t.whole
	s.start = later(s.start, t.begun)
	switch edge := t.boundary(); {
	case !t.desc:
		s.end = edge
	case !t.finished || t.state != parleyv1.SourceState_SOURCE_STATE_READ:
		s.start = later(s.start, edge)
	}
	s.end = earlier(s.end, w.present())
	if t.open && t.begun.IsZero() && s.start.Equal(epoch) && s.end.After(s.start) {
		s.start = time.Time{}
	}
	return s
}

// concealReads clears the counts that tell whether somebody else has read the same before.
func concealReads(counts *parleyv1.SourceCounts) { counts.FromCache, counts.GraphRequests = 0, 0 }

// progress is the time reached per source.
func (w *walk) progress() []*parleyv1.SourceProgress {
	progress := make([]*parleyv1.SourceProgress, 0, len(w.tracks))
	for _, t := range w.tracks {
		progress = append(progress, &parleyv1.SourceProgress{Source: t.src, ReachedTime: timestamppb.New(t.boundary())})
	}
	return progress
}

// interval turns a span into the contract's form; zero ends are absent.
func interval(s span) *parleyv1.Interval {
	i := &parleyv1.Interval{}
	if !s.start.IsZero() {
		i.StartTime = timestamppb.New(s.start)
	}
	if !s.end.IsZero() {
		i.EndTime = timestamppb.New(s.end)
	}
	return i
}
