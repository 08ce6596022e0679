package timeline_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// lazyReport is a report of one page whose numbered rows are made in parts.
type lazyReport struct {
	source.UsageReader

	rows, size int
	concealed  bool
	shift      int // number of the first row
	broken     int // a row whose part cannot be made; 0 = none
	made       int // parts
}

func (r *lazyReport) Usage(_ context.Context, _ source.UsageQuery, _ string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	return &source.Page[*parleyv1.CopilotUsageRow]{Lazy: r, Requests: 1, Rows: r.rows, ReadAt: time.Now(), Concealed: r.concealed}, nil
}

func (r *lazyReport) Len() int { return r.rows }

func (r *lazyReport) Cost() int64 { return int64(r.rows) }

func (r *lazyReport) Part(i int) (rows []*parleyv1.CopilotUsageRow, from int, err error) {
	r.made++
	from = i / r.size * r.size
	for n := from; n < min(from+r.size, r.rows); n++ {
		if n > 0 && n == r.broken {
			return nil, 0, &graph.Error{Kind: graph.KindMalformed}
		}
		rows = append(rows, &parleyv1.CopilotUsageRow{UserPrincipalName: strconv.Itoa(n % 3), LastActivityDate: strconv.Itoa(n + r.shift)})
	}
	return rows, from, nil
}

// listUsage lists the report to its end, or to an error.
func listUsage(t *testing.T, e *timeline.Engine, r *lazyReport, req query.Usage, token string, size int) ([]string, error) {
	t.Helper()
	var dates []string
	for {
		page, err := e.ListCopilotUsage(t.Context(), query.Sources{Usage: r}, req, token, size)
		if err != nil {
			return dates, err
		}
		for _, row := range page.GetRows() {
			dates = append(dates, row.GetLastActivityDate())
		}
		if token = page.GetNextPageToken(); token == "" {
			if !page.GetComplete() {
				t.Errorf("not complete: %v", page.GetSources())
			}
			return dates, nil
		}
	}
}

func rowDates(from, to, step int) []string {
	var dates []string
	for i := from; i < to; i += step {
		dates = append(dates, strconv.Itoa(i))
	}
	return dates
}

// TestLazyRowsComeInPartsOfAnySize lists and streams rows that are made in parts, whatever the sizes of parts and pages.
func TestLazyRowsComeInPartsOfAnySize(t *testing.T) {
	t.Parallel()
	e := newEngine(t, timeline.Config{})
	for _, part := range []int{1, 7, 15, 45, 100} {
		for _, size := range []int{1, 7, 10, 45, 100} {
			r := &lazyReport{rows: 45, size: part}
			dates, err := listUsage(t, e, r, query.Usage{}, "", size)
			if diff := cmp.Diff(rowDates(0, 45, 1), dates); diff != "" || err != nil {
				t.Errorf("parts of %d, pages of %d: %v (-want +got):\n%s", part, size, err, diff)
			}
			dates, err = listUsage(t, e, r, query.Usage{Filter: `user_principal_name = "0"`}, "", size)
			if diff := cmp.Diff(rowDates(0, 45, 3), dates); diff != "" || err != nil {
				t.Errorf("filtered, parts of %d, pages of %d: %v (-want +got):\n%s", part, size, err, diff)
			}
		}
	}
	if dates, err := listUsage(t, e, &lazyReport{size: 1}, query.Usage{}, "", 0); err != nil || dates != nil {
		t.Errorf("a report without rows: %q, %v", dates, err)
	}
}

// TestLazyRowsAreMadeOnce holds that a stream makes each part once, and a List page none but its own.
func TestLazyRowsAreMadeOnce(t *testing.T) {
	t.Parallel()
	r := &lazyReport{rows: 100, size: 10}
	rows, token := 0, ""
	e := newEngine(t, timeline.Config{})
	err := e.StreamCopilotUsage(t.Context(), query.Sources{Usage: r}, query.Usage{}, "", func(f *parleyv1.StreamCopilotUsageResponse) error {
		rows += len(f.GetBatch().GetRows())
		if p := f.GetCheckpoint(); p != nil && rows == 50 {
			token = p.GetResumeToken()
		}
		return nil
	})
	if err != nil || rows != 100 || r.made != 10 {
		t.Errorf("%d rows from %d parts, %v", rows, r.made, err)
	}
	r.made = 0
	page, err := e.ListCopilotUsage(t.Context(), query.Sources{Usage: r}, query.Usage{}, "", 5)
	if err != nil || len(page.GetRows()) != 5 || r.made != 1 {
		t.Errorf("%d rows from %d parts, %v", len(page.GetRows()), r.made, err)
	}
	// A report that was written anew in between: the place is found by the row.
	r.shift = -12
	dates, err := listUsage(t, e, r, query.Usage{}, token, 100)
	if diff := cmp.Diff(rowDates(50, 88, 1), dates); diff != "" || err != nil {
		t.Errorf("resumed: %v (-want +got):\n%s", err, diff)
	}
}

// TestLazyRowsThatCannotBeMadeEndTheAnswer holds that a filter is refused before any row when the page has concealed names, and that a part that
// cannot be made ends the answer with what came before.
func TestLazyRowsThatCannotBeMadeEndTheAnswer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, timeline.Config{})
	hidden := &lazyReport{rows: 10, size: 2, concealed: true}
	var own *failure.Error
	dates, err := listUsage(t, e, hidden, query.Usage{Filter: `user_principal_name = "1"`}, "", 1)
	if !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_IDENTITIES_CONCEALED || dates != nil || hidden.made > 0 {
		t.Errorf("%q, %v", dates, err)
	}
	if dates, err = listUsage(t, e, hidden, query.Usage{}, "", 3); err != nil || len(dates) != 10 {
		t.Errorf("without a filter: %q, %v", dates, err)
	}
	dates, err = listUsage(t, e, &lazyReport{rows: 10, size: 2, broken: 5}, query.Usage{}, "", 3)
	if diff := cmp.Diff(rowDates(0, 4, 1), dates); diff != "" || !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
