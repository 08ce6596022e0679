package source_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

func usageRows(t *testing.T, version, body string) ([]*parleyv1.CopilotUsageRow, error) {
	t.Helper()
	_, client := newUpstream(t, func(string) reply { return reply{body: body} })
	page, err := source.NewUsage(client, options(version)).Usage(t.Context(), source.UsageQuery{Period: "ALL"}, "")
	if err != nil {
		return nil, err
	}
	rows := itemsOf(t, page)
	if page.Rows == 0 && len(rows) > 0 {
		t.Errorf("%d items of no rows", len(rows))
	}
	if page.Concealed != slices.ContainsFunc(rows, (*parleyv1.CopilotUsageRow).GetIdentityConcealed) {
		t.Errorf("concealed %v of the page is not that of its rows", page.Concealed)
	}
	return rows, nil
}

func TestAReportBecomesUsageRows(t *testing.T) {
	t.Parallel()
	ada := func(change func(*parleyv1.CopilotUsageRow)) *parleyv1.CopilotUsageRow {
		seven := int32(7)
		row := &parleyv1.CopilotUsageRow{
			ReportRefreshDate: "2026-07-03", ReportPeriod: &seven, UserPrincipalName: "ada@contoso.com", DisplayName: "Ada", User: "users/ada@contoso.com",
			LastActivityDate: "2026-07-02", WordCopilotLastActivityDate: "2026-07-01",
		}
		if change != nil {
			change(row)
		}
		return row
	}
	thirty, prompts := int32(30), int64(12)
	for _, tc := range []struct {
		name, version, body string
		want                []*parleyv1.CopilotUsageRow
	}{
		{
			name: "the order of beta",
			body: "Report Refresh Date,Report Period,User Principal Name,Display Name,Last Activity Date,Microsoft Teams Copilot Last Activity Date,Word Copilot Last Activity Date\r\n" +
				"2026-07-03,7,ada@contoso.com,Ada,2026-07-02,,2026-07-01\r\n",
			want: []*parleyv1.CopilotUsageRow{ada(nil)},
		},
		{
			name: "the order of v1.0, a byte order mark, quotes, other case, no last line end",
			body: "\ufeff\"report refresh date\",USER PRINCIPAL NAME,\"Display Name\", Last  Activity Date ,Word Copilot Last Activity Date,Report Period\n\n" +
				"2026-07-03,ada@contoso.com,\"Ada\",2026-07-02,2026-07-01,7",
			want: []*parleyv1.CopilotUsageRow{ada(nil)},
		},
		{
			name: "version v2",
			body: "Report Refresh Date,User Principal Name,Display Name,Last Activity Date,Word Copilot Last Activity Date,Report Period,Prompts submitted for all apps,Copilot Chat (web) Last Activity Date\n" +
				"2026-07-03,ada@contoso.com,Ada,2026-07-02,2026-07-01,7,12,2026-06-30\n",
			want: []*parleyv1.CopilotUsageRow{ada(func(r *parleyv1.CopilotUsageRow) {
				r.PromptsSubmittedAllApps, r.CopilotChatWebLastActivityDate = &prompts, "2026-06-30"
			})},
		},
		{
			name: "days written as times, a day that is none",
			body: "Report Refresh Date,Report Period,User Principal Name,Display Name,Last Activity Date,Word Copilot Last Activity Date,Loop Copilot Last Activity Date\n" +
				"2026-07-03T00:00:00Z,7,ada@contoso.com,Ada,2026-07-02T00:00:00.0000000Z,\"2026-07-01T00:00:00\",7/1/2026\n",
			want: []*parleyv1.CopilotUsageRow{ada(func(r *parleyv1.CopilotUsageRow) {
				r.Unmapped = &structpb.Struct{Fields: map[string]*structpb.Value{"Loop Copilot Last Activity Date": structpb.NewStringValue("7/1/2026")}}
			})},
		},
		{
			name: "one user in two periods", version: graph.Beta,
			body: `{"value":[{"reportRefreshDate":"2026-07-03","userPrincipalName":"ada@contoso.com","displayName":"Ada","lastActivityDate":"2026-07-02","excelCopilotLastActivityDate":"","loopCopilotLastActivityDate":null,"wordCopilotLastActivityDate":"2026-07-01","copilotActivityUserDetailsByPeriod":[{"reportPeriod":7},{"reportPeriod":30}]}]}`,
			want: []*parleyv1.CopilotUsageRow{ada(nil), ada(func(r *parleyv1.CopilotUsageRow) { r.ReportPeriod = &thirty })},
		},
		{
			name: "no period", version: graph.Beta,
			body: `{"value":[{"reportRefreshDate":"2026-07-03","userPrincipalName":"ada@contoso.com","displayName":"Ada","lastActivityDate":"2026-07-02","wordCopilotLastActivityDate":"2026-07-01","copilotActivityUserDetailsByPeriod":[]}]}`,
			want: []*parleyv1.CopilotUsageRow{ada(func(r *parleyv1.CopilotUsageRow) { r.ReportPeriod = nil })},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := usageRows(t, tc.version, tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnknownColumnsOfAReportAreUnmapped holds that new, doubled and unnamed columns are kept.
func TestUnknownColumnsOfAReportAreUnmapped(t *testing.T) {
	t.Parallel()
	rows, err := usageRows(t, "", "Report Refresh Date,User Principal Name,Shoe Size,,Shoe Size,Report Period\n2026-07-03,ada@contoso.com,41,x,42,ALL,tail\n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"Shoe Size": "41", "column 4": "x", "Shoe Size column 5": "42", "Report Period": "ALL", "column 7": "tail"}
	if diff := cmp.Diff(want, rows[0].GetUnmapped().AsMap()); diff != "" {
		t.Errorf("unmapped (-want +got):\n%s", diff)
	}
}

func TestConcealedNamesAreRecognized(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		upn, name string
		want      bool
	}{
		{"ada@contoso.com", "Ada", false},
		{"ada@contoso.com", "", false},
		{"deadbeef@contoso.com", "00", false},
		{"E58EEF6A6BBD3D0293CB306D24A42057", "6A4630397AAA1A9C8EED362168DC88A0", true},
		{"e58eef6a6bbd3d0293cb306d24a42057", "Ada", true},
		{"ada@contoso.com", "6A4630397AAA1A9C8EED362168DC88A0", true},
		{"", "Ada", true},
		{"   ", "", true},
		{"<PII:H105(abc)>@domain.com", "Ada", true},
		{"(Unknown)", "(Unknown)", true},
		{"00000000-0000-0000-0000-000000000000", "Ada", true},
		{"00000000-0000-0000-0000-000000000000@contoso.com", "Ada", true},
	} {
		rows, err := usageRows(t, "", "Report Refresh Date,User Principal Name,Display Name\n2026-07-03,"+tc.upn+","+tc.name+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[0].GetIdentityConcealed(); got != tc.want {
			t.Errorf("%q %q: concealed %v", tc.upn, tc.name, got)
		}
	}
}

func TestADownloadIsTheReportByteForByte(t *testing.T) {
	t.Parallel()
	const (
		now   = "/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"
		beta  = "/beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')?$format=text%2Fcsv"
		older = "/beta/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')?$format=text%2Fcsv"
		body  = "\ufeffReport Refresh Date,X\r\n\"2026-07-03\",\"a\"\"b\"\r\n"
	)
	moved := reply{status: http.StatusBadRequest, body: graphError("BadRequest", "Resource not found for the segment 'x'.")}
	redirect := reply{status: http.StatusFound, header: map[string]string{"Location": "{origin}/data/download/1"}}
	for _, tc := range []struct {
		name, version string
		replies       map[string]reply
		kind          string
		asked         []string
	}{
		{name: "v1.0 by 200", replies: map[string]reply{now: {body: body}}, kind: "none", asked: []string{now}},
		{
			name: "beta by redirect", version: graph.Beta, kind: "none", asked: []string{older, "/data/download/1"},
			replies: map[string]reply{older: redirect, "/data/download/1": {body: body}},
		},
		{name: "v1.0 moved", replies: map[string]reply{now: moved, older: {body: body}}, kind: "none", asked: []string{now, older}},
		{name: "v1.0 answers JSON", replies: map[string]reply{now: {body: `{"value":[]}`}, older: {body: body}}, kind: "none", asked: []string{now, older}},
		{name: "beta moved", version: graph.Beta, replies: map[string]reply{older: moved, beta: {body: body}}, kind: "none", asked: []string{older, beta}},
		{
			name: "beta has JSON only", version: graph.Beta, kind: "none", asked: []string{older, beta, now},
			replies: map[string]reply{older: moved, beta: {body: `{"value":[]}`}, now: {body: body}},
		},
		{name: "JSON everywhere", replies: map[string]reply{now: {body: `{"value":[]}`}, older: {body: `[]`}}, kind: "malformed answer", asked: []string{now, older}},
		{name: "forbidden", replies: map[string]reply{now: {status: http.StatusForbidden, body: graphError("Forbidden", "")}}, kind: "forbidden", asked: []string{now}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(tc.replies))
			got, contentType, err := source.NewUsage(client, options(tc.version)).Download(t.Context(), source.UsageQuery{Period: "D7"})
			if kind := kindOf(t, err); kind != tc.kind {
				t.Fatalf("kind %q: %v", kind, err)
			}
			if diff := cmp.Diff(tc.asked, up.targets()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			raw, err := io.ReadAll(got)
			if err != nil || got.Close() != nil || string(raw) != body || contentType != "text/csv" {
				t.Errorf("%q of type %q, error %v", raw, contentType, err)
			}
		})
	}
}

// TestOtherTextIsNoReport holds that a report that is no usage report is an error, not an empty list.
func TestOtherTextIsNoReport(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "hello", "Date,Users\n1,2\n", "PK\x03\x04", "Report Refresh Date" + strings.Repeat(",", 5000), strings.Repeat("\x00x", 20)} {
		if rows, err := usageRows(t, "", body); err == nil {
			t.Errorf("%q: %d rows", body, len(rows))
		}
	}
}

// TestAReportBecomesUsageCounts reads the counts of a summary and of a trend in every form that Graph has, with what Graph may add to them.
func TestAReportBecomesUsageCounts(t *testing.T) {
	t.Parallel()
	counts := func(period int32, day string, change func(*parleyv1.CopilotUsageCounts)) *parleyv1.CopilotUsageCounts {
		row := &parleyv1.CopilotUsageCounts{
			ReportRefreshDate: "2026-07-03", ReportPeriod: &period, ReportDate: day,
			AnyAppEnabledUsers: new(int64(25)), AnyAppActiveUsers: new(int64(9)), WordActiveUsers: new(int64(0)),
		}
		if change != nil {
			change(row)
		}
		return row
	}
	for _, tc := range []struct {
		name, version, body string
		report              source.UsageReport
		want                []*parleyv1.CopilotUsageCounts
	}{
		{
			name: "summary of v1.0", report: source.SummaryReport,
			body: "Report Refresh Date,Report Period,Word Active Users,Any App Enabled Users,Any App Active Users\n2026-07-03,7,0,25,9\n2026-07-03,30,0,25,9\n",
			want: []*parleyv1.CopilotUsageCounts{counts(7, "", nil), counts(30, "", nil)},
		},
		{
			name: "summary of v2, a column and a number that nobody knows", report: source.SummaryReport,
			body: "\ufeffReport Refresh Date,Report Period,Word Active Users,Any App Enabled Users,Any App Active Users,Copilot Chat (work) Active Users,Total prompts submitted,Average prompts submitted,Edge Active Users,Shoe Active Users\r\n" +
				"2026-07-03,7,0,25,9,4,130,5.2,many,3\r\n",
			want: []*parleyv1.CopilotUsageCounts{counts(7, "", func(r *parleyv1.CopilotUsageCounts) {
				r.CopilotChatWorkActiveUsers, r.TotalPromptsSubmitted, r.AveragePromptsSubmitted = new(int64(4)), new(int64(130)), new(5.2)
				r.Unmapped = &structpb.Struct{Fields: map[string]*structpb.Value{
					"Edge Active Users": structpb.NewStringValue("many"), "Shoe Active Users": structpb.NewStringValue("3"),
				}}
			})},
		},
		{
			name: "trend of v1.0", report: source.TrendsReport,
			body: "Report Refresh Date,Report Date,Any App Enabled Users,Any App Active Users,Word Active Users,Report Period\n2026-07-03,2026-07-03,25,9,0,7\n2026-07-03,2026-07-02,25,9,0,7\n",
			want: []*parleyv1.CopilotUsageCounts{counts(7, "2026-07-03", nil), counts(7, "2026-07-02", nil)},
		},
		{
			name: "summary of beta", version: graph.Beta, report: source.SummaryReport,
			body: `{"value":[{"reportRefreshDate":"2026-07-03","adoptionByProduct":[{"reportPeriod":7,"anyAppEnabledUsers":25,"anyAppActiveUsers":9,"wordActiveUsers":0},{"reportPeriod":30,"anyAppEnabledUsers":25,"anyAppActiveUsers":9,"wordActiveUsers":0,"shoeActiveUsers":3}]}]}`,
			want: []*parleyv1.CopilotUsageCounts{counts(7, "", nil), counts(30, "", func(r *parleyv1.CopilotUsageCounts) {
				r.Unmapped = adoption("adoptionByProduct", "1", "shoeActiveUsers", 3)
			})},
		},
		{
			name: "trend of beta", version: graph.Beta, report: source.TrendsReport,
			body: `{"value":[{"reportRefreshDate":"2026-07-03","reportPeriod":7,"adoptionByDate":[{"reportDate":"2026-07-03","anyAppEnabledUsers":25,"anyAppActiveUsers":9,"wordActiveUsers":0},{"reportDate":"2026-07-02","anyAppEnabledUsers":25,"anyAppActiveUsers":9,"wordActiveUsers":0}]}]}`,
			want: []*parleyv1.CopilotUsageCounts{counts(7, "2026-07-03", nil), counts(7, "2026-07-02", nil)},
		},
		{
			name: "no day", version: graph.Beta, report: source.TrendsReport, body: `{"value":[{"reportRefreshDate":"2026-07-03","reportPeriod":7,"adoptionByDate":[]}]}`,
			want: []*parleyv1.CopilotUsageCounts{{ReportRefreshDate: "2026-07-03", ReportPeriod: new(int32(7))}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, func(string) reply { return reply{body: tc.body} })
			page, err := source.NewUsage(client, options(tc.version)).UsageCounts(t.Context(), source.UsageQuery{Report: tc.report, Period: "D7"}, "")
			if err != nil {
				t.Fatal(err)
			}
			if page.Concealed || page.Refreshed != "2026-07-03" {
				t.Errorf("concealed %v, refreshed %q", page.Concealed, page.Refreshed)
			}
			if diff := cmp.Diff(tc.want, itemsOf(t, page), protocmp.Transform()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			function := map[source.UsageReport]string{source.SummaryReport: "getMicrosoft365CopilotUserCountSummary(", source.TrendsReport: "getMicrosoft365CopilotUserCountTrend("}[tc.report]
			if asked := up.targets(); len(asked) != 1 || !strings.Contains(asked[0], "/copilot/reports/"+function) {
				t.Errorf("asked %v", asked)
			}
		})
	}
	_, client := newUpstream(t, func(string) reply { return reply{body: "<html>sign in</html>"} })
	page, err := source.NewUsage(client, options("")).UsageCounts(t.Context(), source.UsageQuery{Report: source.SummaryReport, Period: "ALL"}, "")
	if kindOf(t, err) != "malformed answer" {
		t.Errorf("a page in place of a report: %v, %v", page, err)
	}
}

// adoption is what a JSON row keeps of an entry of its list.
func adoption(list, place, name string, value float64) *structpb.Struct {
	kept := structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{name: structpb.NewNumberValue(value)}})
	for _, path := range []string{place, list} {
		kept = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{path: kept}})
	}
	return kept.GetStructValue()
}
