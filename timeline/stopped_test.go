package timeline_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

// TestStopInsideAWindow stops the only source on the third page of a window. Graph's pages have no order, so rows that were
// not read lie before rows that were: a walk that goes on must not have left them behind.
func TestStopInsideAWindow(t *testing.T) {
	t.Parallel()
	for _, kind := range []graphclient.Kind{
		graphclient.KindThrottled, graphclient.KindCredential, graphclient.KindPaymentRequired, graphclient.KindCallerLimit,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			start, end := march()
			g := &graph{src: chat, size: 5, rows: spread("m", 400, start, end)}
			down := true
			g.hook = func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
				if down && link != "" && skipOf(link) == "10" && q.End.Sub(q.Start) <= 24*time.Hour && q.Start.After(start.AddDate(0, 0, 8)) {
					return nil, fail(kind)
				}
				return p, nil
			}
			e := newEngine(t, timeline.Config{})
			req := timeline.EventsRequest{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
			r := &result{}
			err := e.StreamEvents(t.Context(), sources(g), req, "", r.add)
			var broken *timeline.StreamError
			if !errors.As(err, &broken) || len(r.events) == 0 {
				t.Fatalf("%d events, then %v", len(r.events), err)
			}
			down = false
			rest := stream(t, e, sources(g), req, broken.ResumeToken)
			if diff := cmp.Diff(want(start, end, false, g), append(ids(r.events), ids(rest.events)...)); diff != "" {
				t.Errorf("both parts (-want +got):\n%s", diff)
			}
			if !rest.summary.GetComplete() {
				t.Errorf("%v", rest.summary.GetSources())
			}
		})
	}
}

// TestPageSeenBeforeWithAnotherDate repeats a page in which one row has got another date, but no new version: it is a loop
// all the same, and what it stands in place of is a gap.
func TestPageSeenBeforeWithAnotherDate(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &graph{src: chat, size: 10, rows: spread("m", 30, start, end)}
	var before []source.Item
	g.hook = func(_ int, _ source.EventQuery, link string, p *page) (*page, error) {
		if link == "" || skipOf(link) != "20" {
			before = p.Items
			return p, nil
		}
		again := *p
		again.Items = append([]source.Item(nil), before...)
		earlier := again.Items[0].Time.AddDate(0, 0, -40)
		again.Items[0] = changed(again.Items[0], func(e *parleyv1.Event) { e.EventTime = timestamppb.New(earlier) })
		again.Items[0].Time = earlier
		return &again, nil
	}
	e := newEngine(t, timeline.Config{})
	r := stream(t, e, sources(g), timeline.EventsRequest{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}, "")
	if rep := report(r.summary.GetSources(), chat); r.summary.GetComplete() || notFound(rep.GetGaps(), timeline.ReasonPagingLoop) || len(r.events) != 20 {
		t.Errorf("%d events, complete %t, gaps %v", len(r.events), r.summary.GetComplete(), rep.GetGaps())
	}
}
