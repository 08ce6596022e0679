package timelinebench_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// officeGraph is the office as a Graph of JSON records, for a real source.
type officeGraph struct {
	source.Graph

	office *office
}

var bounds = regexp.MustCompile(`lastModifiedDateTime gt (\S+) and lastModifiedDateTime lt (\S+)`)

// Page implements source.Graph.
func (g *officeGraph) Page(ctx context.Context, r graph.Request) (*graphclient.Page, error) {
	q := source.EventQuery{}
	if r.Link != "" {
		var start, end int64
		_, values, _ := strings.Cut(r.Link, "s=")
		if _, err := fmt.Sscanf(values, "%d&e=%d", &start, &end); err != nil {
			return nil, err
		}
		q.Start, q.End = time.Unix(start, 0), time.Unix(end, 0)
	} else {
		found := bounds.FindStringSubmatch(r.Query[1].Value)
		q.Start, _ = time.Parse(time.RFC3339Nano, found[1])
		q.End, _ = time.Parse(time.RFC3339Nano, found[2])
		q.Start, q.End = q.Start.Add(time.Second), q.End.Add(-time.Second) // the office widens by itself
	}
	rows, err := g.office.Events(ctx, q, r.Link)
	if err != nil {
		return nil, err
	}
	page := &graphclient.Page{NextLink: rows.Next, Requests: 1}
	for i := range rows.Items {
		at := rows.Items[i].Time.UTC().Format("2006-01-02T15:04:05.000Z")
		page.Records = append(page.Records, fmt.Appendf(nil, `{"id":%q,"chatId":"19:x@thread.v2","createdDateTime":%q,"lastModifiedDateTime":%q}`, rows.Items[i].Key, at, at))
	}
	return page, nil
}

// TestNoPageInVain holds that pages that are asked for ahead of their turn are pages that would be asked for anyway: windows
// that are split, above all, are not read further than without.
func TestNoPageInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(month().AddDate(0, 2, 0)))
		requests := map[bool]int{}
		for _, ahead := range []bool{false, true} {
			o := newOffice(perMonth/2, 30, 100*time.Millisecond)
			reader := source.EventReader(o)
			if ahead {
				reader = source.NewChat(&officeGraph{office: o}, source.Options{})
			}
			e, err := timeline.New(timeline.Config{})
			if err != nil {
				t.Fatal(err)
			}
			have := query.Sources{Events: map[parleyv1.Source]source.EventReader{parleyv1.Source_SOURCE_CHAT: reader}}
			for _, start := range []time.Time{month(), {}} { // without a start the month is found by windows that are split
				events := 0
				req := query.Events{Owner: "u", User: "u", Start: start, End: month().AddDate(0, 0, 30)}
				err = e.StreamEvents(t.Context(), have, req, "", func(f *parleyv1.StreamEventsResponse) error {
					events += len(f.GetBatch().GetEvents())
					return nil
				})
				if err != nil || events != perMonth/2 {
					t.Fatalf("%d events, %v", events, err)
				}
				requests[ahead] += int(o.asked.Swap(0))
			}
		}
		t.Logf("%d requests in turn, %d ahead", requests[false], requests[true])
		if requests[true] > requests[false]*102/100 {
			t.Errorf("%d requests, %d without asking ahead", requests[true], requests[false])
		}
	})
}
