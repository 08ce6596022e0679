package e2e_test

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphsim"
	"github.com/parley-gateway/parley/internal/config"
)

const (
	olderPath  = "/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')?$format=text%2Fcsv"
	reportPath = "/copilot/reports/getMicrosoft365CopilotUsageUserDetail"
	hidden     = "E58EEF6A6BBD3D0293CB306D24A42057"
)

// usageForms are one report in the forms that Graph has: a user in two periods, and one whose names are concealed.
var usageForms = map[string]struct{ version, body string }{
	"CSV of v1.0": {"v1.0", "Report Refresh Date,User Principal Name,Display Name,Last Activity Date,Copilot Chat Last Activity Date,Word Copilot Last Activity Date,Report Period\r\n" +
		"2026-07-03,ada@contoso.com,Ada,2026-07-02,,2026-07-01,7\r\n2026-07-03,ada@contoso.com,Ada,2026-07-02,,2026-07-01,180\r\n2026-07-03," + hidden + ",6A4630397AAA1A9C8EED362168DC88A0,,,,7\r\n"},
	"CSV in the order of beta, with a byte order mark and a new column": {"v1.0", "\ufeffReport Refresh Date,Report Period,User Principal Name,Display Name,Last Activity Date,Word Copilot Last Activity Date,Copilot Chat Last Activity Date,Brand New\n" +
		"2026-07-03,7,ada@contoso.com,Ada,2026-07-02,2026-07-01,,new\n2026-07-03,180,ada@contoso.com,Ada,2026-07-02,2026-07-01,,\n2026-07-03,7," + hidden + ",6A4630397AAA1A9C8EED362168DC88A0,,,,\n"},
	"JSON of beta": {"beta", `{"value":[{"reportRefreshDate":"2026-07-03","userPrincipalName":"ada@contoso.com","displayName":"Ada","lastActivityDate":"2026-07-02","copilotChatLastActivityDate":null,"wordCopilotLastActivityDate":"2026-07-01","copilotActivityUserDetailsByPeriod":[{"reportPeriod":7},{"reportPeriod":180}]},` +
		`{"reportRefreshDate":"2026-07-03","userPrincipalName":"` + hidden + `","displayName":"6A4630397AAA1A9C8EED362168DC88A0","lastActivityDate":"","wordCopilotLastActivityDate":null,"copilotActivityUserDetailsByPeriod":[{"reportPeriod":7}]}]}`},
}

// TestUsageInEveryForm reads the report, a page at a time and as a stream, and says which names are concealed.
func TestUsageInEveryForm(t *testing.T) {
	t.Parallel()
	for name, form := range usageForms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := overFixture(t, &fixture{fixed: map[string]string{reportPath + "(period='ALL')": form.body}}, func(s *config.Settings) { s.GraphVersion = form.version })
			var listed []*parleyv1.CopilotUsageRow
			var last *parleyv1.ListCopilotUsageResponse
			for token := ""; ; {
				last = &parleyv1.ListCopilotUsageResponse{}
				if status, body := g.get(t, "/v1/copilotUsage?period=ALL&pageSize=2&pageToken="+url.QueryEscape(token), last); status != http.StatusOK {
					t.Fatalf("HTTP %d %s", status, body)
				}
				listed = append(listed, last.GetRows()...)
				if token = last.GetNextPageToken(); token == "" {
					break
				}
			}
			if !last.GetComplete() || !last.GetIdentitiesConcealed() || last.GetReportRefreshDate() != "2026-07-03" {
				t.Errorf("the last page: %v", last)
			}
			var streamed []*parleyv1.CopilotUsageRow
			answer := g.open(t, "/v1/copilotUsage:stream?period=ALL")
			defer func() { _ = answer.Body.Close() }() // read to its end
			lines := bufio.NewScanner(answer.Body)
			for lines.Scan() {
				var frame parleyv1.StreamCopilotUsageResponse
				if err := protojson.Unmarshal(lines.Bytes(), &frame); err != nil {
					t.Fatalf("%v in %s", err, lines.Bytes())
				}
				streamed = append(streamed, frame.GetBatch().GetRows()...)
			}
			for how, rows := range map[string][]*parleyv1.CopilotUsageRow{"list": listed, "stream": streamed} {
				var got []string
				for _, r := range rows {
					got = append(got, fmt.Sprint(r.GetUserPrincipalName(), r.GetReportPeriod(), r.GetLastActivityDate(), r.GetWordCopilotLastActivityDate(), r.GetCopilotChatLastActivityDate(), r.GetIdentityConcealed()))
				}
				want := strings.Join([]string{
					fmt.Sprint("ada@contoso.com", 7, "2026-07-02", "2026-07-01", "", false), fmt.Sprint("ada@contoso.com", 180, "2026-07-02", "2026-07-01", "", false),
					fmt.Sprint(hidden, 7, "", "", "", true),
				}, "|")
				if have := strings.Join(got, "|"); have != want {
					t.Errorf("%s: %s, want %s", how, have, want)
				}
			}
		})
	}
}

// TestEachPeriodHasItsVersionOfTheReport holds that D28 is asked of version v2, D30 of v1, and that neither exists in the other.
func TestEachPeriodHasItsVersionOfTheReport(t *testing.T) {
	t.Parallel()
	const heading = "Report Refresh Date,User Principal Name,Report Period,Prompts submitted for all apps\n2026-07-03,ada@contoso.com,"
	g := overFixture(t, &fixture{fixed: map[string]string{
		reportPath + "(period='D28',version='v2')": heading + "28,12\n",
		reportPath + "(period='D30')":              heading + "30,\n",
	}}, nil)
	for query, want := range map[string]int{
		"period=D28": 28, "period=D28&version=v2": 28, "period=D30": 30,
		"period=D28&version=v1": 0, "period=D30&version=v2": 0, "period=D3": 0, "": 0,
	} {
		var usage parleyv1.ListCopilotUsageResponse
		status, body := g.get(t, "/v1/copilotUsage?"+query, &usage)
		if want == 0 {
			if status != http.StatusBadRequest {
				t.Errorf("%q: HTTP %d %s", query, status, body)
			}
			continue
		}
		if status != http.StatusOK || len(usage.GetRows()) != 1 || int(usage.GetRows()[0].GetReportPeriod()) != want {
			t.Fatalf("%q: HTTP %d %s", query, status, body)
		}
		if want == 28 && usage.GetRows()[0].GetPromptsSubmittedAllApps() != 12 {
			t.Errorf("%q: %s", query, body)
		}
	}
}

// TestUsageOfOneUser filters the report by user: among names it finds the user's rows, among pseudonyms nobody can be found,
// and an empty answer would be a lie.
func TestUsageOfOneUser(t *testing.T) {
	t.Parallel()
	const heading = "Report Refresh Date,User Principal Name,Display Name,Report Period\n"
	g := overFixture(t, &fixture{fixed: map[string]string{
		reportPath + "(period='D7')":  heading + "2026-07-03,ada@contoso.com,Ada,7\n2026-07-03,bob@contoso.com,Bob,7\n",
		reportPath + "(period='D30')": heading + "2026-07-03," + hidden + ",6A4630397AAA1A9C8EED362168DC88A0,30\n",
	}}, nil)
	filter := "&filter=" + url.QueryEscape(`user_principal_name = "bob@contoso.com"`)
	var usage parleyv1.ListCopilotUsageResponse
	if status, body := g.get(t, "/v1/copilotUsage?period=D7"+filter, &usage); status != http.StatusOK || len(usage.GetRows()) != 1 || usage.GetRows()[0].GetDisplayName() != "Bob" {
		t.Errorf("HTTP %d %s", status, body)
	}
	for _, method := range []string{"", ":stream"} {
		status, body := g.get(t, "/v1/copilotUsage"+method+"?period=D30"+filter, nil)
		if status != http.StatusBadRequest || reason(t, body) != "IDENTITIES_CONCEALED" || !strings.Contains(string(body), `"code":9`) {
			t.Errorf("copilotUsage%s: HTTP %d %s", method, status, body)
		}
	}
}

// TestReportIsReadOnce lists, streams and downloads a report several times: Graph is asked once for each form of it, and the
// downloads are byte for byte what Graph sent.
func TestReportIsReadOnce(t *testing.T) {
	t.Parallel()
	const csv, json = "\ufeffReport Refresh Date,User Principal Name,Report Period\r\n2026-07-03T00:00:00Z,ada@contoso.com,7\r\n",
		`{"value":[{"reportRefreshDate":"2026-07-03","userPrincipalName":"ada@contoso.com","copilotActivityUserDetailsByPeriod":[{"reportPeriod":7}]}]}`
	for version, requests := range map[string]map[string]int{
		"v1.0": {reportPath + "(period='D7')": 1},
		"beta": {reportPath + "(period='D7')": 1, olderPath: 1},
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			f := &fixture{fixed: map[string]string{reportPath + "(period='D7')": csv}}
			if version == "beta" {
				f.fixed = map[string]string{
					reportPath + "(period='D7')": json, olderPath: csv,
				}
			}
			g := overFixture(t, f, func(s *config.Settings) { s.GraphVersion = version })
			for range 3 {
				var usage parleyv1.ListCopilotUsageResponse
				if status, body := g.get(t, "/v1/copilotUsage?period=D7", &usage); status != http.StatusOK || usage.GetReportRefreshDate() != "2026-07-03" {
					t.Errorf("HTTP %d %s", status, body)
				}
				if status, body := g.get(t, "/v1/copilotUsage:download?period=D7", nil); status != http.StatusOK || string(body) != csv {
					t.Errorf("HTTP %d %q", status, body)
				}
				if status, body := g.get(t, "/v1/copilotUsage:stream?period=D7", nil); status != http.StatusOK || !strings.Contains(string(body), `"complete":true`) {
					t.Errorf("HTTP %d %s", status, body)
				}
			}
			f.mu.Lock()
			asked := maps.Clone(f.asked)
			f.mu.Unlock()
			if diff := cmp.Diff(requests, asked); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUsedUpUsageBudget downloads the report until no request is left of the ten minutes: downloads and streams without a
// deadline are then told at once when to come again.
func TestUsedUpUsageBudget(t *testing.T) {
	t.Parallel()
	g := overFixture(t, &fixture{fixed: map[string]string{reportPath + "(period='D7')": "Report Refresh Date,User Principal Name,Report Period\n2026-07-03,ada@contoso.com,7\n"}}, func(s *config.Settings) {
		s.CacheSize = "0" // a report that is kept uses up nothing
	})
	for range 10 { // of 11, one is left to lists
		if status, body := g.get(t, "/v1/copilotUsage:download?period=D7", nil); status != http.StatusOK {
			t.Fatalf("HTTP %d %s", status, body)
		}
	}
	for _, method := range []string{":download", ":stream"} {
		status, body := g.get(t, "/v1/copilotUsage"+method+"?period=D7", nil)
		if status != http.StatusTooManyRequests || reason(t, body) != "GRAPH_THROTTLED" || !strings.Contains(string(body), "RetryInfo") ||
			!strings.Contains(string(body), "gateway's own budget") {
			t.Errorf("%s: HTTP %d %s", method, status, body)
		}
	}
	if status, body := g.get(t, "/v1/copilotUsage?period=D7", nil); status != http.StatusOK {
		t.Errorf("the list: HTTP %d %s", status, body)
	}
}

// TestRefusedUsageRedirect redirects the report to where the gateway does not follow: that is an error, not an empty report.
func TestRefusedUsageRedirect(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"a host that is not allowed": "https://reports.evil.example/data", "nowhere": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if location != "" {
					w.Header().Set("Location", location)
				}
				w.WriteHeader(http.StatusFound)
			}))
			t.Cleanup(graph.Close)
			settings := defaults(t)
			settings.GraphURL, settings.GraphCredential = graph.URL, "none"
			g := over(t, nil, settings)
			for _, method := range []string{"", ":stream", ":download"} {
				status, body := g.get(t, "/v1/copilotUsage"+method+"?period=D7", nil)
				if status != http.StatusInternalServerError || reason(t, body) != "GRAPH_LINK_REFUSED" {
					t.Errorf("copilotUsage%s: HTTP %d %s", method, status, body)
				}
			}
		})
	}
}

// TestUsageReportsAgreeWithOneAnother reads the three reports of one tenant in both generations of Graph: what they say of one another agrees.
func TestUsageReportsAgreeWithOneAnother(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.0", "beta"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := serve(t, graphsim.Config{Seed: 11, Users: 40, NewlyLicensed: 2, ReportPageSize: 7}, func(s *config.Settings) { s.GraphVersion = version })
			var users parleyv1.ListCopilotUsageResponse
			var summary parleyv1.SummarizeCopilotUsageResponse
			var trends parleyv1.ListCopilotUsageTrendsResponse
			for path, answer := range map[string]proto.Message{
				"/v1/copilotUsage?period=D7&include=INACTIVE&pageSize=1000": &users, "/v1/copilotUsage:summarize?period=ALL": &summary,
				"/v1/copilotUsageTrends?period=D7": &trends,
			} {
				if status, body := g.get(t, path, answer); status != http.StatusOK {
					t.Fatalf("%s: HTTP %d %s", path, status, body)
				}
			}
			day := users.GetReportRefreshDate()
			if len(summary.GetPeriods()) != 4 || len(trends.GetDays()) != 7 || !users.GetComplete() || !summary.GetComplete() || !trends.GetComplete() || summary.GetReportRefreshDate() != day || trends.GetDays()[0].GetReportDate() != day {
				t.Fatalf("users of %s, %v, %v", day, &summary, &trends)
			}
			var reported, derived, today, ever int64
			for _, row := range users.GetRows() {
				switch {
				case row.GetDerived():
					derived++
					if !strings.HasPrefix(row.GetUser(), "users/") || row.GetUserPrincipalName() == "" || row.GetLastActivityDate() != "" {
						t.Errorf("derived row %v", row)
					}
					continue
				case row.GetUser() != "users/"+row.GetUserPrincipalName():
					t.Errorf("row %v", row)
				case row.GetWordCopilotLastActivityDate() == day:
					today++
				}
				if reported++; row.GetWordCopilotLastActivityDate() != "" {
					ever++
				}
			}
			days, periods := trends.GetDays(), summary.GetPeriods()
			if derived != 2 || reported == 0 || days[0].GetWordEnabledUsers() != reported || days[0].GetWordActiveUsers() != today || periods[3].GetReportPeriod() != 180 || periods[3].GetWordActiveUsers() != ever {
				t.Errorf("%d rows and %d without one, %d active on %s and %d ever: %v, %v", reported, derived, today, day, ever, days[0], periods[3])
			}
			for report, lines := range map[string]int{"USERS": int(reported), "SUMMARY": 1, "TRENDS": 7} {
				status, body := g.get(t, "/v1/copilotUsage:download?period=D7&report="+report, nil)
				if got := strings.Count(strings.TrimSpace(string(body)), "\n"); status != http.StatusOK || got != lines {
					t.Errorf("%s: HTTP %d, %d lines, want %d: %.200s", report, status, got, lines, body)
				}
			}
		})
	}
}

// TestInactiveUsersAreConcealed refuses the users without a row while names are concealed, and says what to do; days are asked for all the same.
func TestInactiveUsersAreConcealed(t *testing.T) {
	t.Parallel()
	g := serve(t, graphsim.Config{Seed: 11, Users: 40, ConcealNames: true}, nil)
	status, body := g.get(t, "/v1/copilotUsage?period=D7&include=INACTIVE", nil)
	if text := string(body); status != http.StatusBadRequest || !strings.Contains(text, "IDENTITIES_CONCEALED") || !strings.Contains(text, "ask without include") {
		t.Errorf("HTTP %d %s", status, body)
	}
	var usage parleyv1.ListCopilotUsageResponse
	status, body = g.get(t, "/v1/copilotUsage?period=D7&pageSize=1000&filter=NOT%20last_activity_date%20%3C%20%222000-01-01%22", &usage)
	if status != http.StatusOK || len(usage.GetRows()) == 0 || usage.GetRows()[0].GetUser() != "" || !usage.GetIdentitiesConcealed() {
		t.Errorf("HTTP %d %s", status, body)
	}
}
