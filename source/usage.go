package source

import (
	"context"
	"errors"
	"io"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source/graphmap"
)

const (
	reportFunction = "getMicrosoft365CopilotUsageUserDetail"
	copilotReports = "/copilot/reports/" // where the report is now
	olderReports   = "/reports/"         // where it was, and where JSON and CSV by redirect are documented; beta only

	// maxReport is the largest report that is read whole, in bytes.
	maxReport = 256 << 20
)

// Usage reads the Copilot usage report. v1.0 answers CSV, which is read whole as one page; beta answers JSON pages. When
// the report is missing at the place that the version says, its other place is tried.
type Usage struct{ base }

var _ UsageReader = (*Usage)(nil)

// NewUsage returns the source of usage rows.
func NewUsage(client Graph, opt Options) *Usage {
	return &Usage{base: newBase(client, opt, parleyv1.Source_SOURCE_USAGE)}
}

// report is one place and form of the report.
type report struct {
	version, folder, format string
	csv                     bool
}

// Usage implements UsageReader.
func (u *Usage) Usage(ctx context.Context, q UsageQuery, link string) (*Page[*parleyv1.CopilotUsageRow], error) {
	if link != "" {
		return u.jsonPage(ctx, u.request(ctx, "", link))
	}
	places := []report{
		{version: graph.V1, folder: copilotReports, csv: true},
		{version: graph.Beta, folder: olderReports, format: graphclient.ContentJSON},
	}
	if u.opt.Version == graph.Beta {
		places[0] = report{version: graph.Beta, folder: copilotReports}
	}
	var page *Page[*parleyv1.CopilotUsageRow]
	err := u.withFallbacks(ctx, places, func(at report) error {
		r := u.reportRequest(ctx, q, at)
		var err error
		if at.csv {
			page, err = u.csvPage(ctx, r)
			return err
		}
		if page, err = u.jsonPage(ctx, r); isKind(err, graph.KindMalformed) {
			u.logFallback(ctx, "csv", err)
			if fromCSV, again := u.csvPage(ctx, r); again == nil {
				fromCSV.Requests += requestsOf(err)
				page, err = fromCSV, nil
			}
		}
		return err
	})
	return page, err
}

// Download returns the report as CSV, byte for byte as Graph gives it: by 200 from v1.0, by redirect from beta. The
// caller closes it. The second result is its media type. A report that is not CSV is an error of kind Malformed.
func (u *Usage) Download(ctx context.Context, q UsageQuery) (io.ReadCloser, string, error) {
	places := []report{
		{version: graph.V1, folder: copilotReports},
		{version: graph.Beta, folder: olderReports, format: graphclient.ContentCSV},
	}
	if u.opt.Version == graph.Beta {
		places = []report{
			{version: graph.Beta, folder: olderReports, format: graphclient.ContentCSV},
			{version: graph.Beta, folder: copilotReports, format: graphclient.ContentCSV},
			{version: graph.V1, folder: copilotReports},
		}
	}
	var body io.ReadCloser
	err := u.withFallbacks(ctx, places, func(at report) error {
		d, err := u.graph.Download(ctx, u.reportRequest(ctx, q, at))
		if err != nil {
			return err
		}
		if d.ContentType != graphclient.ContentCSV {
			return errors.Join(errNotCSV(nil), d.Body.Close())
		}
		body, err = csvBody(d.Body)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return body, graphclient.ContentCSV, nil
}

// ContentCSV is the media type of reports.
const ContentCSV = graphclient.ContentCSV

// ReadReport makes the page of a CSV report that was downloaded whole. It keeps the body.
func (u *Usage) ReadReport(body []byte) (*Page[*parleyv1.CopilotUsageRow], error) {
	return u.csvRows(&graphclient.Page{Requests: 1}, body)
}

// ListsCSV reports whether Usage asks for the CSV that Download returns: in v1.0 there is no other form.
func (u *Usage) ListsCSV() bool { return u.opt.Version != graph.Beta }

// withFallbacks asks the places in order until one has the report.
func (u *Usage) withFallbacks(ctx context.Context, places []report, ask func(report) error) error {
	var err error
	for i, at := range places {
		if err = ask(at); err == nil || !isMissingReport(err) || i == len(places)-1 {
			return err
		}
		u.logFallback(ctx, places[i+1].version+places[i+1].folder, err)
	}
	return err
}

// isMissingReport reports whether Graph has no such report at the path that was asked, or it is of another form there.
func isMissingReport(err error) bool {
	e, ok := errors.AsType[*graph.Error](err)
	if !ok {
		return false
	}
	switch e.Kind {
	case graph.KindNotFound:
		return true
	case graph.KindBadRequest:
		return strings.Contains(strings.ToLower(e.Message()), "resource not found for the segment")
	default:
		return errors.Is(err, errOtherForm)
	}
}

func (u *Usage) reportRequest(ctx context.Context, q UsageQuery, at report) graph.Request {
	version := q.Version
	if version == "" && q.Period == "D28" {
		version = "v2" // D28 exists in v2 only
	}
	call := "(period=" + graph.Escape(q.Period)
	call = reportFunction + strings.Replace(call, "=", "='", 1) + "'"
	if version != "" {
		call += ",version='" + graph.Escape(version) + "'"
	}
	r := u.request(ctx, at.folder+call+")", "")
	r.Version = at.version
	if at.format != "" {
		r.Query = []graph.Param{{Name: "$format", Value: at.format}}
	}
	return r
}

// jsonPage asks for a page of JSON rows.
func (u *Usage) jsonPage(ctx context.Context, r graph.Request) (*Page[*parleyv1.CopilotUsageRow], error) {
	answer, err := u.graph.Page(ctx, r)
	if err != nil {
		return nil, err
	}
	return u.rowsOf(answer)
}

// csvPage reads the CSV report whole, or the JSON that Graph sent in its place.
func (u *Usage) csvPage(ctx context.Context, r graph.Request) (*Page[*parleyv1.CopilotUsageRow], error) {
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
		return u.csvRows(answer, body)
	}
	if answer.Records, answer.NextLink, err = jsonReport(body); err != nil {
		return nil, err
	}
	return u.rowsOf(answer)
}

// csvRows makes a page of a CSV report. Reports of large tenants are long, so its rows are made when they are wanted.
func (u *Usage) csvRows(answer *graphclient.Page, body []byte) (*Page[*parleyv1.CopilotUsageRow], error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	rows, concealed, err := readCSV(table, body)
	if err != nil {
		return nil, err
	}
	page := newPage[*parleyv1.CopilotUsageRow](answer)
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

// rowsOf normalizes the rows of a page. A JSON row with several periods becomes one row for each of them, so there may be
// more items than records.
func (u *Usage) rowsOf(answer *graphclient.Page) (*Page[*parleyv1.CopilotUsageRow], error) {
	table, err := u.table()
	if err != nil {
		return nil, err
	}
	page := newPage[*parleyv1.CopilotUsageRow](answer)
	for _, record := range answer.Records {
		if err := addRows(page, table, record); err != nil {
			return nil, err
		}
	}
	if len(page.Items) > 0 {
		page.Refreshed = page.Items[0].GetReportRefreshDate()
	}
	return page, nil
}

// addRows adds the rows of one record to a page.
func addRows(page *Page[*parleyv1.CopilotUsageRow], table *graphmap.Table, record []byte) error {
	rows, err := table.UsageRows(record)
	if err != nil {
		return malformed("a usage row cannot be read", err)
	}
	for _, row := range rows {
		row.IdentityConcealed = concealed(row)
		page.Concealed = page.Concealed || row.GetIdentityConcealed()
	}
	page.Items = append(page.Items, rows...)
	return nil
}
