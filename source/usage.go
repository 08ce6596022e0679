package source

import (
	"context"
	"errors"
	"io"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
)

const (
	copilotReports = "/copilot/reports/" // where the reports are now
	olderReports   = "/reports/"         // where they were, and where JSON and CSV by redirect are documented; beta only

	// maxReport is the largest report that is read whole, in bytes.
	maxReport = 256 << 20
)

// reportFunctions are Graph's names of the reports.
var reportFunctions = [...]string{
	UsersReport:   "getMicrosoft365CopilotUsageUserDetail",
	SummaryReport: "getMicrosoft365CopilotUserCountSummary",
	TrendsReport:  "getMicrosoft365CopilotUserCountTrend",
}

// Usage reads the Copilot usage reports. v1.0 answers CSV, which is read whole as one page; beta answers JSON pages. When
// a report is missing at the place that the version says, its other place is tried.
type Usage struct{ base }

var _ UsageReader = (*Usage)(nil)

// NewUsage returns the source of usage rows.
func NewUsage(client Graph, opt Options) *Usage {
	return &Usage{base: newBase(client, opt, parleyv1.Source_SOURCE_USAGE)}
}

// reportPlace is a path at which a report may be, and the form that it has there.
type reportPlace struct {
	version, folder, format string
	csv                     bool
}

// Usage implements UsageReader.
func (u *Usage) Usage(ctx context.Context, q UsageQuery, link string) (*Page[*parleyv1.CopilotUsageRow], error) {
	q.Report = UsersReport
	return reportPage(ctx, u, &usersForm, q, link)
}

// UsageCounts implements UsageReader.
func (u *Usage) UsageCounts(ctx context.Context, q UsageQuery, link string) (*Page[*parleyv1.CopilotUsageCounts], error) {
	return reportPage(ctx, u, countsForm(q.Report), q, link)
}

// reportPage asks for the first page of a report, or for the page behind link.
func reportPage[T any](ctx context.Context, u *Usage, form *reportForm[T], q UsageQuery, link string) (*Page[T], error) {
	if link != "" {
		return jsonPage(ctx, u, form, u.request(ctx, "", link))
	}
	places := []reportPlace{
		{version: graph.V1, folder: copilotReports, csv: true},
		{version: graph.Beta, folder: olderReports, format: graphclient.ContentJSON},
	}
	if u.opt.Version == graph.Beta {
		places[0] = reportPlace{version: graph.Beta, folder: copilotReports}
	}
	var page *Page[T]
	err := u.withFallbacks(ctx, places, func(at reportPlace) error {
		r := u.reportRequest(ctx, q, at)
		var err error
		if at.csv {
			page, err = csvPage(ctx, u, form, r)
			return err
		}
		if page, err = jsonPage(ctx, u, form, r); isKind(err, graph.KindMalformed) {
			u.logFallback(ctx, "csv", err)
			if fromCSV, again := csvPage(ctx, u, form, r); again == nil {
				fromCSV.Requests += graph.Requests(err)
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
	places := []reportPlace{
		{version: graph.V1, folder: copilotReports},
		{version: graph.Beta, folder: olderReports, format: graphclient.ContentCSV},
	}
	if u.opt.Version == graph.Beta {
		places = []reportPlace{
			{version: graph.Beta, folder: olderReports, format: graphclient.ContentCSV},
			{version: graph.Beta, folder: copilotReports, format: graphclient.ContentCSV},
			{version: graph.V1, folder: copilotReports},
		}
	}
	var body io.ReadCloser
	err := u.withFallbacks(ctx, places, func(at reportPlace) error {
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

// ReadReport makes the page of a CSV report of users that was downloaded whole. It keeps the body.
func (u *Usage) ReadReport(body []byte) (*Page[*parleyv1.CopilotUsageRow], error) {
	return csvRows(u, &usersForm, &graphclient.Page{Requests: 1}, body)
}

// ReadCounts is ReadReport for a report of counts.
func (u *Usage) ReadCounts(of UsageReport, body []byte) (*Page[*parleyv1.CopilotUsageCounts], error) {
	return csvRows(u, countsForm(of), &graphclient.Page{Requests: 1}, body)
}

// ListsCSV reports whether Usage asks for the CSV that Download returns: in v1.0 there is no other form.
func (u *Usage) ListsCSV() bool { return u.opt.Version != graph.Beta }

// withFallbacks asks the places in order until one has the report.
func (u *Usage) withFallbacks(ctx context.Context, places []reportPlace, ask func(reportPlace) error) error {
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

func (u *Usage) reportRequest(ctx context.Context, q UsageQuery, at reportPlace) graph.Request {
	version := q.Version
	if version == "" && q.Period == "D28" {
		version = "v2" // D28 exists in v2 only
	}
	call := reportFunctions[q.Report] + "(period='" + graph.Escape(q.Period) + "'"
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
