package timeline_test

import (
	"context"
	"testing"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// brokenRecords fails every reading of a record, after three requests.
type brokenRecords struct{}

func (brokenRecords) Event(context.Context, string, string, source.Ref) (*parleyv1.Event, error) {
	return nil, &graph.Error{Kind: graph.KindMalformed, Requests: 3}
}

// TestRequestsOfFailedRecordsCountOnce: a record that cannot be read counts the requests that were sent for it, whatever it was read for.
func TestRequestsOfFailedRecordsCountOnce(t *testing.T) {
	t.Parallel()
	start, end := base()
	for name, req := range map[string]query.Events{
		"for the filter": {Owner: "-", Filter: `call.participants.id = "ada"`},
		"for the view":   {Owner: "-", View: parleyv1.EventView_EVENT_VIEW_FULL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGraph{src: call, size: 10, rows: spread("c", 4, start, end)}
			listed := listedCalls(false)
			g.hook = func(n int, q source.EventQuery, link string, p *page) (*page, error) {
				p.Unfiltered = req.Filter != ""
				return listed(n, q, link, p)
			}
			have := sources(g)
			have.Getters = map[parleyv1.Source]source.EventGetter{call: brokenRecords{}}
			req.Start, req.End = start, end
			r := stream(t, newEngine(t, timeline.Config{}), have, req, "")
			counted := r.summary.GetSources()[0].GetCounts().GetGraphRequests()
			if want := int64(g.requests() + 3*4); counted != want {
				t.Errorf("%d requests were counted, want %d", counted, want)
			}
		})
	}
}
