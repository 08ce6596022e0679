package readers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// reports is Graph with usage reports that reach up to a day; periods that lag reach up to another one.
type reports struct {
	*source.Usage // reads CSV

	csv   bool
	mu    sync.Mutex
	day   string
	lags  map[string]string
	rows  int
	asked int
	wait  chan struct{} // downloads wait for it; nil = they do not
}

func newReports(csv bool, day string) *reports {
	version := "beta"
	if csv {
		version = "v1.0"
	}
	return &reports{Usage: source.NewUsage(nil, source.Options{Tenant: "t", Version: version}), csv: csv, day: day, lags: map[string]string{}, rows: 1}
}

func (r *reports) text(period string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	day := r.day
	if old := r.lags[period]; old != "" {
		day = old
	}
	var b bytes.Buffer
	b.WriteString("\ufeffReport Refresh Date,User Principal Name,Report Period\r\n")
	for i := range r.rows {
		fmt.Fprintf(&b, "%s,user%06d@contoso.example,7\r\n", day, i)
	}
	return bytes.Clone(b.Bytes())
}

func (r *reports) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Usage shadows that of the source.
func (r *reports) list(_ context.Context, q source.UsageQuery, _ string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	text := r.text(q.Period)
	if r.csv {
		return r.ReadReport(text)
	}
	day := string(text[len("\ufeffReport Refresh Date,User Principal Name,Report Period\r\n"):][:len(time.DateOnly)])
	return &source.Page[*parleyv1.CopilotUsageRow]{
		Items: []*parleyv1.CopilotUsageRow{{ReportRefreshDate: day}}, Refreshed: day, ReadAt: time.Now(),
	}, nil
}

// Download implements readers.Reports.
func (r *reports) Download(ctx context.Context, q source.UsageQuery) (io.ReadCloser, string, error) {
	text := r.text(q.Period)
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
	return io.NopCloser(bytes.NewReader(text)), source.ContentCSV, nil
}

// lister is the reader of a list.
type lister struct{ *reports }

func (l lister) Usage(ctx context.Context, q source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	return l.list(ctx, q, link)
}

// download reads a report to its end.
func download(ctx context.Context, t *testing.T, d *readers.Downloads, period string) string {
	t.Helper()
	body, mediaType, err := d.Download(ctx, source.UsageQuery{Period: period})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil || mediaType != source.ContentCSV {
		t.Fatal(mediaType, err)
	}
	return string(text)
}

// TestReportsAreCachedUntilTheirRefreshDateMoves: what changes once a day is kept for hours. Until the refresh date of any
// report of the tenant moves.
func TestReportsAreCachedUntilTheirRefreshDateMoves(t *testing.T) {
	t.Parallel()
	for _, csv := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { keptUntilMoved(t, csv) })
	}
}

func keptUntilMoved(t *testing.T, csv bool) {
	t.Helper()
	c := open(t, cache.Config{})
	day := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	graph, other := newReports(csv, day(-2)), newReports(csv, day(-2))
	list, others := c.Usage(lister{graph}, scope("a")), c.Usage(lister{other}, scope("b"))
	ask := func(reader source.UsageReader, g *reports, period string, want int, what string) {
		t.Helper()
		if _, err := reader.Usage(t.Context(), source.UsageQuery{Period: period}, ""); err != nil {
			t.Fatal(err)
		}
		if got := g.requests(); got != want {
			t.Errorf("csv %v, %s: %d requests, want %d", csv, what, got, want)
		}
	}
	ask(list, graph, "D7", 1, "first")
	ask(others, other, "D7", 1, "another tenant")
	time.Sleep(5 * time.Hour)
	ask(list, graph, "D7", 1, "after five hours")
	graph.day = day(-1)
	graph.lags["D90"] = day(-2)
	ask(list, graph, "D30", 2, "another period, which moved")
	ask(list, graph, "D7", 3, "after the move")
	ask(list, graph, "D7", 3, "again")
	ask(others, other, "D7", 1, "another tenant does not move")
	ask(list, graph, "D90", 4, "a period that lags")
	time.Sleep(10 * time.Minute)
	ask(list, graph, "D90", 4, "ten minutes later")
	time.Sleep(6 * time.Minute)
	ask(list, graph, "D90", 5, "a quarter of an hour later")
	time.Sleep(6 * time.Hour)
	ask(list, graph, "D7", 6, "after six hours")
	// What a user was given is not kept for longer than chats.
	mine := scope("a")
	mine.Identity, mine.Delegated = "app on behalf of u", true
	own := newReports(csv, day(-1))
	delegated := c.Usage(lister{own}, mine)
	ask(delegated, own, "D7", 1, "a user")
	time.Sleep(50 * time.Minute)
	ask(delegated, own, "D7", 1, "a user, within the hour")
	time.Sleep(11 * time.Minute)
	ask(delegated, own, "D7", 2, "a user, an hour later")
	// A date to come, which no report can have, moves nothing.
	graph.day = "9999-12-31"
	ask(list, graph, "D180", 7, "a date to come")
	ask(list, graph, "D7", 7, "after a date to come")
}

// TestListsAndDownloadsHaveOneCopyOfAReport: one answer in two forms is asked for once. Downloads and lists of CSV share it, whoever
// comes first, and downloads at one time wait for one request.
func TestListsAndDownloadsHaveOneCopyOfAReport(t *testing.T) {
	t.Parallel()
	today := time.Now().Format(time.DateOnly)
	for _, listFirst := range []bool{true, false} {
		c, graph := open(t, cache.Config{}), newReports(true, today)
		graph.rows = 1000
		list, downloads := c.Usage(lister{graph}, scope("a")), c.Downloads(graph, scope("a"))
		want := string(graph.text("D7"))
		graph.asked = 0
		for i := range 4 {
			if (i%2 == 0) == listFirst {
				page, err := list.Usage(t.Context(), source.UsageQuery{Period: "D7"}, "")
				if err != nil || page.Len() != 1000 || page.Refreshed != today {
					t.Fatalf("%v, %v", page, err)
				}
			} else if got := download(t.Context(), t, downloads, "D7"); got != want {
				t.Errorf("%d bytes, want %d, byte for byte", len(got), len(want))
			}
		}
		if graph.requests() != 1 {
			t.Errorf("list first %v: %d requests, want 1", listFirst, graph.requests())
		}
		if size := c.Bytes(); size < int64(len(want)) || size > 3*int64(len(want)) { // in the twoQueue, and in the store
			t.Errorf("the cache holds %d bytes for a report of %d", size, len(want))
		}
	}
	// Lists of JSON pages are no CSV, so each form has its copy.
	c, graph := open(t, cache.Config{}), newReports(false, today)
	list, downloads := c.Usage(lister{graph}, scope("a")), c.Downloads(graph, scope("a"))
	for range 2 {
		if _, err := list.Usage(t.Context(), source.UsageQuery{Period: "D7"}, ""); err != nil {
			t.Fatal(err)
		}
		if got := download(t.Context(), t, downloads, "D7"); !strings.Contains(got, "user000000@contoso.example") {
			t.Errorf("%q", got)
		}
	}
	if graph.requests() != 2 {
		t.Errorf("%d requests, want 2", graph.requests())
	}
}

func TestDownloadsAtOneTimeShareOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		graph := newReports(true, "2026-11-20")
		graph.wait = make(chan struct{})
		downloads := c.Downloads(graph, scope("a"))
		var whole atomic.Int32
		var group sync.WaitGroup
		leaving, leave := context.WithCancel(t.Context())
		defer leave()
		for range 25 { // half of them leave, which fails nobody else
			group.Go(func() {
				if _, _, err := downloads.Download(leaving, source.UsageQuery{Period: "D7"}); !errors.Is(err, context.Canceled) {
					t.Errorf("who leaves gets %v", err)
				}
			})
			group.Go(func() {
				if strings.Contains(download(t.Context(), t, downloads, "D7"), "user000000") {
					whole.Add(1)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(graph.wait)
		group.Wait()
		if whole.Load() != 25 || graph.requests() != 1 {
			t.Errorf("%d whole downloads by %d requests", whole.Load(), graph.requests())
		}
	})
}

// TestCacheControlIsHonouredByDownloads: cache-control counts for downloads as for lists.
func TestCacheControlIsHonouredByDownloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Config{})
		graph := newReports(true, time.Now().Format(time.DateOnly))
		downloads := c.Downloads(graph, scope("a"))
		only := cache.WithControl(t.Context(), cache.Control{OnlyIfCached: true})
		if _, _, err := downloads.Download(only, source.UsageQuery{Period: "D7"}); !errors.Is(err, cache.ErrNotCached) {
			t.Errorf("only if cached, nothing kept: %v", err)
		}
		download(t.Context(), t, downloads, "D7")
		download(only, t, downloads, "D7")
		anew := cache.WithControl(t.Context(), cache.Control{NoCache: true})
		time.Sleep(11 * time.Second)
		download(anew, t, downloads, "D7")
		download(anew, t, downloads, "D7")
		if graph.requests() != 2 {
			t.Errorf("%d requests, want 2", graph.requests())
		}
	})
}

// TestReportsThatAreNotCachedGoOutWhole: too long for the cache, without rows that can be read, and a cache that keeps nothing; each goes
// out whole.
func TestReportsThatAreNotCachedGoOutWhole(t *testing.T) {
	t.Parallel()
	today := time.Now().Format(time.DateOnly)
	for name, test := range map[string]struct {
		config   cache.Config
		rows     int
		requests int // of three downloads
	}{
		"too long":        {cache.Config{MaxBytes: 64 << 10}, 5000, 4}, // the first is asked for again, as it comes
		"a cache of none": {cache.Config{MaxBytes: -1}, 10, 3},
		"empty":           {cache.Config{}, 0, 1}, // kept, for a minute
	} {
		c, graph := open(t, test.config), newReports(true, today)
		graph.rows = test.rows
		want := string(graph.text("D7"))
		graph.asked = 0
		downloads := c.Downloads(graph, scope("a"))
		for range 3 {
			if got := download(t.Context(), t, downloads, "D7"); got != want {
				t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
			}
		}
		if graph.requests() != test.requests {
			t.Errorf("%s: %d requests, want %d", name, graph.requests(), test.requests)
		}
		if c.Bytes() > 64<<10 {
			t.Errorf("%s: the cache holds %d bytes", name, c.Bytes())
		}
	}
}
