package readers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// maxDownload is the longest report that a download caches, in bytes: it is read whole before its first byte goes out. Longer
// ones go out as they come.
const maxDownload = 32 << 20

// ReportReader makes pages of CSV reports that were read whole.
type ReportReader interface {
	// ReadReport makes the page of a CSV report of users that was read whole, and holds its bytes.
	ReadReport(body []byte) (*source.Page[*parleyv1.CopilotUsageRow], error)
	// ReadCounts is ReadReport for a report of counts.
	ReadCounts(of source.UsageReport, body []byte) (*source.Page[*parleyv1.CopilotUsageCounts], error)
}

// Reports is the interface to a source whose downloads of the usage reports are cached.
type Reports interface {
	ReportReader
	// Download returns the report as CSV and its media type. The caller closes it.
	Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error)
	// ListsCSV reports whether Usage is answered with the same CSV, so that one copy serves both.
	ListsCSV() bool
}

// Downloads caches CSV reports, for downloads and for lists alike.
type Downloads struct {
	scoped

	next Reports
}

// Downloads decorates the downloads of the usage reports. Where lists are made of the same CSV, there is one copy of it, under
// the key of Decorator.Usage in the same scope.
func (d *Decorator) Downloads(next Reports, scope Scope) *Downloads {
	return &Downloads{d.in(scope), next}
}

// errNotCacheable says that a report is too long to be read whole, or that its rows cannot be read; it can be downloaded all the same.
var errNotCacheable = errors.New("readers: the report cannot be cached")

// Download returns the report as CSV and its media type. The caller closes it.
func (d *Downloads) Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error) {
	if q.Report == source.UsersReport {
		return download(ctx, d, q, d.next.ReadReport)
	}
	return download(ctx, d, q, func(body []byte) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
		return d.next.ReadCounts(q.Report, body)
	})
}

// download returns a report whose page is made by parse.
func download[T proto.Message](
	ctx context.Context, d *Downloads, q source.UsageQuery, parse func(body []byte) (*source.Page[T], error),
) (io.ReadCloser, string, error) {
	kind := "report"
	if d.next.ListsCSV() {
		kind = "usage"
	}
	if d.cache.Largest() == 0 {
		return d.direct(ctx, q)
	}
	name := reportName{d.scope.Tenant, q}
	page, err := getReport(ctx, &d.scoped, kind, q, "", func(ctx context.Context) (*source.Page[T], error) {
		if d.uncacheable.has(name) {
			return nil, errNotCacheable
		}
		body, err := d.read(ctx, q)
		if err != nil {
			return nil, err
		}
		page, err := parse(body)
		if err != nil {
			return nil, errors.Join(errNotCacheable, err)
		}
		return page, nil
	})
	if errors.Is(err, errNotCacheable) {
		d.uncacheable.add(name, d.cfg.Usage)
		return d.direct(ctx, q)
	}
	if err != nil {
		return nil, "", err
	}
	body, ok := source.CSVOf(page)
	if !ok { // the list was answered with pages of JSON, in place of the CSV that it asked for
		return d.direct(ctx, q)
	}
	return io.NopCloser(bytes.NewReader(body)), source.ContentCSV, nil
}

// direct hands the report on as it comes.
func (d *Downloads) direct(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error) {
	if cache.ControlOf(ctx).OnlyIfCached {
		return nil, "", cache.ErrNotCached
	}
	return d.next.Download(ctx, q)
}

// read reads the report whole, unless it is too long to be cached.
func (d *Downloads) read(ctx context.Context, q source.UsageQuery) ([]byte, error) {
	report, _, err := d.next.Download(ctx, q)
	if err != nil {
		return nil, err
	}
	most := min(maxDownload, d.cache.Largest())
	body, err := io.ReadAll(io.LimitReader(report, most+1))
	if err := errors.Join(err, report.Close()); err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, errNotCacheable
	}
	return bytes.Clone(body), nil // without the room that reading left behind
}

// reportName names a report of a tenant.
type reportName struct {
	tenant string
	query  source.UsageQuery
}

// uncacheableReports remembers the reports that cannot be cached, so that they are not read twice each time.
type uncacheableReports struct {
	mu    sync.Mutex
	until map[reportName]time.Time
}

func (p *uncacheableReports) has(name reportName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until[name])
}

func (p *uncacheableReports) add(name reportName, life time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[reportName]time.Time{}
	}
	p.until[name] = time.Now().Add(life)
}
