//go:build !race

package source_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/source"
)

// distant is a Graph of many pages, each of which takes a while.
type distant struct {
	*onePage

	latency time.Duration
	left    int
}

func (g *distant) Page(ctx context.Context, r graph.Request) (*graphclient.Page, error) {
	time.Sleep(g.latency)
	page, err := g.onePage.Page(ctx, r)
	if g.left--; g.left > 0 {
		page.NextLink = "https://graph.microsoft.com/v1.0/" + strconv.Itoa(g.left)
	}
	return page, err
}

// BenchmarkChain reads 50 pages one after another, and with the next one asked for while one is normalized: what that is
// worth at which distance from Graph.
func BenchmarkChain(b *testing.B) {
	q := source.EventQuery{Owner: userID, User: userID, End: time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)}
	for _, latency := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond} {
		for _, follow := range []bool{false, true} {
			b.Run(fmt.Sprintf("latency=%v/ahead=%v", latency, follow), func(b *testing.B) {
				for b.Loop() {
					reader := source.NewChat(&distant{messages(50), latency, 50}, source.Options{Tenant: tenantID})
					a := &source.Prefetcher{
						ReadPage: func(ctx context.Context, link string) (*source.Page[source.Item], error) {
							return reader.Events(ctx, q, link)
						},
						Wanted: func(string, int) bool { return follow },
					}
					for link := ""; ; {
						page, err := a.Page(b.Context(), link)
						if err != nil {
							b.Fatal(err)
						}
						if link = page.Next; link == "" {
							break
						}
					}
					a.Stop()
				}
			})
		}
	}
}
