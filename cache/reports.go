package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

const (
	// laggingReport is how long a report is cached that is older than another one of the tenant: it follows soon.
	laggingReport = 15 * time.Minute

	// maxDownload is the longest report that a download caches, in bytes: it is read whole before its first byte goes out. Longer
	// ones go out as they come.
	maxDownload = 32 << 20
)

// refresh knows up to which day the usage reports of a tenant reach: the newest refresh date seen, and when it was seen first.
// Graph makes all reports of a tenant anew at about the same time, once a day, and does not tell when.
type refresh struct {
	mu   sync.Mutex
	day  string
	seen time.Time
}

// note takes the refresh date of a report that was read at a time, and returns whether it lags behind another one.
func (r *refresh) note(day string, read time.Time) (lags bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if day > r.day && day <= read.AddDate(0, 0, 2).Format(time.DateOnly) { // a date to come would outlive all true ones
		r.day, r.seen = day, read
	}
	return day < r.day
}

// moved reports whether the refresh date has moved since a report was read that reached up to a day.
func (r *refresh) moved(day string, read time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return day < r.day && read.Before(r.seen)
}

// refreshOf is the refresh date of a tenant.
func (c *Cache) refreshOf(tenant string) *refresh {
	known, _ := c.refreshes.LoadOrStore(tenant, &refresh{})
	r, _ := known.(*refresh) // nothing else is stored
	return r
}

// reportLife notes the refresh date of a page of a report, and returns how long the page is cached at most. A page that names no
// refresh date may be that of a report which is not there yet.
func (c *Cache) reportLife(e *entry, scope *Scope) time.Duration {
	page, _ := e.value.(*source.Page[*parleyv1.CopilotUsageRow])
	if page == nil || page.Refreshed == "" {
		return c.cfg.Other
	}
	life := c.cfg.Usage
	if scope.Delegated {
		life = min(life, c.cfg.Chat)
	}
	e.refresh, e.day = c.refreshOf(scope.Tenant), page.Refreshed
	if e.refresh.note(e.day, e.read) {
		life = min(life, laggingReport)
	}
	return life
}

// Reports is the interface to a source whose downloads of the usage report are cached.
type Reports interface {
	// Download returns the report as CSV and its media type. The caller closes it.
	Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error)
	// ReadReport makes the page of a CSV report that was read whole, and holds its bytes.
	ReadReport(body []byte) (*source.Page[*parleyv1.CopilotUsageRow], error)
	// ListsCSV reports whether Usage is answered with the same CSV, so that one copy serves both.
	ListsCSV() bool
}

// Downloads caches CSV reports, for downloads and for lists alike.
type Downloads struct {
	c     *Cache
	next  Reports
	scope Scope
}

// Downloads decorates the downloads of the usage report. Where lists are made of the same CSV, there is one copy of it, under
// the key of Cache.Usage in the same scope.
func (c *Cache) Downloads(next Reports, scope Scope) *Downloads { return &Downloads{c, next, scope} }

// errNotCacheable says that a report is too long to be read whole, or that its rows cannot be read; it can be downloaded all the same.
var errNotCacheable = errors.New("cache: the report cannot be cached")

// Download returns the report as CSV and its media type. The caller closes it.
func (d *Downloads) Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error) {
	kind := "report"
	if d.next.ListsCSV() {
		kind = "usage"
	}
	key := usageKey(kind, d.scope, q)
	name := reportName{d.scope.Tenant, q.Period, q.Version}
	if d.c.store == nil {
		return d.direct(ctx, q)
	}
	page, err := look(ctx, d.c, request[*parleyv1.CopilotUsageRow]{
		source: d.scope.Source, key: key,
		life: func(e *entry) time.Duration { return d.c.reportLife(e, &d.scope) },
		size: func(m *parleyv1.CopilotUsageRow) int64 { return resident(m) },
		fetch: func(ctx context.Context) (*source.Page[*parleyv1.CopilotUsageRow], error) {
			if d.c.passed.is(name) {
				return nil, errNotCacheable
			}
			return d.read(ctx, q)
		},
	})
	if errors.Is(err, errNotCacheable) {
		d.c.passed.add(name, d.c.cfg.Usage)
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
	if ControlOf(ctx).OnlyIfCached {
		return nil, "", ErrNotCached
	}
	return d.next.Download(ctx, q)
}

// read reads the report whole, unless it is too long to be cached.
func (d *Downloads) read(ctx context.Context, q source.UsageQuery) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	report, _, err := d.next.Download(ctx, q)
	if err != nil {
		return nil, err
	}
	most := min(maxDownload, d.c.store.largest())
	body, err := io.ReadAll(io.LimitReader(report, most+1))
	if err := errors.Join(err, report.Close()); err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, errNotCacheable
	}
	page, err := d.next.ReadReport(bytes.Clone(body)) // without the room that reading left behind
	if err != nil {
		return nil, errors.Join(errNotCacheable, err)
	}
	return page, nil
}

// reportName names a report of a tenant.
type reportName struct{ tenant, period, version string }

// passedReports remembers reports that cannot be cached, so that they are not read twice each time.
type passedReports struct {
	mu    sync.Mutex
	until map[reportName]time.Time
}

func (p *passedReports) is(name reportName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until[name])
}

func (p *passedReports) add(name reportName, life time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = map[reportName]time.Time{}
	}
	p.until[name] = time.Now().Add(life)
}
