package pager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// directory serves numbered chats, usage rows and users in pages.
type directory struct {
	rows, size int
	asked      int
	// again is how many rows of the page before come once more at the head of a page.
	again int
	// nameless users have no id: the first ones.
	nameless int
	// skipped is a user who has left; 0 = none.
	skipped int
	delay   time.Duration
	// fault may replace the answer to the request with this link.
	fault func(n int, link string) (next string, err error)
}

func dirPage[T any](d *directory, link string, row func(i int) T) (*source.Page[T], error) {
	time.Sleep(d.delay)
	d.asked++
	from := 0
	if link != "" {
		from, _ = strconv.Atoi(link[strings.LastIndexByte(link, '=')+1:])
	}
	page := &source.Page[T]{Requests: 1, ReadAt: time.Now()}
	for i := max(from-d.again, 0); i < min(from+d.size, d.rows); i++ {
		page.Items = append(page.Items, row(i))
	}
	page.Rows = len(page.Items)
	if from+d.size < d.rows {
		page.Next = fmt.Sprintf("https://graph/v1.0/x?$skiptoken=%d", from+d.size)
	}
	if d.fault != nil {
		next, err := d.fault(d.asked, link)
		if err != nil {
			return nil, err
		}
		if next != "" {
			page.Next = next
		}
	}
	return page, nil
}

func (d *directory) Conversations(_ context.Context, _ source.ConversationQuery, link string) (*source.Page[*parleyv1.Conversation], error) {
	return dirPage(d, link, func(i int) *parleyv1.Conversation {
		kind := parleyv1.ConversationKind_CONVERSATION_KIND_ONE_ON_ONE
		if i%3 == 0 {
			kind = parleyv1.ConversationKind_CONVERSATION_KIND_GROUP
		}
		return &parleyv1.Conversation{Name: fmt.Sprintf("users/u/conversations/%03d", i), Kind: kind}
	})
}

func (d *directory) Conversation(context.Context, string, string, string) (*parleyv1.Conversation, error) {
	return nil, errors.New("not asked")
}

func (d *directory) Usage(_ context.Context, _ source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageRow], error) {
	page, err := dirPage(d, link, func(i int) *parleyv1.CopilotUsageRow {
		// All rows are alike: concealed names tell nobody apart.
		return &parleyv1.CopilotUsageRow{UserPrincipalName: "(Unknown)", IdentityConcealed: i%2 == 1, ReportRefreshDate: "2026-11-20", LastActivityDate: strconv.Itoa(i / 2)}
	})
	if page != nil {
		page.Concealed = true
	}
	return page, err
}

func (d *directory) UsageCounts(_ context.Context, _ source.UsageQuery, link string) (*source.Page[*parleyv1.CopilotUsageCounts], error) {
	return dirPage(d, link, func(i int) *parleyv1.CopilotUsageCounts {
		return &parleyv1.CopilotUsageCounts{ReportRefreshDate: "2026-11-20", ReportDate: fmt.Sprintf("2026-%02d-%02d", i/28+1, i%28+1)}
	})
}

func (d *directory) Users(_ context.Context, _ source.UserQuery, link string) (*source.Page[*parleyv1.User], error) {
	page, err := dirPage(d, link, func(i int) *parleyv1.User {
		if i < d.nameless {
			return &parleyv1.User{DisplayName: strconv.Itoa(i)}
		}
		return &parleyv1.User{Name: fmt.Sprintf("users/%03d", i)}
	})
	if page != nil && d.skipped > 0 {
		page.Items = slices.DeleteFunc(page.Items, func(u *parleyv1.User) bool { return u.GetName() == fmt.Sprintf("users/%03d", d.skipped) })
		page.Rows = len(page.Items)
	}
	return page, err
}

func (d *directory) User(context.Context, string) (*parleyv1.User, error) {
	return nil, errors.New("not asked")
}

func (d *directory) UserID(context.Context, string) (string, error) {
	return "", errors.New("not asked")
}

func (d *directory) sources() query.Sources {
	return query.Sources{Conversations: d, Usage: d, Users: d}
}

type chats struct {
	names   []string
	tokens  []string
	after   []int
	notices []string
	summary *parleyv1.Summary
	last    time.Time
	longest time.Duration
}

func (c *chats) add(f *parleyv1.StreamConversationsResponse) error {
	for _, row := range f.GetBatch().GetConversations() {
		c.names = append(c.names, row.GetName()[len("users/u/conversations/"):])
	}
	if p := f.GetCheckpoint(); p != nil {
		c.tokens, c.after = append(c.tokens, p.GetResumeToken()), append(c.after, len(c.names))
	}
	if n := f.GetNotice(); n != nil {
		c.notices = append(c.notices, n.GetCode())
	}
	if f.GetSummary() != nil {
		c.summary = f.GetSummary()
	}
	if f.GetCheckpoint() != nil || f.GetSummary() != nil {
		c.longest = max(c.longest, time.Since(c.last))
		c.last = time.Now()
	}
	return nil
}

func numbers(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("%03d", i))
	}
	return list
}

func TestConversationsChain(t *testing.T) {
	t.Parallel()
	d := &directory{rows: 103, size: 20}
	e := newLister(t)
	req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
	all := &chats{}
	if err := e.StreamConversations(t.Context(), d.sources(), req, "", all.add); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(0, 103), all.names); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
	if !all.summary.GetComplete() || all.summary.GetSources()[0].GetCounts().GetEvents() != 103 || d.asked != 6 {
		t.Errorf("%d requests, summary %v", d.asked, all.summary)
	}
	for _, size := range []int{1, 5, 16, 53, 1000} {
		token, names := "", []string(nil)
		for {
			page, err := e.ListConversations(t.Context(), d.sources(), req, token, size)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page.GetConversations() {
				names = append(names, row.GetName()[len("users/u/conversations/"):])
			}
			if token = page.GetNextPageToken(); token == "" {
				if !page.GetComplete() || page.GetSources()[0].GetCounts().GetEvents() != 103 {
					t.Errorf("pages of %d: %v", size, page.GetSources())
				}
				break
			}
			if page.GetComplete() {
				t.Fatal("complete with a next page")
			}
			// Streams accept List tokens at every place.
			rest := &chats{}
			if err := e.StreamConversations(t.Context(), d.sources(), req, token, rest.add); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbers(len(names), 103), rest.names); diff != "" {
				t.Fatalf("pages of %d, resumed after %d (-want +got):\n%s", size, len(names), diff)
			}
		}
		if diff := cmp.Diff(numbers(0, 103), names); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
	over := &chats{}
	if err := e.StreamConversations(t.Context(), d.sources(), req, all.summary.GetResumeToken(), over.add); err != nil || len(over.names) > 0 || !over.summary.GetComplete() {
		t.Errorf("the last token: %v, %v, %v", over.names, over.summary, err)
	}
}

func TestFaultsOfAChainAreReported(t *testing.T) {
	t.Parallel()
	on := func(skip string, err error) func(int, string) (string, error) {
		return func(_ int, link string) (string, error) {
			if strings.HasSuffix(link, "="+skip) {
				return "", err
			}
			return "", nil
		}
	}
	once := func(skip string, err error) func(int, string) (string, error) {
		failed := false
		return func(_ int, link string) (string, error) {
			if strings.HasSuffix(link, "="+skip) && !failed {
				failed = true
				return "", err
			}
			return "", nil
		}
	}
	tests := []struct {
		name    string
		fault   func(int, string) (string, error)
		rows    int
		notices []string
		err     string
	}{
		{name: "sound", rows: 50},
		{name: "lost link", fault: once("40", fail(graph.KindBadRequest)), rows: 50, notices: []string{"RESTARTED"}},
		{name: "lost for good", fault: on("40", fail(graph.KindGone)), rows: 40, notices: []string{"RESTARTED", "GRAPH_REJECTED_REQUEST"}},
		{name: "refused link", fault: on("40", fail(graph.KindLinkRefused)), rows: 40, notices: []string{"GRAPH_LINK_REFUSED"}},
		{name: "loop", rows: 40, notices: []string{"PAGING_LOOP"}, fault: func(_ int, link string) (string, error) {
			if strings.HasSuffix(link, "=20") {
				return link, nil
			}
			return "", nil
		}},
		{name: "down", fault: on("40", fail(graph.KindUnavailable)), rows: 40, err: "GRAPH_UNAVAILABLE"},
		{name: "throttled", fault: on("20", fail(graph.KindThrottled)), rows: 20, err: "GRAPH_THROTTLED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := &directory{rows: 50, size: 20, fault: test.fault}
			e := newLister(t)
			req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
			got := &chats{}
			err := e.StreamConversations(t.Context(), d.sources(), req, "", got.add)
			if diff := cmp.Diff(numbers(0, test.rows), got.names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.notices, got.notices); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
			if test.err == "" {
				doubts := test.notices
				if len(doubts) > 0 && doubts[0] == "RESTARTED" {
					doubts = doubts[1:]
				}
				if err != nil || got.summary.GetComplete() != (len(doubts) == 0) || len(got.summary.GetSources()[0].GetGaps()) != len(doubts) {
					t.Errorf("%v, summary %v", err, got.summary)
				}
				return
			}
			checkFatal(t, err, test.err, nil)
			var broken *failure.StreamError
			if !errors.As(err, &broken) {
				t.Fatal("no token")
			}
			d.fault = nil
			rest := &chats{}
			if err := e.StreamConversations(t.Context(), d.sources(), req, broken.ResumeToken, rest.add); err != nil || !rest.summary.GetComplete() {
				t.Fatalf("resumed: %v, %v", rest.summary, err)
			}
			if diff := cmp.Diff(numbers(test.rows, 50), rest.names); diff != "" {
				t.Errorf("the rest (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAForgottenLinkBeginsTheChainAnew resumes with a link that Graph has forgotten.
func TestAForgottenLinkBeginsTheChainAnew(t *testing.T) {
	t.Parallel()
	for _, kind := range []graph.Kind{graph.KindBadRequest, graph.KindGone, graph.KindNotFound, graph.KindLinkRefused} {
		d := &directory{rows: 50, size: 20}
		e := newLister(t)
		req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
		page, err := e.ListConversations(t.Context(), d.sources(), req, "", 25)
		if err != nil {
			t.Fatal(err)
		}
		failed := false
		d.fault = func(_ int, link string) (string, error) {
			if link != "" && !failed {
				failed = true
				return "", fail(kind)
			}
			return "", nil
		}
		got := &chats{}
		if err := e.StreamConversations(t.Context(), d.sources(), req, page.GetNextPageToken(), got.add); err != nil {
			t.Fatalf("%v: %v", kind, err)
		}
		if diff := cmp.Diff(numbers(0, 50), got.names); diff != "" {
			t.Errorf("%v (-want +got):\n%s", kind, diff)
		}
		if diff := cmp.Diff([]string{"RESTARTED"}, got.notices); diff != "" || !got.summary.GetComplete() {
			t.Errorf("%v: %s, %v", kind, diff, got.summary)
		}
	}
}

func TestUsageAndUsers(t *testing.T) {
	t.Parallel()
	d := &directory{rows: 45, size: 20}
	e := newLister(t)
	rows, token := 0, ""
	for {
		page, err := e.ListCopilotUsage(t.Context(), d.sources(), query.Usage{Period: "D7"}, token, 7)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(page.GetRows())
		if page.GetReportRefreshDate() != "2026-11-20" || !page.GetIdentitiesConcealed() {
			t.Errorf("after %d rows: %q, %v", rows, page.GetReportRefreshDate(), page.GetIdentitiesConcealed())
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	streamed := 0
	err := e.StreamCopilotUsage(t.Context(), d.sources(), query.Usage{Period: "D7"}, "", func(f *parleyv1.StreamCopilotUsageResponse) error {
		streamed += len(f.GetBatch().GetRows())
		if f.GetBatch() != nil && !f.GetBatch().GetIdentitiesConcealed() {
			t.Error("a batch forgot the concealed names")
		}
		return nil
	})
	if err != nil || rows != 45 || streamed != 45 {
		t.Errorf("%d rows listed, %d streamed, want 45: %v", rows, streamed, err)
	}
	users, token := 0, ""
	for {
		page, err := e.ListUsers(t.Context(), d.sources(), query.Users{}, token, 0)
		if err != nil {
			t.Fatal(err)
		}
		users += len(page.GetUsers())
		if token = page.GetNextPageToken(); token == "" {
			if !page.GetComplete() {
				t.Errorf("not complete: %v", page.GetSources())
			}
			break
		}
	}
	if users != 45 {
		t.Errorf("%d users", users)
	}
	for name, err := range map[string]error{
		"conversations": second(e.ListConversations(t.Context(), d.sources(), query.Conversations{Filter: "a = = b"}, "", 0)),
		"usage":         second(e.ListCopilotUsage(t.Context(), d.sources(), query.Usage{Filter: "a = = b"}, "", 0)),
	} {
		var own *failure.Error
		if !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT || own.Field != "filter" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestChainHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &directory{rows: 50, size: 20, delay: time.Minute}
		e := newLister(t)
		got := &chats{last: time.Now()}
		req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
		if err := e.StreamConversations(t.Context(), d.sources(), req, "", got.add); err != nil {
			t.Fatal(err)
		}
		if got.longest > 15*time.Second || len(got.tokens) < 10 || len(got.names) != 50 {
			t.Errorf("%d rows, %d checkpoints, at most %v apart", len(got.names), len(got.tokens), got.longest)
		}
		for i, token := range got.tokens {
			d.delay = 0
			rest := &chats{}
			if err := e.StreamConversations(t.Context(), d.sources(), req, token, rest.add); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbers(got.after[i], 50), rest.names); diff != "" {
				t.Errorf("checkpoint %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

// TestEarlyFailureOfAChain resumes at a link that Graph has forgotten; the new beginning is refused.
func TestEarlyFailureOfAChain(t *testing.T) {
	t.Parallel()
	d := &directory{rows: 50, size: 20}
	e := newLister(t)
	req := query.Conversations{Caller: "c", Owner: "u", User: "u"}
	page, err := e.ListConversations(t.Context(), d.sources(), req, "", 25)
	if err != nil {
		t.Fatal(err)
	}
	d.fault = func(_ int, link string) (string, error) {
		if link != "" {
			return "", fail(graph.KindGone)
		}
		return "", fail(graph.KindForbidden)
	}
	frames := 0
	err = e.StreamConversations(t.Context(), d.sources(), req, page.GetNextPageToken(),
		func(*parleyv1.StreamConversationsResponse) error { frames++; return nil })
	checkFatal(t, err, "GRAPH_PERMISSION_MISSING", nil)
	if frames != 0 {
		t.Errorf("%d frames", frames)
	}
}
