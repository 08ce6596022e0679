package source_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// TestRefusedFiltersAreAskedWithLess holds what is asked after a 400, in which order, and what the page then says.
func TestRefusedFiltersAreAskedWithLess(t *testing.T) {
	t.Parallel()
	type flags struct{ Unfiltered, Unbounded, Unordered bool }
	const interval = "(lastModifiedDateTime"
	query := source.EventQuery{Owner: userID, User: userID, Start: start, End: end}
	for _, tc := range []struct {
		name   string
		refuse func(target string) bool
		ask    func(g source.Graph) (requests int, f flags, err error)
		want   []string // a part of each request, in order
		flags  flags
		status int // of the refusal, 0 = 400
	}{
		{
			// Of the kind "an order that Graph refuses": 501 says that it is not built.
			name: "chats order that is not built", status: http.StatusNotImplemented,
			refuse: func(target string) bool { return strings.Contains(target, "$orderby") },
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, ByLastMessage: true}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"$orderby", "$top=50&$expand=members,lastMessagePreview"},
			flags: flags{Unordered: true},
		},
		{
			name:   "copilot clause",
			refuse: func(target string) bool { return strings.Contains(target, "appClass") },
			ask: func(g source.Graph) (int, flags, error) {
				q := query
				q.Clause.AppClasses = []string{"a"}
				page, err := source.NewCopilot(g, source.Options{}).Events(t.Context(), q, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"appClass eq 'a'", "createdDateTime lt 2024-11-21T00:00:01Z"},
			flags: flags{Unfiltered: true},
		},
		{
			name:   "chat clause",
			refuse: func(target string) bool { return strings.Contains(target, "messageType") },
			ask: func(g source.Graph) (int, flags, error) {
				q := query
				q.Clause.SystemOnly = true
				page, err := source.NewChat(g, source.Options{}).Events(t.Context(), q, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"(messageType eq 'systemEventMessage') and " + interval, "$filter=lastModifiedDateTime gt"},
			flags: flags{Unfiltered: true},
		},
		{
			name:   "call interval beside the user",
			refuse: func(target string) bool { return strings.Contains(target, "startDateTime") },
			ask: func(g source.Graph) (int, flags, error) {
				q := query
				q.Clause.ParticipantID = "other"
				page, err := source.NewCall(g, source.Options{}).Events(t.Context(), q, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want: []string{
				"id eq '" + userID + "') and participants_v2/any(p:p/id eq 'other')", "Z and participants_v2/any(p:p/id eq '" + userID + "')",
				"$filter=participants_v2/any(p:p/id eq '" + userID + "')",
			},
			flags: flags{Unfiltered: true, Unbounded: true},
		},
		{
			name:   "tenant's calls of a participant",
			refuse: func(target string) bool { return strings.Contains(target, "startDateTime") },
			ask: func(g source.Graph) (int, flags, error) {
				q := source.EventQuery{Owner: "-", Start: start, End: end, Clause: source.Clause{ParticipantID: "p"}}
				page, err := source.NewCall(g, source.Options{}).Events(t.Context(), q, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"startDateTime ge", "$filter=participants_v2/any(p:p/id eq 'p')"},
			flags: flags{Unbounded: true},
		},
		{
			name:   "chats expand",
			refuse: func(target string) bool { return strings.Contains(target, "lastMessagePreview&") },
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, MemberName: "P"}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want: []string{"$expand=members,lastMessagePreview&$filter", "$expand=members&$filter"},
		},
		{
			name:   "chats filter",
			refuse: func(target string) bool { return strings.Contains(target, "$filter") },
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, InstalledApp: "a", ByLastMessage: true}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"$filter", "$expand=members,lastMessagePreview&$filter", "$expand=members&$orderby", "$expand=members,lastMessagePreview&$orderby=lastMessagePreview/createdDateTime desc"},
			flags: flags{Unfiltered: true},
		},
		{
			name:   "chats order and expand",
			refuse: func(target string) bool { return strings.Contains(target, "$expand") },
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, ByLastMessage: true}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"$expand=members,lastMessagePreview&$orderby", "$expand=members,lastMessagePreview", "$expand=members&$orderby", "/chats?$top=50"},
			flags: flags{Unordered: true},
		},
		{
			name:   "chats order alone",
			refuse: func(target string) bool { return strings.Contains(target, "$orderby") },
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, ByLastMessage: true, MemberName: "P"}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"$orderby", "$top=50&$expand=members,lastMessagePreview&$filter"},
			flags: flags{Unordered: true},
		},
		{
			name: "chats order and filter",
			refuse: func(target string) bool {
				return strings.Contains(target, "$orderby") || strings.Contains(target, "$filter")
			},
			ask: func(g source.Graph) (int, flags, error) {
				page, err := source.NewConversations(g, source.Options{}).Conversations(t.Context(), source.ConversationQuery{Owner: userID, User: userID, ByLastMessage: true, InstalledApp: "a"}, "")
				return requestsOf(page), flags{page.Unfiltered, page.Unbounded, page.Unordered}, err
			},
			want:  []string{"$orderby", "$filter", "$expand=members&$orderby", "lastMessagePreview&$orderby", "$top=50&$expand=members,lastMessagePreview"},
			flags: flags{Unfiltered: true, Unordered: true},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			refusal := badRequest()
			if tc.status != 0 {
				refusal.status = tc.status
			}
			up, client := newUpstream(t, func(target string) reply {
				if tc.refuse(target) {
					return refusal
				}
				return reply{body: `{"value":[]}`}
			})
			requests, got, err := tc.ask(client)
			if err != nil {
				t.Fatal(err)
			}
			targets := up.targets()
			if len(targets) != len(tc.want) || requests != len(tc.want) {
				t.Fatalf("%d requests, %d counted, want %d: %q", len(targets), requests, len(tc.want), targets)
			}
			for i, part := range tc.want {
				if plain := asked(t, targets[i]); !strings.Contains(plain, part) {
					t.Errorf("request %d is %s, want %s in it", i, plain, part)
				}
			}
			if diff := cmp.Diff(tc.flags, got); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func requestsOf[T any](page *source.Page[T]) int {
	if page == nil {
		return 0
	}
	return page.Requests
}

// TestOnlyARefusedFirstPageIsAskedOtherwise holds that nothing else than a 400 to a first page is asked in another way.
func TestOnlyARefusedFirstPageIsAskedOtherwise(t *testing.T) {
	t.Parallel()
	query := source.EventQuery{Owner: userID, User: userID, Start: start, End: end}
	clause := query
	clause.Clause.UserIDs = []string{"x"}
	for _, tc := range []struct {
		name   string
		status int
		query  source.EventQuery
		link   string
		asked  int
		kind   string
	}{
		{"400 without a clause", http.StatusBadRequest, query, "", 1, "bad request"},
		{"400 twice", http.StatusBadRequest, clause, "", 2, "bad request"},
		{"400 to a link", http.StatusBadRequest, clause, "/v1.0/x?y", 1, "bad request"},
		{"403", http.StatusForbidden, clause, "", 1, "forbidden"},
		{"402", http.StatusPaymentRequired, clause, "", 1, "payment required"},
		{"404", http.StatusNotFound, clause, "", 1, "not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, func(string) reply { return reply{status: tc.status, body: graphError("X", "no")} })
			link := tc.link
			if link != "" {
				link = up.URL + link
			}
			_, err := source.NewChat(client, source.Options{}).Events(t.Context(), tc.query, link)
			if got := kindOf(t, err); got != tc.kind || len(up.targets()) != tc.asked {
				t.Errorf("kind %q after %d requests, want %q after %d", got, len(up.targets()), tc.kind, tc.asked)
			}
		})
	}
}

// TestCallsAreAskedByParticipantWhenTheIntervalIsIgnored holds that rows outside the asked interval make a user's calls be asked by the participant alone.
func TestCallsAreAskedByParticipantWhenTheIntervalIsIgnored(t *testing.T) {
	t.Parallel()
	const row = `{"value":[{"id":"c","startDateTime":"2024-10-01T00:00:00Z"},{"id":"d","startDateTime":"2024-11-20T12:00:00Z"}]}`
	up, client := newUpstream(t, func(string) reply { return reply{body: row} })
	call := source.NewCall(client, source.Options{})
	page, err := call.Events(t.Context(), source.EventQuery{Owner: userID, User: userID, Start: start, End: end}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !page.Unbounded || page.Requests != 2 || len(page.Items) != 2 || len(up.targets()) != 2 {
		t.Errorf("unbounded %v, requests %d, items %d, asked %q", page.Unbounded, page.Requests, len(page.Items), up.targets())
	}
	if page, err = call.Events(t.Context(), source.EventQuery{Owner: "-", Start: start, End: end}, ""); err != nil || page.Unbounded || page.Requests != 1 {
		t.Errorf("whole tenant: %+v, %v", page, err)
	}
}

// TestTheReportIsLookedForAtItsPlaces holds where the report is looked for, and in which form it is taken.
func TestTheReportIsLookedForAtItsPlaces(t *testing.T) {
	t.Parallel()
	const (
		now      = "/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"
		beta     = "/beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"
		older    = "/beta/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')"
		olderOne = older + "?$format=application%2Fjson"
		csv      = "Report Refresh Date,User Principal Name\n2026-07-03,ada@contoso.com\n"
		jsonRows = `{"value":[{"reportRefreshDate":"2026-07-03","userPrincipalName":"ada@contoso.com"}],"@odata.nextLink":"{origin}/beta/n"}`
	)
	moved := reply{status: http.StatusBadRequest, body: graphError("BadRequest", "Resource not found for the segment 'getMicrosoft365CopilotUsageUserDetail'.")}
	for _, tc := range []struct {
		name, version string
		replies       map[string]reply
		asked         []string
		kind          string
		link          bool
	}{
		{name: "v1.0", replies: map[string]reply{now: {body: csv}}, asked: []string{now}, kind: "none"},
		{name: "v1.0 answers JSON", replies: map[string]reply{now: {body: jsonRows}}, asked: []string{now}, kind: "none", link: true},
		{name: "v1.0 moved", replies: map[string]reply{now: moved, olderOne: {body: jsonRows}}, asked: []string{now, olderOne}, kind: "none", link: true},
		{name: "v1.0 absent", replies: map[string]reply{olderOne: {body: jsonRows}}, asked: []string{now, olderOne}, kind: "none", link: true},
		{name: "v1.0 answers a page", replies: map[string]reply{now: {body: "<html>sign in</html>"}}, asked: []string{now}, kind: "malformed answer"},
		{
			name: "v1.0 answers another table", asked: []string{now, olderOne}, kind: "none", link: true,
			replies: map[string]reply{now: {body: "Report Date,Users\n"}, olderOne: {body: jsonRows}},
		},
		{name: "v1.0 refused", replies: map[string]reply{now: badRequest()}, asked: []string{now}, kind: "bad request"},
		{name: "nowhere", replies: map[string]reply{now: moved, olderOne: moved}, asked: []string{now, olderOne}, kind: "bad request"},
		{name: "beta", version: graph.Beta, replies: map[string]reply{beta: {body: jsonRows}}, asked: []string{beta}, kind: "none", link: true},
		{name: "beta moved", version: graph.Beta, replies: map[string]reply{beta: moved, olderOne: {body: jsonRows}}, asked: []string{beta, olderOne}, kind: "none", link: true},
		{name: "beta answers CSV", version: graph.Beta, replies: map[string]reply{beta: {body: csv}}, asked: []string{beta, beta}, kind: "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, script(tc.replies))
			page, err := source.NewUsage(client, options(tc.version)).Usage(t.Context(), source.UsageQuery{Period: "D7"}, "")
			if got := kindOf(t, err); got != tc.kind {
				t.Fatalf("%s: %v", got, err)
			}
			if diff := cmp.Diff(tc.asked, up.targets()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			if rows := itemsOf(t, page); len(rows) != 1 || rows[0].GetUserPrincipalName() != "ada@contoso.com" || rows[0].GetIdentityConcealed() {
				t.Errorf("rows %v", rows)
			}
			if (page.Next != "") != tc.link {
				t.Errorf("link %q", page.Next)
			}
		})
	}
}
