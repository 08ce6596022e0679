package merge

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/window"
)

func noticeKey(code string, src parleyv1.Source, s *window.Span) string {
	if s == nil {
		return fmt.Sprint(code, src)
	}
	return fmt.Sprint(code, src, s.Start.UnixNano(), s.End.UnixNano())
}

// notice tells the reader something, once.
func (w *Merger) notice(code, message string, src parleyv1.Source, s *window.Span) {
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

// News implements frame.Report. It turns doubts and states that were not told yet into notices and returns all that are new.
func (w *Merger) News() []*parleyv1.Notice {
	for _, t := range w.readers {
		for _, g := range t.allGaps() {
			var cause error
			if g.Reason == t.reason {
				cause = t.cause
			}
			w.notice(reasons.Text(g.Reason), failure.Explain(g.Reason, cause), t.src, &g.Span)
		}
		if t.contradicted.Load() && !slices.ContainsFunc(t.gaps, func(g window.Gap) bool { return g.Reason == parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED }) {
			w.notice(reasons.Text(parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED), "Graph sent calls without the participant that it was asked for; they were left out", t.src, nil)
		}
		if !t.begun.IsZero() && t.open {
			w.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), "Graph refused to be asked from 1970 on; what lies before this span was not read", t.src, &window.Span{Start: t.begun})
		}
		if skew := w.skew(); skew.Abs() > w.cfg.Settle[t.src] {
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

// Complete tells whether everything was read without a doubt, all tracks being at their end.
func (w *Merger) Complete() bool {
	for _, t := range w.readers {
		if t.state != parleyv1.SourceState_SOURCE_STATE_READ || len(t.gaps) > 0 || !t.finished {
			return false
		}
	}
	return true
}

// Reports says for each source what was read.
func (w *Merger) Reports() []*parleyv1.SourceReport {
	reports := make([]*parleyv1.SourceReport, 0, len(w.readers))
	for _, t := range w.readers {
		reports = append(reports, w.report(t))
	}
	return reports
}

func (w *Merger) report(t *sourceReader) *parleyv1.SourceReport {
	c := t.allCounts()
	r := &parleyv1.SourceReport{
		Source: t.src, State: t.state, Reason: reasons.Text(t.reason), FailedRequestIds: t.failedRequests,
		Counts: &parleyv1.SourceCounts{
			Events: c.Events, Pages: c.Pages, Duplicates: c.Duplicates,
			OutOfWindow: c.OutOfWindow, LeftOut: c.LeftOut, FromCache: c.FromCache, GraphRequests: c.Requests,
		},
	}
	if w.req.Narrow {
		frame.ConcealReads(r.GetCounts())
	}
	if w.filter != nil {
		r.FilteredByGateway = t.filteredHere()
		if !t.fetch.IgnoresClause() && !t.contradicted.Load() {
			r.FilteredByGraph = t.pushed
		}
		r.FilteredByGraph = append(slices.Clone(r.GetFilteredByGraph()), t.clipped...)
	}
	for _, g := range t.allGaps() {
		r.Gaps = append(r.Gaps, &parleyv1.Gap{Interval: interval(g.Span), Reason: reasons.Text(g.Reason)})
	}
	if covered := w.covered(t); covered.End.After(covered.Start) {
		r.Covered = interval(covered)
	}
	if t.state == parleyv1.SourceState_SOURCE_STATE_READ {
		r.SettledUntil = timestamppb.New(w.settled(t.src))
	}
	return r
}

// covered is what was read of a source, gaps included: nothing that was not asked for, and nothing that lies in Graph's future.
func (w *Merger) covered(t *sourceReader) window.Span {
	s := t.interval
	s.Start = window.Later(s.Start, t.begun)
	switch edge := t.deliveredUntil(); {
	case !t.desc:
		s.End = edge
	case !t.finished || t.state != parleyv1.SourceState_SOURCE_STATE_READ:
		s.Start = window.Later(s.Start, edge)
	}
	s.End = window.Earlier(s.End, w.present())
	if t.open && t.begun.IsZero() && s.Start.Equal(epoch) && s.End.After(s.Start) {
		s.Start = time.Time{}
	}
	return s
}

// Checkpoint implements frame.Report.
func (w *Merger) Checkpoint() (*parleyv1.Checkpoint, error) {
	token, err := w.Token(false)
	if err != nil {
		return nil, err
	}
	checkpoint := &parleyv1.Checkpoint{ResumeToken: token}
	for _, t := range w.readers {
		checkpoint.Sources = append(checkpoint.Sources, &parleyv1.SourceProgress{Source: t.src, ReachedTime: timestamppb.New(t.deliveredUntil())})
	}
	return checkpoint, nil
}

// Summary implements frame.Report.
func (w *Merger) Summary() (*parleyv1.Summary, error) {
	token, err := w.Token(true)
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: w.Complete(), Sources: w.Reports(), ResumeToken: token}, nil
}

// interval turns a span into the contract's form; zero ends are absent.
func interval(s window.Span) *parleyv1.Interval {
	i := &parleyv1.Interval{}
	if !s.Start.IsZero() {
		i.StartTime = timestamppb.New(s.Start)
	}
	if !s.End.IsZero() {
		i.EndTime = timestamppb.New(s.End)
	}
	return i
}
