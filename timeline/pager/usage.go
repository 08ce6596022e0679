package pager

import (
	"context"
	"strconv"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
)

// usage opens the pager of a request.
func (l *Lister) usage(sources query.Sources, req *query.Usage, token, field string) (*pager[*parleyv1.CopilotUsageRow], error) {
	compiled, err := req.CompileFilter()
	if err != nil {
		return nil, err
	}
	ask := source.UsageQuery{Period: req.Period, Version: req.Version}
	report := api[*parleyv1.CopilotUsageRow]{
		source: parleyv1.Source_SOURCE_USAGE, digest: req.Digest(), key: usageKey,
		read: func(ctx context.Context, link string) (graphPage[*parleyv1.CopilotUsageRow], error) {
			return single(sources.Usage.Usage(ctx, ask, link))
		},
	}
	switch {
	case req.Inactive:
		users := &withInactive{usage: sources.Usage, users: sources.Users, ask: ask}
		report.read, report.second, report.inSecond = users.read, parleyv1.Source_SOURCE_USER, isUsersLink
		report.admit = func(page *source.Page[*parleyv1.CopilotUsageRow]) error { return refuseConcealed(page, "include") }
	case compiled.NamesUsers():
		report.admit = func(page *source.Page[*parleyv1.CopilotUsageRow]) error { return refuseConcealed(page, "filter") }
	}
	if compiled != nil {
		report.evaluated = compiled.Evaluated()
		report.match = func(_ context.Context, row *parleyv1.CopilotUsageRow, _ bool) (matches, known bool, err error) {
			return compiled.Match(row) == filter.True, true, nil
		}
	}
	return open(&l.cfg, report, token, field)
}

// concealedFixes are what a request can do whose field needs names that are concealed.
var concealedFixes = map[string]string{
	"filter":  "so nobody can be found by name; ask without user_principal_name",
	"include": "so its rows cannot be matched with the directory; ask without include",
}

// refuseConcealed refuses a page with concealed names to a request with a field that needs the names.
func refuseConcealed(page *source.Page[*parleyv1.CopilotUsageRow], field string) error {
	if !page.Concealed {
		return nil
	}
	return &failure.Error{
		Reason: parleyv1.ErrorReason_ERROR_REASON_IDENTITIES_CONCEALED, Field: field, Source: parleyv1.Source_SOURCE_USAGE,
		Message: "the tenant conceals names in reports, " + concealedFixes[field] +
			", or have an administrator show names in reports (Microsoft 365 admin centre, Org settings, Reports)",
	}
}

// usageKey is user and period. Rows that lack one of them are never the same: without a period a user may have several, and a
// placeholder in the user's place stands for many.
func usageKey(row *parleyv1.CopilotUsageRow) string {
	user := row.GetUserPrincipalName()
	if row.GetDerived() {
		return "derived " + row.GetUser()
	}
	if user == "" || row.ReportPeriod == nil || row.GetIdentityConcealed() && !isDigest(user) {
		return ""
	}
	return strconv.Itoa(int(row.GetReportPeriod())) + " " + user
}

// isDigest reports whether a name is a pseudonym of one user, and no placeholder: 32 hexadecimal digits, not all alike.
func isDigest(user string) bool {
	return len(user) == 32 && strings.Trim(user, "0123456789abcdefABCDEF") == "" && strings.Trim(user, user[:1]) != ""
}

// noteUsage notes in the position of a pager what the answer says about all rows so far.
func noteUsage(p *pager[*parleyv1.CopilotUsageRow]) func(*parleyv1.CopilotUsageRow) *parleyv1.CopilotUsageRow {
	return func(row *parleyv1.CopilotUsageRow) *parleyv1.CopilotUsageRow {
		p.position.Concealed = p.position.Concealed || row.GetIdentityConcealed()
		p.position.Refreshed = max(p.position.Refreshed, row.GetReportRefreshDate())
		return row
	}
}

// ListCopilotUsage answers one page of the report.
func (l *Lister) ListCopilotUsage(
	ctx context.Context, sources query.Sources, req query.Usage, token string, size int,
) (*parleyv1.ListCopilotUsageResponse, error) {
	p, err := l.usage(sources, &req, token, "page_token")
	if err != nil {
		return nil, err
	}
	page, err := list(ctx, &l.cfg, p, size, noteUsage(p))
	if err != nil {
		return nil, err
	}
	return &parleyv1.ListCopilotUsageResponse{
		Rows: page.rows, NextPageToken: page.token, Complete: page.complete, IdentitiesConcealed: p.position.Concealed,
		ReportRefreshDate: p.position.Refreshed, Notices: p.News(), Sources: page.reports(),
	}, nil
}

// StreamCopilotUsage emits the whole report as frames. Errors are as StreamEvents says.
func (l *Lister) StreamCopilotUsage(
	ctx context.Context, sources query.Sources, req query.Usage, token string, emit func(*parleyv1.StreamCopilotUsageResponse) error,
) error {
	p, err := l.usage(sources, &req, token, "resume_token")
	if err != nil {
		return err
	}
	type response = parleyv1.StreamCopilotUsageResponse
	return stream(ctx, &l.cfg, p, req.Reconnect, shape[*parleyv1.CopilotUsageRow, *response]{
		show: noteUsage(p),
		batch: func(rows []*parleyv1.CopilotUsageRow) *response {
			return &response{Frame: &parleyv1.StreamCopilotUsageResponse_Batch{
				Batch: &parleyv1.CopilotUsageBatch{Rows: rows, IdentitiesConcealed: p.position.Concealed},
			}}
		},
		Frames: frame.Frames[*response]{
			Notice: func(n *parleyv1.Notice) *response {
				return &response{Frame: &parleyv1.StreamCopilotUsageResponse_Notice{Notice: n}}
			},
			Checkpoint: func(p *parleyv1.Checkpoint) *response {
				return &response{Frame: &parleyv1.StreamCopilotUsageResponse_Checkpoint{Checkpoint: p}}
			},
			Summary: func(s *parleyv1.Summary) *response {
				return &response{Frame: &parleyv1.StreamCopilotUsageResponse_Summary{Summary: s}}
			},
		},
	}, emit)
}
