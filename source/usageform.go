package source

import (
	"context"
	"errors"
	"io"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source/graphmap"
)

// reportForm says how the rows of a report are made.
type reportForm[T any] struct {
	// rows maps a record: a JSON row, or a line written as one. It returns at least one row.
	rows func(*graphmap.Table, []byte) ([]T, error)
	// refreshed is the day that a row says its figures reach up to.
	refreshed func(T) string
	// named says that rows name users, and concealed that a row does not; nil where none does.
	named     bool
	concealed func(T) bool
}

var (
	usersForm = reportForm[*parleyv1.CopilotUsageRow]{
		rows: usageRows, refreshed: (*parleyv1.CopilotUsageRow).GetReportRefreshDate,
		named: true, concealed: (*parleyv1.CopilotUsageRow).GetIdentityConcealed,
	}
	summaryForm = reportForm[*parleyv1.CopilotUsageCounts]{
		rows: (*graphmap.Table).UsageSummaries, refreshed: (*parleyv1.CopilotUsageCounts).GetReportRefreshDate,
	}
	trendsForm = reportForm[*parleyv1.CopilotUsageCounts]{
		rows: (*graphmap.Table).UsageTrends, refreshed: (*parleyv1.CopilotUsageCounts).GetReportRefreshDate,
	}
)

// countsForm is the form of a report of counts.
func countsForm(of UsageReport) *reportForm[*parleyv1.CopilotUsageCounts] {
	if of == TrendsReport {
		return &trendsForm
	}
	return &summaryForm
}

// usageRows maps a record of the report of users.
func usageRows(table *graphmap.Table, record []byte) ([]*parleyv1.CopilotUsageRow, error) {
	rows, err := table.UsageRows(record)
	for _, row := range rows {
		if row.IdentityConcealed = concealed(row); !row.GetIdentityConcealed() {
			row.User = userName(row.GetUserPrincipalName())
		}
	}
	return rows, err
}

// jsonPage asks for a page of JSON rows.
func jsonPage[T any](ctx context.Context, u *Usage, form *reportForm[T], r graph.Request) (*Page[T], error) {
	answer, err := u.graph.Page(ctx, r)
	if err != nil {
		return nil, err
	}
	return rowsOf(u, form, answer)
}

// csvPage reads the CSV report whole, or the JSON that Graph sent in its place.
func csvPage[T any](ctx context.Context, u *Usage, form *reportForm[T], r graph.Request) (*Page[T], error) {
	d, err := u.graph.Download(ctx, r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(d.Body, maxReport+1))
	if err := errors.Join(err, d.Body.Close()); err != nil {
		return nil, err
	}
	if len(body) > maxReport {
		return nil, failure(graph.KindTooLarge, "the usage report is too large", nil)
	}
	answer := &graphclient.Page{Requests: d.Requests, RequestID: d.RequestID}
	if d.ContentType != graphclient.ContentJSON {
		return csvRows(u, form, answer, body)
	}
	if answer.Records, answer.NextLink, err = jsonReport(body); err != nil {
		return nil, err
	}
	return rowsOf(u, form, answer)
}

// csvRows makes a page of a CSV report. Reports of large tenants are long, so its rows are made when they are wanted.
func csvRows[T any](u *Usage, form *reportForm[T], answer *graphclient.Page, body []byte) (*Page[T], error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	rows, concealed, err := readCSV(form, table, body)
	if err != nil {
		return nil, err
	}
	page := newPage[T](answer)
	page.Lazy, page.Rows, page.Concealed, page.Refreshed = rows, rows.Len(), concealed, rows.refreshed()
	return page, nil
}

// jsonReport takes a collection of rows apart that came where CSV was expected.
func jsonReport(body []byte) (records [][]byte, link string, err error) {
	all, err := properties(body)
	if err != nil {
		return nil, "", err
	}
	records, ok := elements(find(all, "value"))
	if !ok {
		return nil, "", malformed("the usage report has no rows", nil)
	}
	link = nextLink(all, "")
	return records, link, nil
}

// rowsOf normalizes the rows of a page. A JSON row with several periods or days becomes one row for each of them, so there may be
// more items than records.
func rowsOf[T any](u *Usage, form *reportForm[T], answer *graphclient.Page) (*Page[T], error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	page := newPage[T](answer)
	for _, record := range answer.Records {
		rows, err := form.rows(table, record)
		if err != nil {
			return nil, malformed("a usage row cannot be read", err)
		}
		page.Items = append(page.Items, rows...)
	}
	for _, row := range page.Items {
		page.Concealed = page.Concealed || form.named && form.concealed(row)
	}
	if len(page.Items) > 0 {
		page.Refreshed = form.refreshed(page.Items[0])
	}
	return page, nil
}
