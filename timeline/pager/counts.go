package pager

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
)

// counts reads a page of a report of counts.
func (l *Lister) counts(
	ctx context.Context, sources query.Sources, req query.UsageCounts, token string, size int,
) (*listPage[*parleyv1.CopilotUsageCounts], *pager[*parleyv1.CopilotUsageCounts], error) {
	ask := source.UsageQuery{Report: req.Report, Period: req.Period, Version: req.Version}
	p, err := open(&l.cfg, api[*parleyv1.CopilotUsageCounts]{
		source: parleyv1.Source_SOURCE_USAGE, digest: req.Digest(),
		read: func(ctx context.Context, link string) (graphPage[*parleyv1.CopilotUsageCounts], error) {
			return single(sources.Usage.UsageCounts(ctx, ask, link))
		},
	}, token, "page_token")
	if err != nil {
		return nil, nil, err
	}
	filled, err := list(ctx, &l.cfg, p, size, func(row *parleyv1.CopilotUsageCounts) *parleyv1.CopilotUsageCounts {
		p.position.Refreshed = max(p.position.Refreshed, row.GetReportRefreshDate())
		return row
	})
	return filled, p, err
}

// mostPeriods is how many entries a summary has at most; a report has one for each period.
const mostPeriods = 1000

// SummarizeCopilotUsage answers the counts of a period.
func (l *Lister) SummarizeCopilotUsage(ctx context.Context, sources query.Sources, req query.UsageCounts) (*parleyv1.SummarizeCopilotUsageResponse, error) {
	req.Report = source.SummaryReport
	page, p, err := l.counts(ctx, sources, req, "", mostPeriods)
	if err != nil {
		return nil, err
	}
	return &parleyv1.SummarizeCopilotUsageResponse{
		Periods: page.rows, Complete: page.complete, ReportRefreshDate: p.position.Refreshed, Notices: p.News(),
		Sources: frame.AddCoverageGaps(p.reports()),
	}, nil
}

// ListCopilotUsageTrends answers one page of the counts by day.
func (l *Lister) ListCopilotUsageTrends(
	ctx context.Context, sources query.Sources, req query.UsageCounts, token string, size int,
) (*parleyv1.ListCopilotUsageTrendsResponse, error) {
	req.Report = source.TrendsReport
	page, p, err := l.counts(ctx, sources, req, token, size)
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListCopilotUsageTrendsResponse{
		Days: page.rows, NextPageToken: page.token, Complete: page.complete, ReportRefreshDate: p.position.Refreshed,
		Notices: p.News(), Sources: page.reports(),
	}, nil
}
