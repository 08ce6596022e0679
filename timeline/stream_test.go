package timeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

func chatRequest() query.Events {
	start, end := march()
	return query.Events{Caller: "c", Tenant: "t", Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
}

func TestTokensOpenForTheirRequestAlone(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, start, end)}
	other := &fakeGraph{src: copilot, size: 10}
	key := []byte("0123456789abcdef0123456789abcdef")
	engine := func() *timeline.Engine {
		k, err := seal.New(key)
		if err != nil {
			t.Fatal(err)
		}
		return newEngine(t, timeline.Config{Sealer: k})
	}
	first, err := engine().ListEvents(t.Context(), sources(g, other), chatRequest(), "", 12)
	if err != nil {
		t.Fatal(err)
	}
	token := first.GetNextPageToken()
	// Another replica with the same key goes on, with another page size.
	if next, err := engine().ListEvents(t.Context(), sources(g, other), chatRequest(), token, 7); err != nil || len(next.GetEvents()) != 7 {
		t.Fatalf("another replica: %v", err)
	}
	changes := map[string]func(*query.Events){
		"caller":       func(r *query.Events) { r.Caller = "x" },
		"tenant":       func(r *query.Events) { r.Tenant = "x" },
		"owner":        func(r *query.Events) { r.Owner = "x" },
		"user":         func(r *query.Events) { r.User = "x" },
		"conversation": func(r *query.Events) { r.Conversation = "x" },
		"sources":      func(r *query.Events) { r.Sources = []parleyv1.Source{copilot} },
		"more sources": func(r *query.Events) { r.Sources = []parleyv1.Source{copilot, chat} },
		"start":        func(r *query.Events) { r.Start = r.Start.Add(1) },
		"no start":     func(r *query.Events) { r.Start = time.Time{} },
		"end":          func(r *query.Events) { r.End = r.End.Add(1) },
		"no end":       func(r *query.Events) { r.End = time.Time{} },
		"order":        func(r *query.Events) { r.OrderBy = query.EventTimeDesc },
		"view":         func(r *query.Events) { r.View = parleyv1.EventView_EVENT_VIEW_METADATA },
		"bound to":     func(r *query.Events) { r.BoundTo = "x" },
	}
	check := func(name, field string, err error) {
		t.Helper()
		var own *failure.Error
		if !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED || own.Field != field {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range changes {
		req := chatRequest()
		change(&req)
		_, err := engine().ListEvents(t.Context(), sources(g, other), req, token, 12)
		check(name, "page_token", err)
		check(name, "resume_token", engine().StreamEvents(t.Context(), sources(g, other), req, token, nil))
	}
	req := chatRequest()
	for name, bad := range map[string]string{"tampered": token[:20] + string(token[20]^1) + token[21:], "cut": token[:30], "garbage": "?", "long": strings.Repeat("a", 20000)} {
		_, err := engine().ListEvents(t.Context(), sources(g), req, bad, 12)
		check(name, "page_token", err)
	}
	_, err = newEngine(t, timeline.Config{}).ListEvents(t.Context(), sources(g), req, token, 12)
	check("another key", "page_token", err)
	_, err = engine().ListConversations(t.Context(), query.Sources{}, query.Conversations{Caller: "c", Tenant: "t", Owner: "u", User: "u"}, token, 12)
	check("another method", "page_token", err)
	// The view's default and its name are one request.
	req.View = parleyv1.EventView_EVENT_VIEW_BASIC
	if _, err := engine().ListEvents(t.Context(), sources(g), req, token, 12); err != nil {
		t.Errorf("explicit default view: %v", err)
	}
}

func TestBadRequestsNameTheFieldAndNeverReachGraph(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := []struct {
		field string
		req   query.Events
		size  int
	}{
		{"page_size", query.Events{}, -1},
		{"start_time", query.Events{Start: now.Add(time.Hour)}, 0},
		{"end_time", query.Events{Start: now.Add(-time.Hour), End: now.Add(-time.Hour)}, 0},
		{"end_time", query.Events{Start: now.Add(-time.Hour), End: now.Add(-2 * time.Hour)}, 0},
		{"filter", query.Events{Filter: "colour = ="}, 0},
		{"order_by", query.Events{OrderBy: 9}, 0},
		{"order_by", query.Events{OrderBy: query.CreateTimeDesc}, 0},
		{"sources", query.Events{Owner: "-", Sources: []parleyv1.Source{chat}}, 0},
		{"sources", query.Events{Conversation: "x", Sources: []parleyv1.Source{call}}, 0},
		{"sources", query.Events{Sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}}, 0},
		{"sources", query.Events{Sources: []parleyv1.Source{copilot}}, 0},
	}
	g := &fakeGraph{src: chat}
	e := newEngine(t, timeline.Config{})
	for _, test := range tests {
		_, err := e.ListEvents(t.Context(), sources(g), test.req, "", test.size)
		var own *failure.Error
		if !errors.As(err, &own) || own.Reason != parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT || own.Field != test.field {
			t.Errorf("%+v: %v, want field %s", test.req, err, test.field)
		}
	}
	if g.requests() != 0 {
		t.Error("a bad request reached Graph")
	}
}

func TestEndIsCutToNowAndPinned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(10 * 365 * 24 * time.Hour) // the bubble begins in 2000
		time.Sleep(10 * 365 * 24 * time.Hour)
		now := time.Now().UTC()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, now.Add(-15*time.Hour), now.Add(15*time.Hour))}
		e := newEngine(t, timeline.Config{})
		req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: now.Add(-24 * time.Hour), End: now.Add(24 * time.Hour)}
		r := stream(t, e, sources(g), req, "")
		if len(r.events) != 15 || !r.summary.GetComplete() || len(r.notices) != 1 || r.notices[0].GetCode() != "END_CUT_TO_NOW" {
			t.Errorf("end in the future: %d events, notices %v", len(r.events), r.notices)
		}
		rep := report(r.summary.GetSources(), chat)
		if got, want := rep.GetSettledUntil().AsTime(), now.Add(-15*time.Minute); !got.Equal(want) {
			t.Errorf("settled until %v, want %v", got, want)
		}
		if got := rep.GetCovered(); !got.GetStartTime().AsTime().Equal(req.Start) || !got.GetEndTime().AsTime().Equal(now) {
			t.Errorf("covered %v", got)
		}

		// The end is pinned by the first page; the last token goes on with what has come since.
		req.End = time.Time{}
		first, err := e.ListEvents(t.Context(), sources(g), req, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(first.GetNotices()) != 0 {
			t.Errorf("notices %v", first.GetNotices())
		}
		time.Sleep(5 * time.Hour)
		r = stream(t, e, sources(g), req, first.GetNextPageToken())
		if len(r.events) != 5 || !r.summary.GetComplete() {
			t.Errorf("%d events behind the first page, want 5", len(r.events))
		}
		if !e.Finished(sources(g), req, r.summary.GetResumeToken()) || e.Finished(sources(g), req, first.GetNextPageToken()) || e.Finished(sources(g), req, "x") {
			t.Error("Finished is wrong")
		}
		more := stream(t, e, sources(g), req, r.summary.GetResumeToken())
		if len(more.events) != 5 || !more.summary.GetComplete() {
			t.Errorf("%d events have come since, want 5", len(more.events))
		}
		if got := report(more.summary.GetSources(), chat).GetCounts().GetEvents(); got != 20 {
			t.Errorf("%d events counted since the first page, want 20", got)
		}
		req.End = now
		r = stream(t, e, sources(g), req, "")
		if more := stream(t, e, sources(g), req, r.summary.GetResumeToken()); len(more.events) != 0 || !more.summary.GetComplete() {
			t.Errorf("a finished walk with an end delivered %d more", len(more.events))
		}
	})
}

func TestCheckpointsComeWithTheHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 60, start, end), delay: 47 * time.Second}
		e := newEngine(t, timeline.Config{})
		last, longest := time.Now(), time.Duration(0)
		r := &result{}
		err := e.StreamEvents(t.Context(), sources(g), chatRequest(), "", func(f *parleyv1.StreamEventsResponse) error {
			if f.GetCheckpoint() != nil || f.GetSummary() != nil {
				longest = max(longest, time.Since(last))
				last = time.Now()
			}
			return r.add(f)
		})
		if err != nil || !r.summary.GetComplete() || len(r.events) != 60 {
			t.Fatalf("%d events, %v", len(r.events), err)
		}
		if longest > 15*time.Second || len(r.tokens) < 10 {
			t.Errorf("%d checkpoints, at most %v apart", len(r.tokens), longest)
		}
	})
}

func TestListAnswersBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 400, start, end), delay: 2 * time.Second}
		e := newEngine(t, timeline.Config{})
		for name, limit := range map[string]time.Duration{"own": 0, "caller's": 25 * time.Second} {
			ctx, want := t.Context(), 20*time.Second
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				t.Cleanup(cancel)
				want = limit
			}
			began := time.Now()
			page, err := e.ListEvents(ctx, sources(g), chatRequest(), "", 1000)
			if took := time.Since(began); err != nil || took > want || took < want-3*time.Second {
				t.Fatalf("%s deadline: %v after %v", name, err, took)
			}
			if len(page.GetEvents()) == 0 || page.GetNextPageToken() == "" || page.GetComplete() || len(page.GetSources()[0].GetGaps()) > 0 {
				t.Errorf("%s deadline: %d events, complete %v, %v", name, len(page.GetEvents()), page.GetComplete(), page.GetSources())
			}
			g.delay = 0
			rest := stream(t, e, sources(g), chatRequest(), page.GetNextPageToken())
			g.delay = 2 * time.Second
			if diff := cmp.Diff(wantAll(g), append(ids(page.GetEvents()), ids(rest.events)...)); diff != "" {
				t.Errorf("%s deadline: the rest (-want +got):\n%s", name, diff)
			}
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.ListEvents(canceled, sources(g), chatRequest(), "", 10); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled list: %v", err)
		}
	})
}

func wantAll(g *fakeGraph) []string {
	start, end := march()
	return want(start, end, false, g)
}

func TestThrottledListEndsItsPage(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 400, start, end)}
	limit := start.AddDate(0, 0, 5)
	g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		if q.End.Sub(q.Start) <= 24*time.Hour && !q.Start.Before(limit) {
			return nil, fail(graph.KindThrottled)
		}
		return p, nil
	}
	e := newEngine(t, timeline.Config{})
	one, err := e.ListEvents(t.Context(), sources(g), chatRequest(), "", 1000)
	if err != nil || len(one.GetEvents()) != 100 || one.GetNextPageToken() == "" {
		t.Fatalf("%d events, %v", len(one.GetEvents()), err)
	}
	_, err = e.ListEvents(t.Context(), sources(g), chatRequest(), one.GetNextPageToken(), 1000)
	checkFatal(t, err, "GRAPH_THROTTLED", nil)
	limit = end
	two, err := e.ListEvents(t.Context(), sources(g), chatRequest(), one.GetNextPageToken(), 1000)
	if err != nil || !two.GetComplete() {
		t.Fatalf("after the throttle: %v, %v", two.GetSources(), err)
	}
	if diff := cmp.Diff(wantAll(g), append(ids(one.GetEvents()), ids(two.GetEvents())...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOptInSourcesAreReadOnlyWhenNamed: a source that is read on request is read only when it is named, and not together with the one whose events it has.
func TestOptInSourcesAreReadOnlyWhenNamed(t *testing.T) {
	t.Parallel()
	const retained = parleyv1.Source_SOURCE_RETAINED_CHAT
	messages, copies := &fakeGraph{src: chat}, &fakeGraph{src: retained}
	e := newEngine(t, timeline.Config{})
	read := func(named ...parleyv1.Source) error {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err := e.ListEvents(t.Context(), sources(messages, copies), query.Events{Owner: "u", User: "u", Start: start, End: start.Add(time.Hour), Sources: named}, "", 0)
		return err
	}
	if err := read(); err != nil || messages.requests() == 0 || copies.requests() != 0 {
		t.Errorf("no source named: %v, %d requests for messages, %d for copies", err, messages.requests(), copies.requests())
	}
	before := messages.requests()
	if err := read(retained); err != nil || messages.requests() != before || copies.requests() == 0 {
		t.Errorf("copies named: %v, %d requests for messages, %d for copies", err, messages.requests()-before, copies.requests())
	}
	var own *failure.Error
	if err := read(chat, retained); !errors.As(err, &own) || own.Field != "sources" {
		t.Errorf("both named: %v", err)
	}
}
