package timeline_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

type page = source.Page[source.Item]

// march is an interval that lies in one window of every level from month up.
func march() (start, end time.Time) {
	return time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), time.Date(2025, 3, 23, 0, 0, 0, 0, time.UTC)
}

// skipOf is the place that a link of the fake Graph names.
func skipOf(link string) string { return link[strings.LastIndexByte(link, '=')+1:] }

// TestDoubtsBecomeGaps makes one chat source misbehave in every way that the contract names. Its 30 rows come in three pages of one
// window unless a case says otherwise.
func TestDoubtsBecomeGaps(t *testing.T) {
	t.Parallel()
	moved := map[time.Time][]source.Item{} // of one case only
	tests := []struct {
		name     string
		hook     func(n int, q source.EventQuery, link string, p *page) (*page, error)
		lost     int    // rows that cannot be delivered
		extra    int    // rows that are delivered beside the asked ones
		gap      string // reason of the gap; none when the answer is complete
		requests int    // all that may be sent
		size     int    // of a page, at least 10
		rows     int    // that Graph holds, at least 30
		dups     int64
	}{
		{name: "sound", requests: 3},
		{name: "link seen before", gap: "PAGING_LOOP", lost: 10, requests: 2, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link != "" {
				p.Next = link
			}
			return p, nil
		}},
		{name: "cycle of two", gap: "PAGING_LOOP", lost: 0, requests: 3, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=20") {
				p.Next = strings.TrimSuffix(link, "20") + "10"
			}
			return p, nil
		}},
		{name: "new links, same page", gap: "PAGING_LOOP", lost: 20, requests: 2, hook: func(n int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link != "" {
				return nil, errors.New("set below")
			}
			p.Next = fmt.Sprint("https://graph/x?n=", n)
			return p, nil
		}},
		{name: "same page, one row moved", gap: "PAGING_LOOP", lost: 10, requests: 3, hook: func(n int, q source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=20") {
				first := moved[q.Start]
				p.Items = append([]source.Item{outOfWindowItem(q.Start.AddDate(0, 0, -40), first[0].Key)}, first[1:]...)
			} else if n == 1 {
				moved[q.Start] = p.Items
			}
			return p, nil
		}},
		{name: "repeated rows", dups: 3, requests: 3, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link == "" {
				p.Items = append(slices.Clone(p.Items), p.Items[:3]...)
			}
			return p, nil
		}},
		{name: "empty pages with new links", requests: 5, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			switch {
			case link == "":
				return &page{Next: "https://graph/e?a=e", Requests: 1}, nil
			case skipOf(link) == "e":
				return &page{Next: "https://graph/e?a=0", Requests: 1}, nil
			}
			return p, nil
		}},
		{name: "refused link", gap: "GRAPH_LINK_REFUSED", lost: 10, requests: 3, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=20") {
				return nil, fail(graph.KindLinkRefused)
			}
			return p, nil
		}},
		{name: "broken page", gap: "GRAPH_UNAVAILABLE", lost: 20, requests: 2, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link != "" {
				return nil, fail(graph.KindMalformed)
			}
			return p, nil
		}},
		{name: "link rejected once", requests: 5, dups: 10, hook: func(n int, _ source.EventQuery, link string, p *page) (*page, error) {
			if n == 2 {
				return nil, fail(graph.KindBadRequest)
			}
			return p, nil
		}},
		{name: "link rejected twice", gap: "GRAPH_REJECTED_REQUEST", lost: 20, requests: 4, dups: 10, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link != "" {
				return nil, fail(graph.KindBadRequest)
			}
			return p, nil
		}},
		{name: "row just outside", requests: 3, hook: func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
			if link == "" {
				p.Items = append(slices.Clone(p.Items), outOfWindowItem(q.Start.Add(-900*time.Millisecond), "near"))
			}
			return p, nil
		}},
		{name: "row far outside", gap: "INTERVAL_NOT_HONOURED", extra: 1, requests: 3, hook: func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
			if link == "" {
				p.Items = append(slices.Clone(p.Items), outOfWindowItem(q.Start.Add(-2*time.Second), "far"))
			}
			return p, nil
		}},
		{name: "row without a time", extra: 1, requests: 3, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if link == "" {
				item := outOfWindowItem(time.Time{}, "timeless")
				item.NoTime = true
				item = changed(item, func(e *parleyv1.Event) { e.EventTime = nil })
				p.Items = append(slices.Clone(p.Items), item)
			}
			return p, nil
		}},
		{name: "short, then empty: halves agree", size: 12, requests: 8, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=24") {
				p.Next = "https://graph/end?s=1000"
			}
			return p, nil
		}},
		{name: "full, then empty", requests: 3, rows: 100, size: 50, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=50") {
				p.Next = "https://graph/end?s=1000"
			}
			return p, nil
		}},
		{name: "small pages, then empty", requests: 8, hook: func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
			if strings.HasSuffix(link, "=20") {
				p.Next = "https://graph/end?s=1000"
			}
			return p, nil
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start, end := march()
			g := &fakeGraph{src: chat, size: max(test.size, 10), rows: spread("m", max(test.rows, 30), start, end), hook: test.hook}
			if test.name == "new links, same page" {
				same := (*page)(nil)
				g.hook = func(n int, _ source.EventQuery, _ string, p *page) (*page, error) {
					if same == nil {
						same = p
					}
					again := *same
					again.Next = fmt.Sprint("https://graph/x?n=", n)
					return &again, nil
				}
			}
			e := newEngine(t, timeline.Config{})
			req := query.Events{Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
			r := stream(t, e, sources(g), req, "")
			if g.requests() != test.requests {
				t.Errorf("%d requests, want %d: %v", g.requests(), test.requests, g.asked)
			}
			if got, want := len(r.events), len(g.rows)-test.lost+test.extra; got != want {
				t.Errorf("%d events, want %d", got, want)
			}
			rep := report(r.summary.GetSources(), chat)
			if got := r.summary.GetComplete(); got != (test.gap == "") {
				t.Errorf("complete = %v: %v", got, rep)
			}
			if rep.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
				t.Errorf("state %v", rep.GetState())
			}
			if rep.GetCounts().GetDuplicates() != test.dups {
				t.Errorf("%d duplicates, want %d", rep.GetCounts().GetDuplicates(), test.dups)
			}
			if test.gap == "" {
				if len(rep.GetGaps()) > 0 || len(r.notices) > 0 {
					t.Errorf("gaps %v, notices %v", rep.GetGaps(), r.notices)
				}
				return
			}
			if notFound(rep.GetGaps(), test.gap) || len(rep.GetGaps()) != 1 {
				t.Errorf("gaps %v, want %s", rep.GetGaps(), test.gap)
			}
			if len(r.notices) != 1 || r.notices[0].GetCode() != test.gap || r.notices[0].GetSource() != chat {
				t.Errorf("notices %v, want %s", r.notices, test.gap)
			}
			if diff := cmp.Diff(r.notices[0].GetCode(), r.summary.GetNotices()[0].GetCode()); diff != "" {
				t.Error(diff)
			}
			for _, event := range r.events {
				if far := event.GetSource().GetId() == "far"; far != event.GetOutOfWindow() {
					t.Errorf("%s: out_of_window = %v", event.GetUid(), event.GetOutOfWindow())
				}
			}
		})
	}
}

func outOfWindowItem(at time.Time, id string) source.Item {
	g := &fakeGraph{src: chat}
	return g.item(source.EventQuery{}, row{at: at, id: id, version: 1})
}

// TestTruncatedChainIsMended checks that a chain that Graph ended too early is found and mended, also where all of its pages are smaller
// than was asked for.
func TestTruncatedChainIsMended(t *testing.T) {
	t.Parallel()
	for _, left := range []int{4, 10} {
		t.Run(strconv.Itoa(left), func(t *testing.T) {
			t.Parallel()
			testTruncatedChain(t, left)
		})
	}
}

func testTruncatedChain(t *testing.T, left int) {
	t.Helper()
	start, end := march()
	whole := end.Sub(start)
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, start, end)}
	g.hook = func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
		if q.End.Sub(q.Start) < whole {
			return p, nil
		}
		switch skipOf(link + "=") {
		default:
			return p, nil
		case "":
		}
		if link == "" {
			return p, nil
		}
		if strings.HasSuffix(link, "=10") {
			return &page{Items: p.Items[:left], Rows: left, Requests: 1, Next: "https://graph/end?s=1000"}, nil
		}
		return &page{Requests: 1}, nil
	}
	e := newEngine(t, timeline.Config{})
	r := stream(t, e, sources(g), query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}, "")
	if diff := cmp.Diff(want(start, end, false, g), ids(r.events)); diff != "" {
		t.Errorf("the halves were not taken over (-want +got):\n%s", diff)
	}
	if r.summary.GetComplete() || notFound(report(r.summary.GetSources(), chat).GetGaps(), "SUSPECTED_TRUNCATION") {
		t.Errorf("no doubt: %v", r.summary)
	}
}

// TestReadingGoesOnAfterABrokenWindow checks that the windows behind a broken one are read, in streams and Lists alike.
func TestReadingGoesOnAfterABrokenWindow(t *testing.T) {
	t.Parallel()
	start, end := march()
	broken := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 400, start, end)}
	g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		if q.Start.Equal(broken) && q.End.Sub(q.Start) <= 24*time.Hour {
			return nil, fail(graph.KindUnavailable)
		}
		return p, nil
	}
	var kept []string
	for _, id := range want(start, end, false, g) {
		i := slices.IndexFunc(g.rows, func(r row) bool { return strings.HasSuffix(id, r.id+"@1") })
		if at := g.rows[i].at; at.Before(broken) || !at.Before(broken.Add(24*time.Hour)) {
			kept = append(kept, id)
		}
	}
	e := newEngine(t, timeline.Config{})
	req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
	r := stream(t, e, sources(g), req, "")
	if diff := cmp.Diff(kept, ids(r.events)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
	rep := report(r.summary.GetSources(), chat)
	if len(rep.GetGaps()) != 1 || !rep.GetGaps()[0].GetInterval().GetStartTime().AsTime().Equal(broken) {
		t.Errorf("gaps %v", rep.GetGaps())
	}
	if diff := cmp.Diff([]string{"req-unavailable"}, rep.GetFailedRequestIds()); diff != "" {
		t.Error(diff)
	}
	events, last := listAll(t, e, sources(g), req, 53)
	if diff := cmp.Diff(kept, ids(events)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if last.GetComplete() || len(last.GetSources()[0].GetGaps()) != 1 {
		t.Errorf("the last page forgot the gap: %v", last.GetSources())
	}
}

func TestErrorsOfGraphBecomeStatesOfTheSource(t *testing.T) {
	t.Parallel()
	unlicensed := &graph.Error{Kind: graph.KindUserRefused, Status: 403, Code: "Forbidden", RequestID: "r1"}
	roles := &graph.Error{Kind: graph.KindForbidden, Status: 403, Code: "Forbidden", Roles: []string{"Chat.Read.All"}}
	tests := []struct {
		name   string
		src    parleyv1.Source
		err    error
		state  parleyv1.SourceState
		reason string
	}{
		{"no licence, says nobody", copilot, unlicensed, parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, "USER_NOT_LICENSED"},
		{"no role for copilot", copilot, roles, parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, "GRAPH_PERMISSION_MISSING"},
		{"no role for chats", chat, roles, parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, "GRAPH_PERMISSION_MISSING"},
		{"no licence", chat, fail(graph.KindUserNotLicensed), parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, "USER_NOT_LICENSED"},
		{"no licence of the tenant", chat, fail(graph.KindTenantNotLicensed), parleyv1.SourceState_SOURCE_STATE_FAILED, "TENANT_NOT_LICENSED"},
		{"403 without a reason", chat, fail(graph.KindRefused), parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, "GRAPH_PERMISSION_MISSING"},
		{"no consent", chat, fail(graph.KindConsent), parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, "CONSENT_REQUIRED"},
		{"signed out", chat, fail(graph.KindSignIn), parleyv1.SourceState_SOURCE_STATE_FAILED, "SIGN_IN_REQUIRED"},
		{"no login service", chat, fail(graph.KindLoginUnavailable), parleyv1.SourceState_SOURCE_STATE_FAILED, "GRAPH_UNAVAILABLE"},
		{"throttled", chat, fail(graph.KindThrottled), parleyv1.SourceState_SOURCE_STATE_THROTTLED, "GRAPH_THROTTLED"},
		{"down", chat, fail(graph.KindUnavailable), parleyv1.SourceState_SOURCE_STATE_FAILED, "GRAPH_UNAVAILABLE"},
		{"payment", chat, fail(graph.KindPaymentRequired), parleyv1.SourceState_SOURCE_STATE_FAILED, "PAYMENT_REQUIRED"},
		{"credential", chat, fail(graph.KindCredential), parleyv1.SourceState_SOURCE_STATE_FAILED, "GRAPH_CREDENTIAL_REJECTED"},
		{"unknown user", chat, fail(graph.KindNotFound), parleyv1.SourceState_SOURCE_STATE_FAILED, "NOT_FOUND"},
		{"rejected", chat, fail(graph.KindBadRequest), parleyv1.SourceState_SOURCE_STATE_FAILED, "GRAPH_REJECTED_REQUEST"},
		{"not Graph's", chat, errors.New("lower floor"), parleyv1.SourceState_SOURCE_STATE_FAILED, "SOURCE_FAILED"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start, end := base()
			bad := &fakeGraph{src: test.src, hook: func(int, source.EventQuery, string, *page) (*page, error) { return nil, test.err }}
			good := &fakeGraph{src: call, size: 10, rows: spread("c", 25, start, end)}
			e := newEngine(t, timeline.Config{})
			req := query.Events{User: "u", Sources: []parleyv1.Source{test.src, call}, Start: start, End: end}
			r := stream(t, e, sources(bad, good), req, "")
			if len(r.events) != 25 || r.summary.GetComplete() {
				t.Errorf("%d events, complete %v", len(r.events), r.summary.GetComplete())
			}
			rep := report(r.summary.GetSources(), test.src)
			if rep.GetState() != test.state || rep.GetReason() != test.reason || rep.GetSettledUntil() != nil {
				t.Errorf("report %v", rep)
			}
			if notFound(rep.GetGaps(), test.reason) {
				t.Errorf("gaps %v", rep.GetGaps())
			}
			if ok := report(r.summary.GetSources(), call); ok.GetState() != parleyv1.SourceState_SOURCE_STATE_READ || len(ok.GetGaps()) > 0 {
				t.Errorf("the other source suffers: %v", ok)
			}
			asked := bad.requests()
			if resumed := stream(t, e, sources(bad, good), req, r.tokens[0]); resumed.summary.GetComplete() || bad.requests() > asked+1 {
				t.Errorf("resumed: %v, %d more requests", resumed.summary, bad.requests()-asked)
			}

			// Alone, its failure is the call's, in both methods.
			req.Sources = req.Sources[:1]
			_, err := e.ListEvents(t.Context(), sources(bad), req, "", 10)
			checkFatal(t, err, test.reason, test.err)
			err = e.StreamEvents(t.Context(), sources(bad), req, "", func(*parleyv1.StreamEventsResponse) error {
				t.Error("a frame before the failure")
				return nil
			})
			checkFatal(t, err, test.reason, test.err)
		})
	}
}

func checkFatal(t *testing.T, err error, reason string, cause error) {
	t.Helper()
	var own *failure.Error
	if !errors.As(err, &own) || reasons.Text(own.Reason) != reason || cause != nil && !errors.Is(err, cause) {
		t.Errorf("error %v, want %s with %v inside", err, reason, cause)
	}
}

// TestFailureInMidStreamIsResumed checks that what was read is delivered, that a lasting outage ends the call with a token, and
// that the token delivers the rest once Graph is back.
func TestFailureInMidStreamIsResumed(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 400, start, end)}
	down := true
	g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		if down && q.End.Sub(q.Start) <= 24*time.Hour && q.Start.After(start.AddDate(0, 0, 8)) {
			return nil, fail(graph.KindThrottled)
		}
		return p, nil
	}
	e := newEngine(t, timeline.Config{})
	req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
	r := &result{}
	err := e.StreamEvents(t.Context(), sources(g), req, "", r.add)
	var broken *failure.StreamError
	if !errors.As(err, &broken) || broken.ResumeToken != r.tokens[len(r.tokens)-1] {
		t.Fatalf("error %v without the last token", err)
	}
	checkFatal(t, err, "GRAPH_THROTTLED", nil)
	down = false
	rest := stream(t, e, sources(g), req, broken.ResumeToken)
	if diff := cmp.Diff(want(start, end, false, g), append(ids(r.events), ids(rest.events)...)); diff != "" {
		t.Errorf("both parts (-want +got):\n%s", diff)
	}
	if len(r.events) == 0 || !rest.summary.GetComplete() {
		t.Errorf("%d events before the failure; after it %v", len(r.events), rest.summary)
	}
}

func TestUnavailableSourcesAreReportedAndNotRead(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &fakeGraph{src: call, size: 10, rows: spread("c", 5, start, end)}
	e := newEngine(t, timeline.Config{})
	req := query.Events{
		User: "u", Start: start, End: end,
		Unavailable: map[parleyv1.Source]parleyv1.SourceState{copilot: parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD},
	}
	r := stream(t, e, sources(g), req, "")
	rep := report(r.summary.GetSources(), copilot)
	if r.summary.GetComplete() || rep.GetState() != parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD || rep.GetReason() != "SOURCE_NOT_IN_CLOUD" {
		t.Errorf("summary %v", r.summary)
	}
	req.Sources = []parleyv1.Source{copilot}
	_, err := e.ListEvents(t.Context(), sources(g), req, "", 10)
	checkFatal(t, err, "SOURCE_NOT_IN_CLOUD", nil)
}

func TestStartBeforeWhatIsKeptIsAGap(t *testing.T) {
	t.Parallel()
	_, end := base()
	g := &fakeGraph{src: call, size: 10, rows: spread("c", 5, end.AddDate(0, 0, -5), end)}
	e := newEngine(t, timeline.Config{})
	req := query.Events{Owner: "-", Start: end.AddDate(0, 0, -60), End: end}
	r := stream(t, e, sources(g), req, "")
	rep := report(r.summary.GetSources(), call)
	if r.summary.GetComplete() || notFound(rep.GetGaps(), "START_BEFORE_KEPT") || len(r.events) != 5 || len(r.notices) != 1 {
		t.Errorf("%d events, notices %v, summary %v", len(r.events), r.notices, r.summary)
	}
	req.Start = time.Time{}
	if r := stream(t, e, sources(g), req, ""); !r.summary.GetComplete() {
		t.Errorf("without a start: %v", r.summary)
	}
	page, err := e.ListEvents(t.Context(), sources(g), query.Events{Owner: "-", Start: end.AddDate(0, 0, -60), End: end.AddDate(0, 0, -50)}, "", 10)
	if err != nil || page.GetComplete() || len(page.GetNotices()) != 1 {
		t.Errorf("wholly before what is kept: %v, %v", page, err)
	}
}
