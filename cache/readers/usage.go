package readers

import (
	"context"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

type usage struct {
	scoped

	next source.UsageReader
}

var _ source.UsageReader = (*usage)(nil)

// Usage decorates a reader of the usage reports. Their pages are cached for Config.Usage, or until a newer refresh date is seen on any
// report of the tenant.
func (d *Decorator) Usage(next source.UsageReader, scope Scope) source.UsageReader {
	return &usage{d.in(scope), next}
}

// Usage implements source.UsageReader.
func (r *usage) Usage(ctx context.Context, q source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	q.Report = source.UsersReport
	return getReport(ctx, &r.scoped, "usage", q, link, func(ctx context.Context) (*source.Page[*parleyv1.CopilotUsageRow], error) {
		return r.next.Usage(ctx, q, link)
	})
}

// UsageCounts implements source.UsageReader.
func (r *usage) UsageCounts(ctx context.Context, q source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
	return getReport(ctx, &r.scoped, "usage", q, link, func(ctx context.Context) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
		return r.next.UsageCounts(ctx, q, link)
	})
}

// getReport is getPage for a page of a report. The pages of a report are of one type, so its key names the type.
func getReport[T proto.Message](
	ctx context.Context, s *scoped, kind string, q source.UsageQuery, link string, fetch func(context.Context) (*source.Page[T], error),
) (*source.Page[T], error) {
	return getPage(ctx, s, usageKey(kind, &s.scope, q), link, func(ctx context.Context) (cache.Fetched[*source.Page[T]], error) {
		page, err := fetch(ctx)
		return fetchedReport(s, page, err)
	})
}

// usageKey returns the key of a report: everything that its pages depend on.
func usageKey(kind string, scope *Scope, q source.UsageQuery) cache.Key {
	key := scope.key(kind)
	key.Text(q.Period, q.Version, strconv.Itoa(int(q.Report)))
	return key
}

// fetchedReport notes the refresh date of a page, which bounds the life of the page. A page that names none may be that of a report
// which is not there yet.
func fetchedReport[T proto.Message](s *scoped, page *source.Page[T], err error) (cache.Fetched[*source.Page[T]], error) {
	fetched, err := fetchedPage(page, err, s.cfg.Other, resident[T])
	if err != nil || page.Refreshed == "" {
		return fetched, err
	}
	fetched.Life = s.cfg.Usage
	if s.scope.Delegated {
		fetched.Life = min(fetched.Life, s.cfg.Chat)
	}
	if fetched.ReadAt.IsZero() {
		fetched.ReadAt = time.Now()
	}
	dates, day := s.refreshDates.of(s.scope.Tenant), page.Refreshed
	if dates.note(day, fetched.ReadAt) {
		fetched.Life = min(fetched.Life, laggingReport)
	}
	fetched.Superseded = func(read time.Time) bool { return dates.moved(day, read) }
	return fetched, nil
}

// laggingReport is how long a report is cached that is older than another one of the tenant: it follows soon.
const laggingReport = 15 * time.Minute

// refreshDates knows the refresh date of each tenant.
type refreshDates struct{ byTenant sync.Map } // *refreshDate

func (r *refreshDates) of(tenant string) *refreshDate {
	known, _ := r.byTenant.LoadOrStore(tenant, &refreshDate{})
	date, _ := known.(*refreshDate) // nothing else is stored
	return date
}

// refreshDate is the day up to which the usage reports of a tenant reach: the newest refresh date seen, and when it was seen first.
// Graph makes all reports of a tenant anew at about the same time, once a day, and does not tell when.
type refreshDate struct {
	mu   sync.Mutex
	day  string
	seen time.Time
}

// note takes the refresh date of a report that was read at a time, and returns whether it lags behind another one.
func (r *refreshDate) note(day string, read time.Time) (lags bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if day > r.day && day <= read.AddDate(0, 0, 2).Format(time.DateOnly) { // a date to come would outlive all true ones
		r.day, r.seen = day, read
	}
	return day < r.day
}

// moved reports whether the refresh date has moved since a report was read that reached up to a day.
func (r *refreshDate) moved(day string, read time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return day < r.day && read.Before(r.seen)
}
