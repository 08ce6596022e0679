package pager

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
)

// doubt records a gap. Rows of these APIs have no times, so that their gaps have no interval.
func (p *pager[T]) doubt(reason parleyv1.ErrorReason) {
	if len(p.position.GapReasons) < cursor.MaxReasons {
		p.position.GapReasons = append(p.position.GapReasons, reason)
	}
	at, _ := p.current()
	p.notices = append(p.notices, failure.Notice(at, reason, nil))
}

// complete reports whether everything was read without a doubt.
func (p *pager[T]) complete() bool { return p.position.Finished && len(p.position.GapReasons) == 0 }

// News implements frame.Report.
func (p *pager[T]) News() []*parleyv1.Notice {
	if p.loading != nil {
		return nil
	}
	news := p.notices
	p.notices = nil
	return news
}

// Checkpoint implements frame.Report. While a page is being read, it tells the position before that page.
func (p *pager[T]) Checkpoint() (*parleyv1.Checkpoint, error) {
	checkpoint := &parleyv1.Checkpoint{Sources: []*parleyv1.SourceProgress{{Source: p.source}}}
	if p.loading != nil {
		checkpoint.ResumeToken = p.loading.token
		return checkpoint, nil
	}
	var err error
	checkpoint.ResumeToken, err = p.token()
	return checkpoint, err
}

// Summary implements frame.Report.
func (p *pager[T]) Summary() (*parleyv1.Summary, error) {
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	return &parleyv1.Summary{Complete: p.complete(), Sources: frame.AddCoverageGaps(p.reports()), ResumeToken: token}, nil
}

// reports is the report of the source, and that of the second one where there is one. Gaps stand in the first.
func (p *pager[T]) reports() []*parleyv1.SourceReport {
	r := readReport(p.source, &p.position.Counts)
	r.FailedRequestIds = p.requestIDs
	if p.concealed {
		frame.ConcealReads(r.GetCounts())
	}
	if r.FilteredByGateway = p.evaluated; !p.position.Unfiltered {
		r.FilteredByGraph = p.pushed
	}
	for _, reason := range p.position.GapReasons {
		r.Gaps = append(r.Gaps, &parleyv1.Gap{Reason: reasons.Text(reason)})
	}
	if p.second == 0 {
		return []*parleyv1.SourceReport{r}
	}
	users := readReport(p.second, &p.position.Users)
	users.FilteredByGateway = p.evaluated
	return []*parleyv1.SourceReport{r, users}
}

func readReport(src parleyv1.Source, n *cursor.Counts) *parleyv1.SourceReport {
	return &parleyv1.SourceReport{
		Source: src, State: parleyv1.SourceState_SOURCE_STATE_READ,
		Counts: &parleyv1.SourceCounts{
			Events: n.Events, Pages: n.Pages, Duplicates: n.Duplicates, FromCache: n.FromCache, GraphRequests: n.Requests,
		},
	}
}
