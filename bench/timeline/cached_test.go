package timelinebench_test

import (
	"testing"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// cachedMonth returns an engine, sources and a query for a month of messages whose windows are cached: prepare reads them.
func cachedMonth(b *testing.B, prepare func(*timeline.Engine, query.Sources, query.Events)) (
	*timeline.Engine, query.Sources, query.Events,
) {
	b.Helper()
	c, err := cache.New(cache.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	const chat = parleyv1.Source_SOURCE_CHAT
	have := query.Sources{Events: map[parleyv1.Source]source.EventReader{
		chat: readers.New(c, readers.Config{}).Events(newOffice(perMonth, 30, 0), readers.Scope{Tenant: "t", Source: chat}),
	}}
	req := query.Events{
		Owner: "u", User: "u", Sources: []parleyv1.Source{chat}, Start: month(), End: month().AddDate(0, 0, 30),
	}
	e := engine(b)
	for range 3 {
		prepare(e, have, req)
		time.Sleep(50 * time.Millisecond) // the cache takes its time
	}
	return e, have, req
}

// BenchmarkCachedStream is a month of 20,000 messages from cached windows, as bytes. ns/event is what the engine adds to them.
func BenchmarkCachedStream(b *testing.B) {
	frames := func(e *timeline.Engine, have query.Sources, req query.Events) (events int) {
		err := e.StreamBatches(b.Context(), have, req, "", func(batch *timeline.Batch) error {
			events += batch.Count
			return nil
		}, func(*parleyv1.StreamEventsResponse) error { return nil })
		if err != nil || events != perMonth {
			b.Fatalf("%d events, %v", events, err)
		}
		return events
	}
	e, have, req := cachedMonth(b, func(e *timeline.Engine, have query.Sources, req query.Events) { frames(e, have, req) })
	b.ReportAllocs()
	for b.Loop() {
		err := e.StreamBatches(b.Context(), have, req, "",
			func(*timeline.Batch) error { return nil }, func(*parleyv1.StreamEventsResponse) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perMonth, "ns/event")
}

// BenchmarkCachedPage is the first page of that month, and one in its middle.
func BenchmarkCachedPage(b *testing.B) {
	token := ""
	page := func(e *timeline.Engine, have query.Sources, req query.Events, token string) *timeline.Page {
		p, err := e.PageEvents(b.Context(), have, req, token, 0)
		if err != nil || p.Count != 50 {
			b.Fatalf("%+v, %v", p, err)
		}
		return p
	}
	e, have, req := cachedMonth(b, func(e *timeline.Engine, have query.Sources, req query.Events) {
		token = ""
		for range 20 {
			token = page(e, have, req, token).Message.GetNextPageToken()
		}
	})
	for name, token := range map[string]string{"first": "", "next": token} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				page(e, have, req, token)
			}
		})
	}
}
