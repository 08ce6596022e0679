package timeline_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// TestEarlyFailureHasNoFrames lets every source fail before it delivers anything: no notice about one of them may commit the
// call to the status OK before the others have failed too.
func TestEarlyFailureHasNoFrames(t *testing.T) {
	t.Parallel()
	for _, kind := range []graph.Kind{
		graph.KindCredential, graph.KindForbidden, graph.KindUnavailable, graph.KindThrottled, graph.KindNotFound,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(26 * 365 * 24 * time.Hour)
				graphs := failingSources(kind)
				frames := 0
				err := newEngine(t, timeline.Config{}).StreamEvents(t.Context(), sources(graphs...), everything(), "",
					func(*parleyv1.StreamEventsResponse) error { frames++; return nil })
				var own *failure.Error
				if !errors.As(err, &own) || !errors.Is(err, own.Err) || own.Reason == parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED || frames != 0 {
					t.Errorf("%d frames, then %v", frames, err)
				}
				failed := map[parleyv1.Source]bool{own.Source: true}
				for _, other := range own.Others {
					failed[other.Source] = other.Reason != failure.None && other.Err != nil
				}
				if len(own.Others) != len(graphs)-1 || len(failed) != len(graphs) {
					t.Errorf("%v failed, and with it %v", own.Source, own.Others)
				}
			})
		})
	}
}

// TestNoticesComeBeforeTheFirstBatch has two of three sources fail at once: their notices come with the heartbeat, in time and
// once, and the third source goes on.
func TestNoticesComeBeforeTheFirstBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(26 * 365 * 24 * time.Hour)
		req := everything()
		graphs := failingSources(graph.KindForbidden)
		sound := graphs[2]
		sound.hook, sound.delay, sound.rows = nil, 40*time.Second, spread("m", 5, req.Start, req.End)
		r, began := &result{}, time.Now()
		err := newEngine(t, timeline.Config{}).StreamEvents(t.Context(), sources(graphs...), req, "", func(f *parleyv1.StreamEventsResponse) error {
			if f.GetNotice() != nil && (time.Since(began) > 15*time.Second || len(r.tokens) > 0) {
				t.Errorf("a notice after %v, behind %d checkpoints", time.Since(began), len(r.tokens))
			}
			return r.add(f)
		})
		// Of each source that stopped, the gap and the state.
		if err != nil || len(r.events) != 5 || len(r.notices) != 4 || len(r.summary.GetNotices()) != 4 {
			t.Errorf("%d events, notices %v, %v", len(r.events), r.notices, err)
		}
	})
}

// everything asks for all sources over days that all of them keep.
func everything() query.Events {
	now := time.Now().UTC()
	return query.Events{Caller: "c", Tenant: "t", Owner: "u", User: "u", Start: now.AddDate(0, 0, -9), End: now.AddDate(0, 0, -5)}
}

// failingSources are three sources that fail one after the other.
func failingSources(kind graph.Kind) []*fakeGraph {
	graphs := make([]*fakeGraph, 0, 3)
	for i, src := range []parleyv1.Source{copilot, call, chat} {
		graphs = append(graphs, &fakeGraph{
			src: src, size: 10, delay: time.Duration(i+1) * time.Second,
			hook: func(int, source.EventQuery, string, *page) (*page, error) { return nil, fail(kind) },
		})
	}
	return graphs
}
