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
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

func TestCancelStopsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 4000, start, end), delay: time.Second}
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
		var broken *failure.StreamError
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

// TestReadingStopsWithASlowReader checks that reading stops with the reader.
func TestReadingStopsWithASlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start, end := march()
		g := &fakeGraph{src: chat, size: 10, rows: spread("m", 12000, start, end)}
		for i := range g.rows {
			g.rows[i].body = strings.Repeat("x", 2000)
		}
		e := newEngine(t, timeline.Config{Ledger: ledger.New(ledger.Config{Each: 1200 << 10})})
		stalled := 0
		r := &result{}
		err := e.StreamEvents(t.Context(), sources(g), chatRequest(), "", func(f *parleyv1.StreamEventsResponse) error {
			if f.GetBatch() != nil && stalled == 0 {
				time.Sleep(time.Hour)
				stalled = g.requests()
			}
			return r.add(f)
		})
		if err != nil || len(r.events) != 12000 {
			t.Fatalf("%d events, %v", len(r.events), err)
		}
		if stalled > 350 {
			t.Errorf("%d requests while the reader slept", stalled)
		}
	})
}

func TestFramesAndPagesAreBounded(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 50, rows: spread("m", 60, start, end)}
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
		t.Errorf("the large text was truncated to %d bytes", n)
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

// TestDenseMonthIsReadInParallel measures a dense month: overhead over the fewest pages, and time against one page after another.
func TestDenseMonthIsReadInParallel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		start := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC)
		g := &fakeGraph{src: chat, size: 50, delay: 100 * time.Millisecond}
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

func TestStreamsReadCallsWholeAndListsDoNot(t *testing.T) {
	t.Parallel()
	start, end := base()
	g := &fakeGraph{src: call, size: 10, rows: spread("c", 25, start, end)}
	g.hook = func(_ int, _ source.EventQuery, _ string, p *page) (*page, error) {
		for i := range p.Items {
			p.Items[i] = changed(p.Items[i], func(e *parleyv1.Event) {
				e.Detail = &parleyv1.Event_Call{Call: &parleyv1.CallDetail{Partial: true}}
			})
		}
		return p, nil
	}
	e := newEngine(t, timeline.Config{})
	have := sources(g)
	have.Getters = map[parleyv1.Source]source.EventGetter{call: getter{}}
	req := query.Events{Owner: "-", Start: start, End: end, View: parleyv1.EventView_EVENT_VIEW_FULL}
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
		return nil, fail(graph.KindNotFound)
	}
	return &parleyv1.Event{
		Uid: "SOURCE_CALL/" + ref.ID, Version: 1, Source: &parleyv1.EventSource{Id: ref.ID},
		Detail: &parleyv1.Event_Call{Call: &parleyv1.CallDetail{}},
	}, nil
}
