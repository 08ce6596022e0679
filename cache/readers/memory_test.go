//go:build !race

package readers_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// chatGraph answers with pages of 50 chat messages, each body an array of its own, as one from the network is.
type chatGraph struct {
	source.Graph

	asked int
	bytes int64 // of bodies
}

func (g *chatGraph) Page(context.Context, graph.Request) (*graphclient.Page, error) {
	g.asked++
	const rows = 50
	var body []byte
	ends := make([]int, 0, rows)
	text := bytes.Repeat([]byte("<p>The figures of the <b>second</b> table look odd to me.</p>"), 4+g.asked%16)
	for i := range rows {
		id := 1_793_606_400_000 + g.asked*rows + i
		body = fmt.Appendf(body, `{"id":"%d","etag":"%d","messageType":"message","createdDateTime":"2026-11-02T08:00:00.1Z","lastModifiedDateTime":`+
			`"2026-11-02T08:00:01Z","chatId":"19:%032x@thread.v2","importance":"normal","from":{"user":{"@odata.type":`+
			`"#microsoft.graph.teamworkUserIdentity","id":"0b4f1cf6-54c8-4820-bbb7-2a1f4257ade5","displayName":"Ada","userIdentityType":"aadUser"}},`+
			`"body":{"contentType":"html","content":"<div>%s<\/div>"},"attachments":[],"futureHint":{"days":30,"label":"standard"}}`, id, id, id%9, text)
		ends = append(ends, len(body))
	}
	g.bytes += int64(len(body))
	page := &graphclient.Page{Size: len(body)}
	from := 0
	for _, end := range ends {
		page.Records = append(page.Records, body[from:end:end])
		from = end
	}
	return page, nil
}

func heapInUse() int64 {
	for range 3 { // finalizers and pools take more than one
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// resident fills a cache with several times what it may hold, and returns what it then takes of the heap beside its limit.
func resident(tb testing.TB, limit, fill int64) float64 {
	tb.Helper()
	g := &chatGraph{}
	reader := source.NewChat(g, source.Options{Tenant: "061ea7c2-cc15-418b-bfc0-9f6a7d98011c"})
	page := func(r source.EventReader, n int) {
		start := time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC)
		q := source.EventQuery{Owner: "u", User: "u", Start: start, End: start.Add(time.Hour)}
		if _, err := r.Events(tb.Context(), q, ""); err != nil {
			tb.Fatal(err)
		}
	}
	page(reader, 0) // the table of the contract is compiled once
	before := heapInUse()
	c, err := cache.New(cache.Config{MaxBytes: limit})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	cached := readers.New(c, readers.Config{}).Events(reader, scope("a"))
	g.bytes = 0
	for n := 0; g.bytes < fill; n++ {
		page(cached, n)
		if n%4 == 0 {
			page(cached, n*7/8) // so that every part of the cache is filled
		}
	}
	after := heapInUse()
	counted := c.Bytes()
	if counted < limit*9/10 || counted > limit+limit/20 {
		tb.Errorf("a full cache of %d bytes counts %d", limit, counted)
	}
	runtime.KeepAlive(c)
	tb.Logf("limit %.1f MiB, counted %.1f MiB, live heap %.1f MiB, after %d pages of %.0f MiB",
		mib(limit), mib(counted), mib(after-before), g.asked, mib(g.bytes))
	return float64(after-before) / float64(limit)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// mostResident is how much of its limit a full cache may take of the heap. Pages that are both in the twoQueue and in the store
// count twice, so that it takes less as a rule.
const mostResident = 1.1

// TestResidentMemory holds the live heap of a full cache, which counted costs alone do not bound. It is not parallel:
// others would be counted.
//
//nolint:paralleltest // see above
func TestResidentMemory(t *testing.T) {
	if got := resident(t, 16<<20, 96<<20); got > mostResident {
		t.Errorf("a full cache takes %.2f times its limit, at most %.2f are allowed", got, mostResident)
	}
}

// BenchmarkResidentMemory is the same at the size of a small gateway.
func BenchmarkResidentMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(resident(b, 64<<20, 400<<20), "x-limit")
	}
}
