package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestStopInsideAWindowLosesNothing stops the only source on the third page of a window. Graph's pages have no order, so rows that were
// not read lie before rows that were: a walk that goes on must not have left them behind.
func TestStopInsideAWindowLosesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []graph.Kind{
		graph.KindThrottled, graph.KindCredential, graph.KindPaymentRequired, graph.KindCallerLimit,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			start, end := march()
			g := &fakeGraph{src: chat, size: 5, rows: spread("m", 400, start, end)}
			down := true
			g.hook = func(_ int, q source.EventQuery, link string, p *page) (*page, error) {
				if down && link != "" && skipOf(link) == "10" && q.End.Sub(q.Start) <= 24*time.Hour && q.Start.After(start.AddDate(0, 0, 8)) {
					return nil, fail(kind)
				}
				return p, nil
			}
			e := newEngine(t, timeline.Config{})
			req := query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}
			r := &result{}
			err := e.StreamEvents(t.Context(), sources(g), req, "", r.add)
			var broken *failure.StreamError
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

// troubled is a source that a test makes wait for, or fail, windows of a day.
type troubled struct {
	*fakeGraph

	trouble func(q source.EventQuery) (wait time.Duration, err error) // nil = there is none
	mu      sync.Mutex
	longest time.Duration // that a request was under way whose answer nobody waited for in the end
}

func (s *troubled) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	if s.trouble != nil && q.End.Sub(q.Start) <= 24*time.Hour {
		began := time.Now()
		wait, err := s.trouble(q)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.longest = max(s.longest, time.Since(began))
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
	}
	return s.fakeGraph.Events(ctx, q, link)
}

// TestTokensNameTheWindowOfTheStop: resume later. A source stops at a window while Graph keeps the one behind it
// waiting for long. Every token that follows names the window that the source stopped at, so that what goes on from it brings
// exactly the rest; and nobody waits for the window behind any more. The source is the only one or stands beside another, is
// stopped by one refusal or by failures in a row, in streams and Lists, in both orders.
func TestTokensNameTheWindowOfTheStop(t *testing.T) {
	t.Parallel()
	const stop, patience = 8, 12 * time.Second // the day that the source stops at, and how long that takes
	for kind, failures := range map[graph.Kind]int{
		graph.KindThrottled: 1, graph.KindCallerLimit: 1, graph.KindPaymentRequired: 1, graph.KindUnexpected: 1,
		graph.KindUnavailable: 3, graph.KindNotFound: 3,
	} {
		for _, order := range []query.Order{query.EventTime, query.EventTimeDesc} {
			for _, alone := range []bool{true, false} {
				for _, list := range []bool{true, false} {
					t.Run(fmt.Sprint(kind, order, " alone ", alone, " list ", list), func(t *testing.T) {
						t.Parallel()
						inNovember(t, func(t *testing.T) {
							t.Helper()
							start, end := march()
							day := func(q source.EventQuery) int {
								if order == query.EventTimeDesc {
									return int(end.Sub(q.End) / (24 * time.Hour))
								}
								return int(q.Start.Sub(start) / (24 * time.Hour))
							}
							bad := &troubled{fakeGraph: &fakeGraph{src: chat, size: 25, rows: spread("m", 160, start, end)}}
							bad.trouble = func(q source.EventQuery) (time.Duration, error) {
								switch n := day(q); {
								case n > stop && n <= stop+2:
									return time.Hour, nil // those behind lie ready
								case n == stop:
									return patience, fail(kind)
								case n > stop-failures:
									return 0, fail(kind)
								case n == stop-failures && alone && !list:
									return patience, nil // a batch is at hand when the call ends with the source
								default:
									return 0, nil
								}
							}
							good := &troubled{fakeGraph: &fakeGraph{src: copilot, size: 25, rows: spread("i", 160, start, end)}}
							good.trouble = func(q source.EventQuery) (time.Duration, error) {
								if day(q) > stop {
									return 40 * time.Second, nil
								}
								return 0, nil
							}
							have := sources(bad.fakeGraph, good.fakeGraph)
							have.Events[chat], have.Events[copilot] = bad, good
							req := query.Events{User: "u", Sources: []parleyv1.Source{chat, copilot}, Start: start, End: end, OrderBy: order}
							all := want(start, end, false, bad.fakeGraph, good.fakeGraph)
							if alone {
								req.Sources = req.Sources[:1]
								all = want(start, end, false, bad.fakeGraph)
							}
							e := newEngine(t, timeline.Config{})
							r := &result{}
							if list {
								page, err := e.ListEvents(t.Context(), have, req, "", 1000)
								if err != nil || page.GetNextPageToken() == "" {
									t.Fatalf("%v %v", page, err)
								}
								r.events, r.tokens, r.after = page.GetEvents(), []string{page.GetNextPageToken()}, []int{len(page.GetEvents())}
							} else {
								account := ledger.New(ledger.Config{}).Open(0)
								err := e.StreamEvents(ledger.With(t.Context(), account), have, req, "", r.add)
								if held := account.Held(); held != 0 {
									t.Errorf("%d bytes of windows that nobody waits for are still counted", held)
								}
								if broken := (*failure.StreamError)(nil); alone != errors.As(err, &broken) || alone == (err == nil) {
									t.Fatal(err)
								}
								if r.summary != nil {
									r.tokens, r.after = append(r.tokens, r.summary.GetResumeToken()), append(r.after, len(r.events))
								}
							}
							if bad.longest > patience {
								t.Errorf("a window behind the stop was read for %v", bad.longest)
							}
							bad.trouble, good.trouble = nil, nil
							for i, token := range r.tokens {
								rest := stream(t, e, have, req, token)
								gaps := report(rest.summary.GetSources(), chat).GetGaps()
								if stopped := i == len(r.tokens)-1; rest.summary.GetComplete() != (len(gaps) == 0) || stopped && (len(gaps) == 0) != (failures == 1) {
									t.Errorf("token %d of %d: %v", i, len(r.tokens), rest.summary)
								}
								got := append(ids(r.events[:r.after[i]]), ids(rest.events)...)
								for _, gap := range gaps {
									span := req
									span.Sources, span.Start, span.End = req.Sources[:1], gap.GetInterval().GetStartTime().AsTime(), gap.GetInterval().GetEndTime().AsTime()
									got = append(got, ids(stream(t, e, have, span, "").events)...)
								}
								slices.Sort(got)
								slices.Sort(all)
								if diff := cmp.Diff(all, got); diff != "" {
									t.Errorf("token %d of %d (-want +got):\n%s", i, len(r.tokens), diff)
								}
							}
						})
					})
				}
			}
		}
	}
}

// TestPageSeenBeforeIsALoopUnderAnotherDate repeats a page in which one row has got another date, but no new version: it is a loop
// all the same, and what it stands in place of is a gap.
func TestPageSeenBeforeIsALoopUnderAnotherDate(t *testing.T) {
	t.Parallel()
	start, end := march()
	g := &fakeGraph{src: chat, size: 10, rows: spread("m", 30, start, end)}
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
	r := stream(t, e, sources(g), query.Events{User: "u", Sources: []parleyv1.Source{chat}, Start: start, End: end}, "")
	if rep := report(r.summary.GetSources(), chat); r.summary.GetComplete() || notFound(rep.GetGaps(), "PAGING_LOOP") || len(r.events) != 20 {
		t.Errorf("%d events, complete %t, gaps %v", len(r.events), r.summary.GetComplete(), rep.GetGaps())
	}
}
