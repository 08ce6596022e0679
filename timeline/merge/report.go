package merge

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/window"
)

// Complete reports whether every source was read to its end without a gap, or does not apply to the user. The rest of a source that
// stopped is no entry of gaps, but its state tells. Coverage gaps do not count: no reading could close them.
func (m *Merger) Complete() bool {
	for _, r := range m.readers {
		readable := r.state == parleyv1.SourceState_SOURCE_STATE_READ || r.state == parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE
		if !readable || len(r.gaps) > 0 || !r.finished {
			return false
		}
	}
	return true
}

// Reports returns the reports of the sources.
func (m *Merger) Reports() []*parleyv1.SourceReport {
	reports := make([]*parleyv1.SourceReport, 0, len(m.readers))
	for _, r := range m.readers {
		reports = append(reports, m.report(r))
	}
	return reports
}

// report returns the report of a source: its coverage, gaps and counts.
func (m *Merger) report(r *sourceReader) *parleyv1.SourceReport {
	c := r.allCounts()
	report := &parleyv1.SourceReport{
		Source: r.src, State: r.state, Reason: reasons.Text(r.reason), FailedRequestIds: r.failedRequests,
		Counts: &parleyv1.SourceCounts{
			Events: c.Events, Pages: c.Pages, Duplicates: c.Duplicates,
			OutOfWindow: c.OutOfWindow, LeftOut: c.LeftOut, FromCache: c.FromCache, GraphRequests: c.Requests,
		},
	}
	if m.req.Narrow {
		frame.ConcealReads(report.GetCounts())
	}
	if m.filter != nil {
		report.FilteredByGateway = r.filteredHere()
		if !r.fetch.IgnoresClause() && !r.contradicted.Load() {
			report.FilteredByGraph = r.pushed
		}
		report.FilteredByGraph = append(slices.Clone(report.GetFilteredByGraph()), r.clipped...)
	}
	for _, g := range r.allGaps() {
		report.Gaps = append(report.Gaps, &parleyv1.Gap{Interval: interval(g.Span), Reason: reasons.Text(g.Reason)})
	}
	if covered := m.covered(r); covered.End.After(covered.Start) {
		report.Covered = interval(covered)
	}
	if r.state == parleyv1.SourceState_SOURCE_STATE_READ {
		report.SettledUntil = timestamppb.New(m.settled(r))
	}
	return report
}

// covered is the span that was read of a source, gaps included. It holds nothing that was not asked for, and nothing that lies in Graph's
// future.
func (m *Merger) covered(r *sourceReader) window.Span {
	s := r.interval
	s.Start = window.Later(s.Start, r.acceptedStart)
	switch edge := r.deliveredUntil(); {
	case !r.desc:
		s.End = edge
	case !r.finished || r.state != parleyv1.SourceState_SOURCE_STATE_READ:
		s.Start = window.Later(s.Start, edge)
	}
	s.End = window.Earlier(s.End, m.present.now())
	if !r.lifeStart.IsZero() && s.Start.Equal(r.lifeStart) && s.End.After(s.Start) {
		s.Start = m.span.Start // nothing can lie between
	}
	if r.open && r.acceptedStart.IsZero() && s.Start.Equal(epoch) && s.End.After(s.Start) {
		s.Start = time.Time{}
	}
	return s
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

// Checkpoint implements frame.Report.
func (m *Merger) Checkpoint() (*parleyv1.Checkpoint, error) {
	token, err := m.Token()
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
	token, err := m.finalToken()
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: m.Complete(), Sources: frame.AddCoverageGaps(m.Reports()), ResumeToken: token}, nil
}

// News implements frame.Report. It returns a notice for each doubt and state that has none yet.
func (m *Merger) News() []*parleyv1.Notice {
	for _, r := range m.readers {
		for _, gap := range r.allGaps() {
			var cause error
			if gap.Reason == r.reason {
				cause = r.cause
			}
			m.notices.add(reasons.Text(gap.Reason), failure.Explain(gap.Reason, cause), r.src, &gap.Span)
		}
		m.noticeContradicted(r)
		if !r.acceptedStart.IsZero() && r.open {
			m.notices.add(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_START_RAISED), "Graph refused to be asked from 1970 on; what lies before this span was not read", r.src, &window.Span{Start: r.acceptedStart})
		}
		if skew := m.present.skew(); skew.Abs() > m.cfg.Settle[r.src] {
			m.notices.add(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_CLOCK_SKEW), "The gateway's clock and Graph's differ by "+skew.Abs().Round(time.Second).String()+
				", more than this source needs to settle; the earlier one counts", r.src, nil)
		}
		if r.reason != failure.None && r.state != parleyv1.SourceState_SOURCE_STATE_READ {
			m.notices.add(reasons.Text(r.reason), failure.Explain(r.reason, r.cause), r.src, nil)
		}
	}
	return m.notices.take()
}

// noticeContradicted adds the notice that calls were left out, unless a gap says so.
func (m *Merger) noticeContradicted(r *sourceReader) {
	const reason = parleyv1.ErrorReason_ERROR_REASON_PARTICIPANT_NOT_HONOURED
	if !r.contradicted.Load() || slices.ContainsFunc(r.gaps, func(gap window.Gap) bool { return gap.Reason == reason }) {
		return
	}
	m.notices.add(reasons.Text(reason), "Graph sent calls without the participant that it was asked for; they were left out", r.src, nil)
}

// notices collects the notices of a walk. Each notice is issued once, also across the calls of a walk.
type notices struct {
	pending []*parleyv1.Notice
	issued  map[string]bool
}

// add adds a notice that was not issued yet. A nil span is none.
func (n *notices) add(code, message string, src parleyv1.Source, s *window.Span) {
	if !n.markIssued(code, src, s) {
		return
	}
	notice := &parleyv1.Notice{Code: code, Message: message, Source: src}
	if s != nil {
		notice.Interval = interval(*s)
	}
	n.pending = append(n.pending, notice)
}

// markIssued marks a notice as issued, and reports whether it was new.
func (n *notices) markIssued(code string, src parleyv1.Source, s *window.Span) bool {
	key := fmt.Sprint(code, src)
	if s != nil {
		key = fmt.Sprint(code, src, s.Start.UnixNano(), s.End.UnixNano())
	}
	if n.issued[key] {
		return false
	}
	if n.issued == nil {
		n.issued = map[string]bool{}
	}
	n.issued[key] = true
	return true
}

// take returns the notices that were added since the last call.
func (n *notices) take() []*parleyv1.Notice {
	news := n.pending
	n.pending = nil
	return news
}

// UsedWindow is a window that a call went through.
type UsedWindow struct {
	// Store is the cache of the source, and Key the key of the chunk there; empty = it was read while this call
	// waited.
	Store readers.Windows
	Key   string
	// Chunk holds the events of the window.
	Chunk *chunk.Chunk
}

// CachedWindows returns the windows that the call went through, if all of them were cached and nothing that it found depends
// on when it is asked for. until is the time when that changes; zero = never.
func (m *Merger) CachedWindows() (windows []UsedWindow, until time.Time, ok bool) {
	isFirstCall := m.present.ofToken.IsZero() // later calls have the present of their token
	for _, r := range m.readers {
		switch {
		case m.extended || r.readsReverseChain() || len(r.gaps) > 0 || r.state != parleyv1.SourceState_SOURCE_STATE_READ || r.fetch.Store == nil:
			return nil, until, false
		case r.src == parleyv1.Source_SOURCE_CALL && m.span.Start.IsZero():
			return nil, until, false
		case isFirstCall && m.settled(r).Before(m.span.End):
			return nil, until, false
		}
		if r.src == parleyv1.Source_SOURCE_CALL {
			until = m.span.Start.Add(m.cfg.CallsKept)
		}
		for _, u := range r.used {
			if u.Key == "" {
				return nil, until, false
			}
			windows = append(windows, u)
		}
	}
	return windows, until, true
}
