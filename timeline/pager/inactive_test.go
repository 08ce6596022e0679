package pager_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// office is a tenant with a usage report and a directory, both in pages of two.
type office struct {
	source.UsageReader
	source.UserReader

	day       string
	report    []string // user principal names
	lazy      bool     // the report is one page
	concealed bool
	people    []*parleyv1.User
	asked     []string
	err       error // of the directory
}

func (o *office) Usage(_ context.Context, _ source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	o.asked = append(o.asked, "usage "+link)
	page := &source.Page[*parleyv1.CopilotUsageRow]{Requests: 1, ReadAt: time.Now(), Refreshed: o.day, Concealed: o.concealed}
	for _, name := range o.report {
		page.Items = append(page.Items, &parleyv1.CopilotUsageRow{UserPrincipalName: name, ReportRefreshDate: o.day, ReportPeriod: new(int32(7)), LastActivityDate: "2026-11-01"})
	}
	page.Rows = len(page.Items)
	if o.lazy {
		page.Items, page.Lazy = nil, lazyRows{page.Items}
		return page, nil
	}
	page.Items, page.Next = pair(page.Items, link)
	return page, nil
}

func (o *office) Users(_ context.Context, _ source.UserQuery, link string) (*source.Page[*parleyv1.User], error) {
	o.asked = append(o.asked, "users "+link)
	if o.err != nil {
		return nil, o.err
	}
	page := &source.Page[*parleyv1.User]{Requests: 1, ReadAt: time.Now(), Rows: len(o.people)}
	page.Items, page.Next = pair(o.people, link)
	return page, nil
}

// pair is the page of two behind a link, and the link to the next.
func pair[T any](all []T, link string) (page []T, next string) {
	at := min(2*strings.Count(link, "+"), len(all))
	end := min(at+2, len(all))
	if end < len(all) {
		next = "https://graph/x?" + strings.Repeat("+", end/2)
	}
	return all[at:end], next
}

type lazyRows struct{ rows []*parleyv1.CopilotUsageRow }

func (l lazyRows) Len() int { return len(l.rows) }

func (l lazyRows) Cost() int64 { return int64(len(l.rows)) }

func (l lazyRows) Part(i int) ([]*parleyv1.CopilotUsageRow, int, error) {
	return l.rows[i : i+1], i, nil
}

// colleague is a user of the directory; licensed is nil where Graph sent no plans.
func colleague(name string, licensed *bool) *parleyv1.User {
	user := &parleyv1.User{Name: "users/id-" + name, Id: "id-" + name, UserPrincipalName: name + "@contoso.com", DisplayName: name}
	if licensed != nil {
		user.Copilot = &parleyv1.CopilotLicence{Licensed: licensed}
	}
	return user
}

func (o *office) sources() query.Sources { return query.Sources{Usage: o, Users: o} }

func newOffice(lazy bool) *office {
	return &office{
		day: "2026-11-20", lazy: lazy, report: []string{"ADA@contoso.com", "bob@contoso.com", "cy@contoso.com"},
		people: []*parleyv1.User{
			colleague("ada", new(true)), colleague("dan", new(true)), colleague("eve", new(false)), colleague("bob", new(true)), colleague("fay", new(true)),
		},
	}
}

// shownUsers are the rows of an answer in short; a + marks a derived one.
func shownUsers(rows []*parleyv1.CopilotUsageRow) (names []string) {
	for _, row := range rows {
		name, _, _ := strings.Cut(strings.ToLower(row.GetUserPrincipalName()), "@")
		if row.GetDerived() {
			name = "+" + name
		}
		names = append(names, name)
	}
	return names
}

// TestLicensedUsersWithoutAUsageRowAreListed lists who has a licence and no row behind the rows, in one order at every page size, and as a stream.
func TestLicensedUsersWithoutAUsageRowAreListed(t *testing.T) {
	t.Parallel()
	want := []string{"ada", "bob", "cy", "+dan", "+fay"}
	for _, lazy := range []bool{false, true} {
		for size := 1; size <= len(want)+1; size++ {
			o, e := newOffice(lazy), newLister(t)
			var rows []*parleyv1.CopilotUsageRow
			var page *parleyv1.ListCopilotUsageResponse
			for token, more := "", true; more; more = token != "" {
				var err error
				if page, err = e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, token, size); err != nil {
					t.Fatal(err)
				}
				rows, token = append(rows, page.GetRows()...), page.GetNextPageToken()
			}
			if diff := cmp.Diff(want, shownUsers(rows)); diff != "" || !page.GetComplete() || page.GetReportRefreshDate() != o.day {
				t.Errorf("lazy %v, pages of %d: %v (-want +got):\n%s", lazy, size, page, diff)
			}
			derived := &parleyv1.CopilotUsageRow{User: "users/id-dan", UserPrincipalName: "dan@contoso.com", DisplayName: "dan", Derived: true}
			if diff := cmp.Diff(derived, rows[3], protocmp.Transform()); diff != "" {
				t.Errorf("a derived row (-want +got):\n%s", diff)
			}
			reports := page.GetSources()
			if len(reports) != 2 || reports[0].GetCounts().GetEvents() != 3 || reports[1].GetSource() != parleyv1.Source_SOURCE_USER || reports[1].GetCounts().GetEvents() != 2 || reports[1].GetCounts().GetPages() < 3 {
				t.Errorf("pages of %d: reports %v", size, reports)
			}
		}
		o := newOffice(lazy)
		var rows []*parleyv1.CopilotUsageRow
		var summary *parleyv1.Summary
		err := newLister(t).StreamCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, "", func(f *parleyv1.StreamCopilotUsageResponse) error {
			rows, summary = append(rows, f.GetBatch().GetRows()...), f.GetSummary()
			return nil
		})
		if diff := cmp.Diff(want, shownUsers(rows)); diff != "" || err != nil || !summary.GetComplete() {
			t.Errorf("streamed: %v, %v (-want +got):\n%s", err, summary, diff)
		}
		if usages := slices.DeleteFunc(o.asked, func(asked string) bool { return strings.HasPrefix(asked, "users") }); len(usages) > 2 {
			t.Errorf("one call reads the report more than once: %v", usages)
		}
	}
}

// TestInactiveUsersAreFilteredByTheirLastDay filters by the last day of activity: rows without a day, and users without a row, are before none and after none.
func TestInactiveUsersAreFilteredByTheirLastDay(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string][]string{
		`NOT last_activity_date >= "2026-11-10"`:                       {"ada", "bob", "cy", "+dan", "+fay"},
		`NOT last_activity_date >= "2026-11-01"`:                       {"+dan", "+fay"},
		`NOT last_activity_date:*`:                                     {"+dan", "+fay"},
		`last_activity_date < "2026-11-02"`:                            {"ada", "bob", "cy"},
		`word_copilot_last_activity_date > "2000-01-01"`:               nil,
		`user_principal_name = "dan*" OR user_principal_name = "CY@*"`: {"cy", "+dan"},
	} {
		page, err := newLister(t).ListCopilotUsage(t.Context(), newOffice(true).sources(), query.Usage{Inactive: true, Filter: filter}, "", 10)
		if err != nil {
			t.Fatal(filter, err)
		}
		if diff := cmp.Diff(want, shownUsers(page.GetRows())); diff != "" || !page.GetComplete() {
			t.Errorf("%s: complete %v (-want +got):\n%s", filter, page.GetComplete(), diff)
		}
	}
}

// TestRequestsThatNeedConcealedNamesAreErrors refuses what needs names that are concealed, and nothing else.
func TestRequestsThatNeedConcealedNamesAreErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, field string
		ask         query.Usage
	}{
		{name: "users without a row", field: "include", ask: query.Usage{Inactive: true}},
		{name: "a name", field: "filter", ask: query.Usage{Filter: `user_principal_name = "ada@contoso.com" AND last_activity_date:*`}},
		{name: "a day", ask: query.Usage{Filter: `last_activity_date >= "2026-11-01"`}},
		{name: "nothing"},
	} {
		o := newOffice(false)
		o.concealed = true
		page, err := newLister(t).ListCopilotUsage(t.Context(), o.sources(), tc.ask, "", 10)
		if tc.field == "" {
			if err != nil || len(page.GetRows()) != 3 {
				t.Errorf("%s: %v, %v", tc.name, page, err)
			}
			continue
		}
		checkFatal(t, err, "IDENTITIES_CONCEALED", nil)
		if own, ok := errors.AsType[*failure.Error](err); ok && (own.Field != tc.field || !strings.Contains(own.Message, "ask without")) {
			t.Errorf("%s: %s: %s", tc.name, own.Field, own.Message)
		}
	}
}

// TestDoubtsAboutUsersWithoutARowAreReported tells what is not known: plans that Graph did not send, a report that moved, a directory that cannot be read.
func TestDoubtsAboutUsersWithoutARowAreReported(t *testing.T) {
	t.Parallel()
	o, e := newOffice(false), newLister(t)
	o.people = append(o.people, colleague("gus", nil))
	page, err := e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, "", 10)
	if err != nil || page.GetComplete() || page.GetSources()[0].GetGaps()[0].GetReason() != "FILTER_NOT_EVALUATED" || !slices.Contains(shownUsers(page.GetRows()), "+gus") {
		t.Errorf("no plans: %v, %v", page, err)
	}

	o = newOffice(false)
	page, err = e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, "", 4)
	if err != nil {
		t.Fatal(err)
	}
	o.day, o.report = "2026-11-21", append(o.report, "fay@contoso.com")
	page, err = e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, page.GetNextPageToken(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ada", "bob", "cy", "fay", "+dan"}, shownUsers(page.GetRows())); diff != "" || !page.GetComplete() || page.GetNotices()[0].GetCode() != "RESTARTED" {
		t.Errorf("a report that moved: %v (-want +got):\n%s", page.GetNotices(), diff)
	}

	o = newOffice(false)
	o.err = fail(graph.KindForbidden)
	page, err = e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, "", 10)
	if err != nil || len(page.GetRows()) != 3 || page.GetComplete() {
		t.Fatalf("the rows before a refusal: %v, %v", page, err)
	}
	_, err = e.ListCopilotUsage(t.Context(), o.sources(), query.Usage{Inactive: true}, page.GetNextPageToken(), 10)
	checkFatal(t, err, "GRAPH_PERMISSION_MISSING", nil)
	if own, ok := errors.AsType[*failure.Error](err); !ok || own.Source != parleyv1.Source_SOURCE_USER {
		t.Errorf("the directory is refused: %v", err)
	}
}

// TestCountsAreATrendOrOneSummary reads a trend at every page size, and a summary as one answer.
func TestCountsAreATrendOrOneSummary(t *testing.T) {
	t.Parallel()
	const total = 7
	e := newLister(t)
	for size := 1; size <= total+1; size++ {
		d := &directory{rows: total, size: 3}
		have := query.Sources{Usage: d}
		var days []string
		var page *parleyv1.ListCopilotUsageTrendsResponse
		for token, more := "", true; more; more = token != "" {
			var err error
			if page, err = e.ListCopilotUsageTrends(t.Context(), have, query.UsageCounts{Period: "D7"}, token, size); err != nil {
				t.Fatal(err)
			}
			for _, day := range page.GetDays() {
				days = append(days, day.GetReportDate())
			}
			token = page.GetNextPageToken()
		}
		if !slices.IsSorted(days) || len(slices.Compact(days)) != total || !page.GetComplete() || page.GetReportRefreshDate() != "2026-11-20" || page.GetSources()[0].GetSource() != parleyv1.Source_SOURCE_USAGE {
			t.Errorf("pages of %d: %v, %v", size, days, page)
		}
		summary, err := e.SummarizeCopilotUsage(t.Context(), have, query.UsageCounts{Period: "ALL"})
		if err != nil || len(summary.GetPeriods()) != total || !summary.GetComplete() || len(summary.GetSources()) != 1 {
			t.Errorf("summary %v, %v", summary, err)
		}
	}
	first, err := e.ListCopilotUsageTrends(t.Context(), query.Sources{Usage: &directory{rows: total, size: 3}}, query.UsageCounts{Period: "D7"}, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.ListCopilotUsageTrends(t.Context(), query.Sources{Usage: &directory{rows: total, size: 3}}, query.UsageCounts{Period: "D30"}, first.GetNextPageToken(), 2)
	checkFatal(t, err, "TOKEN_REFUSED", nil)
}
