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

func TestUsageRows(t *testing.T) {
	t.Parallel()
	ada := func(change func(*parleyv1.CopilotUsageRow)) *parleyv1.CopilotUsageRow {
		seven := int32(7)
		row := &parleyv1.CopilotUsageRow{
			ReportRefreshDate: "2026-07-03", ReportPeriod: &seven, UserPrincipalName: "ada@contoso.com", DisplayName: "Ada",
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

// TestUsageKeepsUnknownColumns holds that new, doubled and unnamed columns are kept.
func TestUsageKeepsUnknownColumns(t *testing.T) {
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

func TestConcealedNames(t *testing.T) {
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

func TestUsageDownload(t *testing.T) {
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

// TestUsageIsNoOtherText holds that a report that is no usage report is an error, not an empty list.
func TestUsageIsNoOtherText(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "hello", "Date,Users\n1,2\n", "PK\x03\x04", "Report Refresh Date" + strings.Repeat(",", 5000), strings.Repeat("\x00x", 20)} {
		if rows, err := usageRows(t, "", body); err == nil {
			t.Errorf("%q: %d rows", body, len(rows))
		}
	}
}
