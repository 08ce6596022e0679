package pager_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/query"
)

// usagePages is a report in pages of rows; a link is the number of its page.
type usagePages struct {
	source.UsageReader

	pages [][]*parleyv1.CopilotUsageRow
	err   error // of the page without a link
}

func (u *usagePages) Usage(_ context.Context, _ source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	if link == "" && u.err != nil {
		return nil, u.err
	}
	at := strings.Count(link, "+")
	page := &source.Page[*parleyv1.CopilotUsageRow]{Items: u.pages[at], Rows: len(u.pages[at]), Requests: 1, ReadAt: time.Now()}
	if at+1 < len(u.pages) {
		page.Next = "https://graph/x?" + strings.Repeat("+", at+1)
	}
	return page, nil
}

func usageRow(user string, period int32, concealed bool) *parleyv1.CopilotUsageRow {
	row := &parleyv1.CopilotUsageRow{UserPrincipalName: user, IdentityConcealed: concealed}
	if period > 0 {
		row.ReportPeriod = new(period)
	}
	return row
}

func usageNames(rows []*parleyv1.CopilotUsageRow) (names []string) {
	for _, row := range rows {
		names = append(names, fmt.Sprint(row.GetUserPrincipalName(), " ", row.GetReportPeriod()))
	}
	return names
}

// TestRepeatedUsageRowsComeOnce begins a page with the last row of the one before: it comes once, at any page size. Rows that nobody can tell apart come
// as often as Graph has them.
func TestRepeatedUsageRowsComeOnce(t *testing.T) {
	t.Parallel()
	const digest, zeros = "E58EEF6A6BBD3D0293CB306D24A42057", "00000000000000000000000000000000"
	u := &usagePages{pages: [][]*parleyv1.CopilotUsageRow{
		{usageRow("ada", 7, false), usageRow("ada", 180, false), usageRow("bob", 7, false)},
		{usageRow("bob", 7, false), usageRow("bob", 180, false), usageRow(digest, 7, true)},
		{usageRow(digest, 7, true), usageRow("(Unknown)", 7, true), usageRow(zeros, 7, true), usageRow("", 7, true), usageRow("cy", 0, false)},
		{usageRow("(Unknown)", 7, true), usageRow(zeros, 7, true), usageRow("", 7, true), usageRow("cy", 0, false)},
	}}
	want := []string{
		"ada 7", "ada 180", "bob 7", "bob 180", digest + " 7", "(Unknown) 7", zeros + " 7", " 7", "cy 0",
		"(Unknown) 7", zeros + " 7", " 7", "cy 0",
	}
	e, have := newLister(t), query.Sources{Usage: u}
	page, err := e.ListCopilotUsage(t.Context(), have, query.Usage{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, usageNames(page.GetRows())); diff != "" || !page.GetComplete() || page.GetSources()[0].GetCounts().GetDuplicates() != 2 {
		t.Errorf("listed: %v (-want +got):\n%s", page.GetSources(), diff)
	}
	for size := 1; size < len(want); size++ {
		var rows []*parleyv1.CopilotUsageRow
		for token, more := "", true; more; more = token != "" {
			if page, err = e.ListCopilotUsage(t.Context(), have, query.Usage{}, token, size); err != nil {
				t.Fatal(err)
			}
			rows, token = append(rows, page.GetRows()...), page.GetNextPageToken()
		}
		if diff := cmp.Diff(want, usageNames(rows)); diff != "" || page.GetSources()[0].GetCounts().GetDuplicates() != 2 {
			t.Errorf("pages of %d: %v (-want +got):\n%s", size, page.GetSources(), diff)
		}
	}
	var streamed []*parleyv1.CopilotUsageRow
	var summary *parleyv1.Summary
	err = e.StreamCopilotUsage(t.Context(), have, query.Usage{}, "", func(f *parleyv1.StreamCopilotUsageResponse) error {
		streamed = append(streamed, f.GetBatch().GetRows()...)
		summary = f.GetSummary()
		return nil
	})
	if diff := cmp.Diff(want, usageNames(streamed)); diff != "" || err != nil || !summary.GetComplete() || summary.GetSources()[0].GetCounts().GetDuplicates() != 2 {
		t.Errorf("streamed: %v, %v (-want +got):\n%s", err, summary, diff)
	}
}

// TestRefusedUsageReport refuses the first request of the report, as a redirect to a host that is not allowed does: nothing
// was read and nothing lies behind it, so the call is an error.
func TestRefusedUsageReport(t *testing.T) {
	t.Parallel()
	e, have := newLister(t), query.Sources{Usage: &usagePages{err: fail(graph.KindLinkRefused)}}
	page, err := e.ListCopilotUsage(t.Context(), have, query.Usage{}, "", 100)
	if page != nil {
		t.Errorf("listed: %v", page)
	}
	checkFatal(t, err, "GRAPH_LINK_REFUSED", nil)
	err = e.StreamCopilotUsage(t.Context(), have, query.Usage{}, "", func(f *parleyv1.StreamCopilotUsageResponse) error {
		t.Errorf("streamed: %v", f)
		return nil
	})
	checkFatal(t, err, "GRAPH_LINK_REFUSED", nil)
}
