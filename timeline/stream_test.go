package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/seal"
)

func chatRequest() timeline.EventsRequest {
	start, end := march()
	return timeline.EventsRequest{Caller: "c", Tenant: "t", Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &graph{src: chat, size: 10, rows: spread("m", 30, start, end)}
	other := &graph{src: copilot, size: 10}
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
	changes := map[string]func(*timeline.EventsRequest){
		"caller":       func(r *timeline.EventsRequest) { r.Caller = "x" },
		"tenant":       func(r *timeline.EventsRequest) { r.Tenant = "x" },
		"owner":        func(r *timeline.EventsRequest) { r.Owner = "x" },
		"user":         func(r *timeline.EventsRequest) { r.User = "x" },
		"conversation": func(r *timeline.EventsRequest) { r.Conversation = "x" },
		"sources":      func(r *timeline.EventsRequest) { r.Sources = []parleyv1.Source{copilot} },
		"more sources": func(r *timeline.EventsRequest) { r.Sources = []parleyv1.Source{copilot, chat} },
		"start":        func(r *timeline.EventsRequest) { r.Start = r.Start.Add(1) },
		"no start":     func(r *timeline.EventsRequest) { r.Start = time.Time{} },
		"end":          func(r *timeline.EventsRequest) { r.End = r.End.Add(1) },
		"no end":       func(r *timeline.EventsRequest) { r.End = time.Time{} },
		"order":        func(r *timeline.EventsRequest) { r.OrderBy = timeline.EventTimeDesc },
		"view":         func(r *timeline.EventsRequest) { r.View = parleyv1.EventView_EVENT_VIEW_METADATA },
		"fingerprint":  func(r *timeline.EventsRequest) { r.Fingerprint = "x" },
	}
	check := func(name, field string, err error) {
		t.Helper()
		var own *timeline.Error
		if !errors.As(err, &own) || own.Reason != timeline.ReasonTokenRefused || own.Field != field {
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
	for name, bad := range map[string]string{"tampered": token[:20] + "x" + token[21:], "cut": token[:30], "garbage": "?", "long": strings.Repeat("a", 20000)} {
		_, err := engine().ListEvents(t.Context(), sources(g), req, bad, 12)
		check(name, "page_token", err)
	}
	_, err = newEngine(t, timeline.Config{}).ListEvents(t.Context(), sources(g), req, token, 12)
	check("another key", "page_token", err)
	_, err = engine().ListConversations(t.Context(), timeline.Sources{}, timeline.ConversationsRequest{Caller: "c", Tenant: "t", Owner: "u", User: "u"}, token, 12)
	check("another method", "page_token", err)
	// The view's default and its name are one request.
	req.View = parleyv1.EventView_EVENT_VIEW_BASIC
	if _, err := engine().ListEvents(t.Context(), sources(g), req, token, 12); err != nil {
		t.Errorf("explicit default view: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := []struct {
		field string
		req   timeline.EventsRequest
		size  int
	}{
		{"page_size", timeline.EventsRequest{}, -1},
		{"start_time", timeline.EventsRequest{Start: now.Add(time.Hour)}, 0},
		{"end_time", timeline.EventsRequest{Start: now.Add(-time.Hour), End: now.Add(-time.Hour)}, 0},
		{"end_time", timeline.EventsRequest{Start: now.Add(-time.Hour), End: now.Add(-2 * time.Hour)}, 0},
		{"filter", timeline.EventsRequest{Filter: "colour = ="}, 0},
		{"order_by", timeline.EventsRequest{OrderBy: 9}, 0},
		{"order_by", timeline.EventsRequest{OrderBy: timeline.CreateTimeDesc}, 0},
		{"sources", timeline.EventsRequest{Owner: "-", Sources: []parleyv1.Source{chat}}, 0},
		{"sources", timeline.EventsRequest{Conversation: "x", Sources: []parleyv1.Source{call}}, 0},
		{"sources", timeline.EventsRequest{Sources: []parleyv1.Source{parleyv1.Source_SOURCE_USER}}, 0},
		{"sources", timeline.EventsRequest{Sources: []parleyv1.Source{copilot}}, 0},
	}
	g := &graph{src: chat}
	e := newEngine(t, timeline.Config{})
	for _, test := range tests {
		_, err := e.ListEvents(t.Context(), sources(g), test.req, "", test.size)
		var own *timeline.Error
		if !errors.As(err, &own) || own.Reason != timeline.ReasonInvalidArgument || own.Field != test.field {
			t.Errorf("%+v: %v, want field %s", test.req, err, test.field)
		}
	}
	if g.requests() != 0 {
		t.Error("a bad request reached Graph")
	}
}

func TestInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(10 * 365 * 24 * time.Hour) // the bubble begins in 2000
		time.Sleep(10 * 365 * 24 * time.Hour)
		now := time.Now().UTC()
		g := &graph{src: chat, size: 10, rows: spread("m", 30, now.Add(-15*time.Hour), now.Add(15*time.Hour))}
		e := newEngine(t, timeline.Config{})
		req := timeline.EventsRequest{User: "u", Sources: []parleyv1.Source{chat}, Start: now.Add(-24 * time.Hour), End: now.Add(24 * time.Hour)}
		r := stream(t, e, sources(g), req, "")
		if len(r.events) != 15 || !r.summary.GetComplete() || len(r.notices) != 1 || r.notices[0].GetCode() != timeline.NoticeEndCut {
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

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &graph{src: chat, size: 10, rows: spread("m", 60, start, end), delay: 47 * time.Second}
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

func TestListDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &graph{src: chat, size: 10, rows: spread("m", 400, start, end), delay: 2 * time.Second}
		e := newEngine(t, timeline.Config{})
		for name, limit := range map[string]time.Duration{"own": 0, "caller's": 25 * time.Second} {
			ctx, want := t.Context(), 20*time.Second
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
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

func wantAll(g *graph) []string {
	start, end := march()
	return want(start, end, false, g)
}

func TestThrottledListEndsItsPage(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &graph{src: chat, size: 10, rows: spread("m", 400, start, end)}
	limit := start.AddDate(0, 0, 5)
	g.hook = func(_ int, q source.EventQuery, _ string, p *page) (*page, error) {
		if q.End.Sub(q.Start) <= 24*time.Hour && !q.Start.Before(limit) {
			return nil, fail(graphclient.KindThrottled)
		}
		return p, nil
	}
	e := newEngine(t, timeline.Config{})
	one, err := e.ListEvents(t.Context(), sources(g), chatRequest(), "", 1000)
	if err != nil || len(one.GetEvents()) != 100 || one.GetNextPageToken() == "" {
		t.Fatalf("%d events, %v", len(one.GetEvents()), err)
	}
	_, err = e.ListEvents(t.Context(), sources(g), chatRequest(), one.GetNextPageToken(), 1000)
	checkFatal(t, err, timeline.ReasonThrottled, nil)
	limit = end
	two, err := e.ListEvents(t.Context(), sources(g), chatRequest(), one.GetNextPageToken(), 1000)
	if err != nil || !two.GetComplete() {
		t.Fatalf("after the throttle: %v, %v", two.GetSources(), err)
	}
	if diff := cmp.Diff(wantAll(g), append(ids(one.GetEvents()), ids(two.GetEvents())...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCancelStopsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &graph{src: chat, size: 10, rows: spread("m", 4000, start, end), delay: time.Second}
		e := newEngine(t, timeline.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Time{}
		r := &result{}
		err := e.StreamEvents(ctx, sources(g), chatRequest(), "", func(f *parleyv1.StreamEventsResponse) error {
			if f.GetBatch() != nil && began.IsZero() {
				began = time.Now()
				cancel()
			}
			return r.add(f)
		})
		var broken *timeline.StreamError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &broken) || broken.ResumeToken == "" {
			t.Errorf("error %v", err)
		}
		if time.Since(began) > 0 {
			t.Errorf("the cancelled stream took %v to end", time.Since(began))
		}
		asked := g.requests()
		time.Sleep(time.Minute)
		if g.requests() != asked {
			t.Error("requests after the cancellation")
		}
		broke := errors.New("reader is gone")
		if err := e.StreamEvents(t.Context(), sources(g), chatRequest(), "", func(*parleyv1.StreamEventsResponse) error { return broke }); !errors.Is(err, broke) {
			t.Errorf("emit's error came back as %v", err)
		}
	})
}

// TestSlowReader checks that reading stops with the reader.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &graph{src: chat, size: 10, rows: spread("m", 20000, start, end)}
		for i := range g.rows {
			g.rows[i].body = strings.Repeat("x", 2000)
		}
		e := newEngine(t, timeline.Config{AheadRows: 500})
		stalled := 0
		r := &result{}
		err := e.StreamEvents(t.Context(), sources(g), chatRequest(), "", func(f *parleyv1.StreamEventsResponse) error {
			if f.GetBatch() != nil && stalled == 0 {
				time.Sleep(time.Hour)
				stalled = g.requests()
			}
			return r.add(f)
		})
		if err != nil || len(r.events) != 20000 {
			t.Fatalf("%d events, %v", len(r.events), err)
		}
		if stalled > 350 {
			t.Errorf("%d requests while the reader slept", stalled)
		}
	})
}

func TestFrames(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &graph{src: chat, size: 50, rows: spread("m", 60, start, end)}
	for i := range g.rows {
		g.rows[i].body = strings.Repeat("x", 100<<10)
	}
	g.rows[30].body = strings.Repeat("é", 3<<20) // 6 MiB
	e := newEngine(t, timeline.Config{})
	var sizes []int
	r := &result{}
	err := e.StreamEvents(t.Context(), sources(g), chatRequest(), "", func(f *parleyv1.StreamEventsResponse) error {
		if f.GetBatch() != nil {
			sizes = append(sizes, proto.Size(f))
		}
		return r.add(f)
	})
	if err != nil {
		t.Fatal(err)
	}
	small := 0
	for _, size := range sizes {
		if size > 3<<20 {
			t.Errorf("a frame of %d bytes", size)
		}
		if size < 256<<10 {
			small++
		}
	}
	if small > 2 || slices.Max(sizes) < 2<<20 {
		t.Errorf("batches of %v bytes", sizes)
	}
	large := r.events[30]
	if diff := cmp.Diff([]string{"body.content"}, large.GetTruncatedFields()); diff != "" {
		t.Errorf("truncated fields (-want +got):\n%s", diff)
	}
	if n := len(large.GetBody().GetContent()); n < 2<<20 || n%2 != 0 {
		t.Errorf("the large text was cut to %d bytes", n)
	}
	token, listed := "", 0
	for {
		page, err := e.ListEvents(t.Context(), sources(g), chatRequest(), token, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if n := proto.Size(page); n > 3<<20 {
			t.Errorf("a page of %d bytes", n)
		}
		listed += len(page.GetEvents())
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if listed != 60 {
		t.Errorf("%d events listed", listed)
	}
}

// TestCost counts requests: of a quiet user, of empty years, of a List's first page.
func TestCost(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	tests := []struct {
		name string
		rows []row
		req  timeline.EventsRequest
		most int
	}{
		{"three messages in 30 days", spread("m", 3, now.AddDate(0, 0, -29), now), timeline.EventsRequest{Start: now.AddDate(0, 0, -30)}, 3},
		{"ten empty years", nil, timeline.EventsRequest{}, 12},
		{"ten years, three messages", spread("m", 3, now.AddDate(0, 0, -29), now), timeline.EventsRequest{OrderBy: timeline.EventTimeDesc}, 14},
		{"twenty years asked", nil, timeline.EventsRequest{Start: now.AddDate(-20, 0, 0)}, 12},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &graph{src: chat, size: 50, rows: test.rows}
			test.req.User, test.req.Sources = "u", []parleyv1.Source{chat}
			e := newEngine(t, timeline.Config{})
			r := stream(t, e, sources(g), test.req, "")
			if len(r.events) != len(test.rows) || !r.summary.GetComplete() {
				t.Errorf("%d events, %v", len(r.events), r.summary)
			}
			if g.requests() > test.most {
				t.Errorf("%d requests, want at most %d", g.requests(), test.most)
			}
		})
	}
	t.Run("a List's first page", func(t *testing.T) {
		t.Parallel()
		start, end := march()
		g := &graph{src: chat, size: 50, rows: spread("m", 20000, start, end)}
		e := newEngine(t, timeline.Config{})
		if _, err := e.ListEvents(t.Context(), sources(g), chatRequest(), "", 50); err != nil {
			t.Fatal(err)
		}
		if g.requests() > 4+2*21 {
			t.Errorf("%d requests for one page", g.requests())
		}
	})
}

// TestFanOut measures a dense month: overhead over the fewest pages, and time against one page after another.
func TestFanOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
		g := &graph{src: chat, size: 50, delay: 100 * time.Millisecond}
		for d := range 30 { // nine tenths in the office hours of working days
			from := start.AddDate(0, 0, d)
			n := 67
			if d%7 < 5 {
				g.rows = append(g.rows, spread(fmt.Sprint("w", d, "-"), 818, from.Add(9*time.Hour), from.Add(17*time.Hour))...)
			}
			g.rows = append(g.rows, spread(fmt.Sprint("d", d, "-"), n, from, from.Add(24*time.Hour))...)
		}
		e := newEngine(t, timeline.Config{})
		req := chatRequest()
		req.Start, req.End = start, start.AddDate(0, 0, 30)
		began := time.Now()
		r := stream(t, e, sources(g), req, "")
		took := time.Since(began)
		fewest := (len(g.rows) + 49) / 50
		sequential := time.Duration(fewest) * g.delay
		if len(r.events) != len(g.rows) || !r.summary.GetComplete() {
			t.Fatalf("%d of %d events", len(r.events), len(g.rows))
		}
		extra := float64(g.requests()-fewest) / float64(fewest)
		t.Logf("%d rows, %d requests (%.1f %% extra), %v against %v", len(g.rows), g.requests(), 100*extra, took, sequential)
		if extra > 0.15 {
			t.Errorf("%.1f %% extra requests", 100*extra)
		}
		if took*6 > sequential {
			t.Errorf("took %v, one page after another %v", took, sequential)
		}
	})
}

func TestWholeCalls(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &graph{src: call, size: 10, rows: spread("c", 25, start, end)}
	g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
		for i := range p.Items {
			p.Items[i].Event.Detail = &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}
		}
		return p, nil
	}
	e := newEngine(t, timeline.Config{})
	have := sources(g)
	have.Getters = map[parleyv1.Source]source.EventGetter{call: getter{}}
	req := timeline.EventsRequest{Owner: "-", Start: start, End: end, View: parleyv1.EventView_EVENT_VIEW_FULL}
	r := stream(t, e, have, req, "")
	partial := 0
	for _, event := range r.events {
		if event.GetCall().GetPartial() {
			partial++
		}
	}
	if partial != 1 || len(r.events) != 25 {
		t.Errorf("%d of %d calls stayed partial, want the one that cannot be read", partial, len(r.events))
	}
	page, err := e.ListEvents(t.Context(), have, req, "", 100)
	if err != nil || !page.GetEvents()[0].GetCall().GetPartial() {
		t.Errorf("a listed call was read whole: %v", err)
	}
}

type getter struct{}

func (getter) Event(_ context.Context, owner, _ string, ref source.Ref) (*parleyv1.Event, error) {
	if owner != "-" || ref.Source != call {
		return nil, errors.New("wrong reference")
	}
	if ref.ID == "c0007" {
		return nil, fail(graphclient.KindNotFound)
	}
	return &parleyv1.Event{
		Uid: "SOURCE_CALL/" + ref.ID, Version: 1, Source: &parleyv1.EventSource{Id: ref.ID},
		Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{}},
	}, nil
}
