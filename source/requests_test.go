package source_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// asked is a request in readable form: the query unescaped, values quoted by nothing.
func asked(t *testing.T, target string) string {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	if query == "" {
		return path
	}
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		if strings.ContainsAny(part, " '()") {
			t.Errorf("%s: a value is not percent-encoded", target)
		}
		plain, err := url.QueryUnescape(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, plain)
	}
	return path + "?" + strings.Join(parts, "&")
}

const (
	enumMembers = "include-unknown-enum-members"
	wide        = " gt 2024-11-19T23:59:59Z and "
	chatEscaped = "19%3Ameeting_YjQ4NThlNzUtMjEyNC00MjFlLTk0ODMtZTc2M2Q5MDVlNTE4%40thread.v2"
)

// TestEverySourceSendsTheseRequests holds the exact requests of every source.
func TestEverySourceSendsTheseRequests(t *testing.T) {
	t.Parallel()
	query := source.EventQuery{Owner: userID, User: userID, Start: start, End: end}
	with := func(change func(*source.EventQuery)) source.EventQuery {
		q := query
		change(&q)
		return q
	}
	type ask = func(ctx context.Context, g source.Graph, o source.Options) error
	events := func(build func(source.Graph, source.Options) source.EventReader) func(q source.EventQuery) ask {
		return func(q source.EventQuery) ask {
			return func(ctx context.Context, g source.Graph, o source.Options) error {
				_, err := build(g, o).Events(ctx, q, "")
				return err
			}
		}
	}
	copilot := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewCopilot(g, o) })
	chat := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewChat(g, o) })
	retained := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewRetainedChat(g, o) })
	call := events(func(g source.Graph, o source.Options) source.EventReader { return source.NewCall(g, o) })
	chats := func(q source.ConversationQuery) ask {
		return func(ctx context.Context, g source.Graph, o source.Options) error {
			q.Owner, q.User = userID, userID
			_, err := source.NewConversations(g, o).Conversations(ctx, q, "")
			return err
		}
	}
	usage := func(q source.UsageQuery) ask {
		return func(ctx context.Context, g source.Graph, o source.Options) error {
			_, err := source.NewUsage(g, o).Usage(ctx, q, "")
			return err
		}
	}
	const copilotPath = "/copilot/users/" + userID + "/interactionHistory/getAllEnterpriseInteractions?$top=100&$filter="
	const exportPath = "/v1.0/users/" + userID + "/chats/getAllMessages?$top=50&$filter="
	const ownPath = "/v1.0/users/" + userID + "/chats/" + chatEscaped + "/messages?$top=50&$orderby="
	for _, tc := range []struct {
		name    string
		options source.Options
		ask     ask
		want    string
		prefer  string
	}{
		{
			name: "copilot, an interval", ask: copilot(query),
			want: "/v1.0" + copilotPath + "createdDateTime" + wide + "createdDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "copilot, beta and application classes", options: options(graph.Beta),
			ask: copilot(with(func(q *source.EventQuery) {
				q.Clause.AppClasses = []string{"IPM.SkypeTeams.Message.Copilot.Word", "it's"}
			})),
			want: "/beta" + copilotPath + "createdDateTime" + wide + "createdDateTime lt 2024-11-21T00:00:01Z and " +
				"(appClass eq 'IPM.SkypeTeams.Message.Copilot.Word' or appClass eq 'it''s')",
		},
		{
			name: "copilot, one application class", ask: copilot(with(func(q *source.EventQuery) { q.Clause.AppClasses = []string{"a"} })),
			want: "/v1.0" + copilotPath + "createdDateTime" + wide + "createdDateTime lt 2024-11-21T00:00:01Z and appClass eq 'a'",
		},
		{
			name: "copilot, fractions in another zone",
			ask: copilot(with(func(q *source.EventQuery) {
				q.Start = time.Date(2024, 11, 20, 2, 0, 0, 123_456_789, time.FixedZone("", 7200))
				q.End = time.Date(2024, 11, 20, 0, 0, 1, 999_999_950, time.UTC)
			})),
			want: "/v1.0" + copilotPath + "createdDateTime gt 2024-11-19T23:59:59Z and createdDateTime lt 2024-11-20T00:00:03Z",
		},
		{
			name: "no start still has two bounds", ask: copilot(with(func(q *source.EventQuery) { q.Start = time.Time{} })),
			want: "/v1.0" + copilotPath + "createdDateTime gt 1969-12-31T23:59:59Z and createdDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "chat, an interval", ask: chat(query), prefer: enumMembers,
			want: exportPath + "lastModifiedDateTime" + wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "chat, senders, model", options: source.Options{Model: "A"}, prefer: enumMembers,
			ask: chat(with(func(q *source.EventQuery) {
				q.Clause = source.Clause{
					Sender: source.Sender{UserTypes: []string{"anonymousGuest", "federatedUser"}, UserIDs: []string{"x"}}, NoSystem: true,
				}
			})),
			want: exportPath + "(from/user/id eq 'x' and (from/user/userIdentityType eq 'anonymousGuest' or from/user/userIdentityType eq 'federatedUser')" +
				" and messageType ne 'systemEventMessage') and (lastModifiedDateTime" + wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z)&model=A",
		},
		{
			name: "retained chat, an interval and senders, without a model", options: source.Options{Model: "A"}, prefer: enumMembers,
			ask: retained(with(func(q *source.EventQuery) { q.Clause = source.Clause{Sender: source.Sender{UserIDs: []string{"x"}}} })),
			want: "/v1.0/users/" + userID + "/chats/getAllRetainedMessages?$top=50&$filter=(from/user/id eq 'x') and (lastModifiedDateTime" +
				wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z)",
		},
		{
			name: "chat, applications and system", prefer: enumMembers,
			ask: chat(with(func(q *source.EventQuery) {
				q.Clause = source.Clause{Sender: source.Sender{ApplicationTypes: []string{"bot"}}, SystemOnly: true}
			})),
			want: exportPath + "(from/application/applicationIdentityType eq 'bot' and messageType eq 'systemEventMessage') and (lastModifiedDateTime" +
				wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z)",
		},
		{
			name: "chat, one of several conditions on the sender", prefer: enumMembers,
			ask: chat(with(func(q *source.EventQuery) {
				q.Clause = source.Clause{AnySender: source.Sender{ApplicationTypes: []string{"bot"}, UserTypes: []string{"anonymousGuest"}, UserIDs: []string{"x", "it's"}}}
			})),
			want: exportPath + "((from/user/id eq 'x' or from/user/id eq 'it''s' or from/user/userIdentityType eq 'anonymousGuest'" +
				" or from/application/applicationIdentityType eq 'bot')) and (lastModifiedDateTime" + wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z)",
		},
		{
			name: "chat, odd user", prefer: enumMembers,
			ask: chat(with(func(q *source.EventQuery) { q.User = "ada x#EXT#@contoso.com" })),
			want: "/v1.0/users/ada%20x%23EXT%23%40contoso.com/chats/getAllMessages?$top=50&$filter=lastModifiedDateTime" +
				wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "own messages, no model and no clause", options: source.Options{Model: "A"}, prefer: enumMembers,
			ask:  chat(with(func(q *source.EventQuery) { q.Conversation, q.Clause.UserIDs = chatID, []string{"x"} })),
			want: ownPath + "lastModifiedDateTime desc&$filter=lastModifiedDateTime" + wide + "lastModifiedDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "own messages by creation", prefer: enumMembers,
			ask:  chat(with(func(q *source.EventQuery) { q.Conversation, q.ByCreateTime = chatID, true })),
			want: ownPath + "createdDateTime desc&$filter=createdDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "calls of a user", ask: call(query), prefer: enumMembers + ", odata.maxpagesize=60",
			want: "/v1.0/communications/callRecords?$filter=startDateTime ge 2024-11-19T23:59:59Z and startDateTime lt 2024-11-21T00:00:01Z" +
				" and participants_v2/any(p:p/id eq '" + userID + "')",
		},
		{
			name: "calls of a user with another", prefer: enumMembers + ", odata.maxpagesize=60",
			ask: call(with(func(q *source.EventQuery) { q.Clause.ParticipantID = "+1'" })),
			want: "/v1.0/communications/callRecords?$filter=startDateTime ge 2024-11-19T23:59:59Z and startDateTime lt 2024-11-21T00:00:01Z" +
				" and participants_v2/any(p:p/id eq '" + userID + "') and participants_v2/any(p:p/id eq '+1''')",
		},
		{
			name: "calls of the tenant", prefer: enumMembers + ", odata.maxpagesize=60",
			ask:  call(with(func(q *source.EventQuery) { q.Owner, q.User = "-", "" })),
			want: "/v1.0/communications/callRecords?$filter=startDateTime ge 2024-11-19T23:59:59Z and startDateTime lt 2024-11-21T00:00:01Z",
		},
		{
			name: "chats", ask: chats(source.ConversationQuery{}), prefer: enumMembers,
			want: "/v1.0/users/" + userID + "/chats?$top=50&$expand=members,lastMessagePreview",
		},
		{
			name: "chats by the last message", ask: chats(source.ConversationQuery{ByLastMessage: true}), prefer: enumMembers,
			want: "/v1.0/users/" + userID + "/chats?$top=50&$expand=members,lastMessagePreview&$orderby=lastMessagePreview/createdDateTime desc",
		},
		{
			name: "chats where no order is known", options: source.Options{Cloud: graph.CloudUSL4},
			ask: chats(source.ConversationQuery{ByLastMessage: true}), prefer: enumMembers,
			want: "/v1.0/users/" + userID + "/chats?$top=50&$expand=members,lastMessagePreview",
		},
		{
			name: "chats by member and application", prefer: enumMembers,
			ask: chats(source.ConversationQuery{MemberName: "Conan O'Brien", InstalledApp: "app"}),
			want: "/v1.0/users/" + userID + "/chats?$top=50&$expand=members,lastMessagePreview" +
				"&$filter=members/any(o: o/displayname eq 'Conan O''Brien') and installedApps/any(a:a/teamsApp/id eq 'app')",
		},
		{
			name: "usage", ask: usage(source.UsageQuery{Period: "D7"}),
			want: "/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D7')",
		},
		{
			name: "usage of 28 days", ask: usage(source.UsageQuery{Period: "D28"}),
			want: "/v1.0/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='D28',version='v2')",
		},
		{
			name: "usage, beta and version", options: options(graph.Beta), ask: usage(source.UsageQuery{Period: "ALL", Version: "v1"}),
			want: "/beta/copilot/reports/getMicrosoft365CopilotUsageUserDetail(period='ALL',version='v1')",
		},
		{
			name: "users", want: "/v1.0/users?$select=" + userFields + "&$top=999",
			ask: func(ctx context.Context, g source.Graph, o source.Options) error {
				_, err := source.NewUsers(g, o).Users(ctx, source.UserQuery{}, "")
				return err
			},
		},
		{
			name: "some users",
			want: "/v1.0/users?$select=" + userFields + "&$top=999&$filter=id in ('a','b') and userPrincipalName eq 'o''neill@x' and startswith(displayName,'O''N')",
			ask: func(ctx context.Context, g source.Graph, o source.Options) error {
				q := source.UserQuery{IDs: []string{"a", "b"}, PrincipalNames: []string{"o'neill@x"}, NamePrefix: "O'N"}
				_, err := source.NewUsers(g, o).Users(ctx, q, "")
				return err
			},
		},
		{
			name: "a user by name", want: "/v1.0/users?$select=" + userFields + "&$top=999&$filter=displayName eq 'Ada'",
			ask: func(ctx context.Context, g source.Graph, o source.Options) error {
				_, err := source.NewUsers(g, o).Users(ctx, source.UserQuery{DisplayName: "Ada"}, "")
				return err
			},
		},
		{
			name: "names", want: "/v1.0/users?$select=id,displayName&$filter=id in ('a','b')",
			ask: func(ctx context.Context, g source.Graph, o source.Options) error {
				_, err := source.NewUsers(g, o).Names(ctx, []string{"a", "b"})
				return err
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			up, client := newUpstream(t, func(target string) reply {
				if strings.Contains(target, "/reports/") && !strings.HasPrefix(target, "/beta") {
					return reply{body: "Report Refresh Date\n"}
				}
				return reply{body: `{"value":[]}`}
			})
			if err := tc.ask(t.Context(), client, tc.options); err != nil {
				t.Fatal(err)
			}
			targets := up.targets()
			if len(targets) != 1 {
				t.Fatalf("%d requests: %v", len(targets), targets)
			}
			if diff := cmp.Diff(tc.want, asked(t, targets[0])); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if got := up.prefer()[0]; got != tc.prefer {
				t.Errorf("Prefer %q, want %q", got, tc.prefer)
			}
		})
	}
}

// TestTheseQueriesAreNeverSent holds what is never sent.
func TestTheseQueriesAreNeverSent(t *testing.T) {
	t.Parallel()
	up, client := newUpstream(t, func(string) reply { return reply{body: `{"value":[]}`} })
	for name, q := range map[string]source.EventQuery{
		"no end":          {Owner: userID, User: userID, Start: start},
		"empty interval":  {Owner: userID, User: userID, Start: end, End: end},
		"inverted":        {Owner: userID, User: userID, Start: end, End: start},
		"user is a path":  {Owner: "a/b", User: "a/b", Start: start, End: end},
		"user is parent":  {Owner: "..", User: "..", Start: start, End: end},
		"user is nothing": {Start: start, End: end},
		"chat is a path":  {Owner: userID, User: userID, Conversation: "../x", Start: start, End: end},
	} {
		if _, err := source.NewChat(client, source.Options{}).Events(t.Context(), q, ""); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, user := range []string{"ada@contoso.com", ""} {
		_, err := source.NewCall(client, source.Options{}).Events(t.Context(), source.EventQuery{Owner: "x", User: user, Start: start, End: end}, "")
		if err == nil || !strings.Contains(err.Error(), "object id") {
			t.Errorf("calls of %q: error %v", user, err)
		}
	}
	if got := up.targets(); len(got) != 0 {
		t.Errorf("Graph was asked: %v", got)
	}
}

// TestLinksGoOutByteForByte holds that links go out byte for byte, with the headers of the first request.
func TestLinksGoOutByteForByte(t *testing.T) {
	t.Parallel()
	const link = "/v1.0/users('x')/chats/getallMessages?$top=2&$skiptoken=U2tpcD1%3d%2b+a&x=%27"
	up, client := newUpstream(t, func(string) reply { return reply{body: `{"value":[],"@odata.nextLink":"{origin}/next"}`} })
	q := source.EventQuery{Owner: userID, User: userID, Start: start, End: end, Clause: source.Clause{Sender: source.Sender{UserIDs: []string{"x"}}}}
	page, err := source.NewChat(client, source.Options{Model: "B"}).Events(t.Context(), q, up.URL+link)
	if err != nil {
		t.Fatal(err)
	}
	if got := up.targets(); len(got) != 1 || got[0] != link || up.prefer()[0] != enumMembers {
		t.Errorf("asked %v with %v", got, up.prefer())
	}
	if page.Next != up.URL+"/next" || page.Requests != 1 || page.Rows != 0 || page.ReadAt.IsZero() {
		t.Errorf("page %+v", page)
	}
	if _, err := source.NewUsers(client, source.Options{}).Users(t.Context(), source.UserQuery{}, "https://graph.microsoft.com/v1.0/users?x"); kindOf(t, err) != "link refused" {
		t.Errorf("foreign link: %v", err)
	}
}
