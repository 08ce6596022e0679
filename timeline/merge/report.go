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
func (m *Merger) notice(code, message string, src parleyv1.Source, s *window.Span) {
	id := noticeKey(code, src, s)
	if m.told[id] {
		return
	}
	m.told[id] = true
	n := &parleyv1.Notice{Code: code, Message: message, Source: src}
	if s != nil {
		n.Interval = interval(*s)
	}
	m.notices = append(m.notices, n)
}

// News implements frame.Report. It turns doubts and states that were not told yet into notices and returns all that are new.
func (m *Merger) News() []*parleyv1.Notice {
	for _, r := range m.readers {
		for _, g := range r.allGaps() {
			var cause error
			if g.Reason == r.reason {
				cause = r.cause
			}
			m.notice(reasons.Text(g.Reason), failure.Explain(g.Reason, cause), r.src, &g.Span)
		}
		if r.contradicted.Load() && !slices.ContainsFunc(r.gaps, func(g window.Gap) bool { return g.Reason == parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED }) {
			m.notice(reasons.Text(parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED), "Graph sent calls without the participant that it was asked for; they were left out", r.src, nil)
		}
		if !r.begun.IsZero() && r.open {
			m.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), "Graph refused to be asked from 1970 on; what lies before this span was not read", r.src, &window.Span{Start: r.begun})
		}
		if skew := m.skew(); skew.Abs() > m.cfg.Settle[r.src] {
			m.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_CLOCK_SKEW), "The gateway's clock and Graph's differ by "+skew.Abs().Round(time.Second).String()+
				", more than this source needs to settle; the earlier one counts", r.src, nil)
		}
		if r.reason != failure.None && r.state != parleyv1.SourceState_SOURCE_STATE_READ {
			m.notice(reasons.Text(r.reason), failure.Explain(r.reason, r.cause), r.src, nil)
		}
	}
	fresh := m.notices
	m.notices = nil
	return fresh
}

// Complete tells whether everything was read without a doubt, all tracks being at their end.
func (m *Merger) Complete() bool {
	for _, r := range m.readers {
		if r.state != parleyv1.SourceState_SOURCE_STATE_READ || len(r.gaps) > 0 || !r.finished {
			return false
		}
	}
	return true
}

// Reports says for each source what was read.
func (m *Merger) Reports() []*parleyv1.SourceReport {
	reports := make([]*parleyv1.SourceReport, 0, len(m.readers))
	for _, r := range m.readers {
		reports = append(reports, m.report(r))
	}
	return reports
}

func (m *Merger) report(r *sourceReader) *parleyv1.SourceReport {
	c := r.allCounts()
	answer := &parleyv1.SourceReport{
		Source: r.src, State: r.state, Reason: reasons.Text(r.reason), FailedRequestIds: r.failedRequests,
		Counts: &parleyv1.SourceCounts{
			Events: c.Events, Pages: c.Pages, Duplicates: c.Duplicates,
			OutOfWindow: c.OutOfWindow, LeftOut: c.LeftOut, FromCache: c.FromCache, GraphRequests: c.Requests,
		},
	}
	if m.req.Narrow {
		frame.ConcealReads(answer.GetCounts())
	}
	if m.filter != nil {
		answer.FilteredByGateway = r.filteredHere()
		if !r.fetch.IgnoresClause() && !r.contradicted.Load() {
			answer.FilteredByGraph = r.pushed
		}
		answer.FilteredByGraph = append(slices.Clone(answer.GetFilteredByGraph()), r.clipped...)
	}
	for _, g := range r.allGaps() {
		answer.Gaps = append(answer.Gaps, &parleyv1.Gap{Interval: interval(g.Span), Reason: reasons.Text(g.Reason)})
	}
	if covered := m.covered(r); covered.End.After(covered.Start) {
		answer.Covered = interval(covered)
	}
	if r.state == parleyv1.SourceState_SOURCE_STATE_READ {
		answer.SettledUntil = timestamppb.New(m.settled(r.src))
	}
	return answer
}

// covered is what was read of a source, gaps included: nothing that was not asked for, and nothing that lies in Graph's future.
func (m *Merger) covered(r *sourceReader) window.Span {
	s := r.interval
	s.Start = window.Later(s.Start, r.begun)
	switch edge := r.deliveredUntil(); {
	case !r.desc:
		s.End = edge
	case !r.finished || r.state != parleyv1.SourceState_SOURCE_STATE_READ:
		s.Start = window.Later(s.Start, edge)
	}
	s.End = window.Earlier(s.End, m.present())
	if r.open && r.begun.IsZero() && s.Start.Equal(epoch) && s.End.After(s.Start) {
		s.Start = time.Time{}
	}
	return s
}

// Checkpoint implements frame.Report.
func (m *Merger) Checkpoint() (*parleyv1.Checkpoint, error) {
	token, err := m.Token(false)
	if err != nil {
		return nil, err
	}
	checkpoint := &parleyv1.Checkpoint{ResumeToken: token}
	for _, r := range m.readers {
		checkpoint.Sources = append(checkpoint.Sources, &parleyv1.SourceProgress{Source: r.src, ReachedTime: timestamppb.New(r.deliveredUntil())})
	}
	return checkpoint, nil
}

// Summary implements frame.Report.
func (m *Merger) Summary() (*parleyv1.Summary, error) {
	token, err := m.Token(true)
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: m.Complete(), Sources: m.Reports(), ResumeToken: token}, nil
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
