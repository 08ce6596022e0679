package server_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/server"
)

// BenchmarkHostileCaller is the load figure of the handbook: one caller has more lists under way than there are places, each
// with the longest deadline and begun again when it ends, and reads nothing of use; ten others ask for a list now and then.
func BenchmarkHostileCaller(b *testing.B) {
	for name, c := range map[string]struct {
		share   float64
		hostile bool
	}{"without shares": {0, true}, "with shares": {0.125, true}, "nobody hostile": {0.125, false}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				took, refused := besideHostile(b, c.share, c.hostile)
				slices.Sort(took)
				p99 := time.Duration(0)
				if len(took) > 0 {
					p99 = took[len(took)*99/100]
				}
				b.ReportMetric(float64(p99.Microseconds())/1000, "ms-p99")
				b.ReportMetric(100*float64(refused)/float64(len(took)+refused), "%-refused")
			}
		})
	}
}

// besideHostile returns how long the lists of ten honest callers took, and how many were refused.
func besideHostile(b *testing.B, share float64, hostile bool) (took []time.Duration, refused int) {
	b.Helper()
	var under atomic.Int64
	callers := book()
	for i := range 10 {
		callers[fmt.Sprint("honest", i)] = person(fmt.Sprintf("66666666-2222-4333-8444-5555555555%02d", i), "Conversations.Read.All")
	}
	h := startGuarded(b, func(c *server.Config) { c.CallerShare, c.Tokens = share, callers })
	h.lists(func(ctx context.Context) (*parleyv1.ListEventsResponse, error) {
		if strings.Contains(ratelimit.CallerOf(ctx), annaID) {
			under.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &parleyv1.ListEventsResponse{Complete: true}, nil
	})
	client := parleyv1.NewEventServiceClient(h.conn)
	ctx, stop := context.WithCancel(b.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	if hostile {
		for range 6 { // a connection takes 256 calls
			conn := h.dial(b)
			for range 200 {
				group.Go(func() {
					for ctx.Err() == nil {
						_, _ = parleyv1.NewEventServiceClient(conn).ListEvents(as(ctx, "owner"), &parleyv1.ListEventsRequest{Parent: anna})
					}
				})
			}
		}
		for under.Load() < 1024 {
			time.Sleep(time.Millisecond)
		}
	}
	var mu sync.Mutex
	var honest sync.WaitGroup
	for i := range 10 {
		honest.Go(func() {
			for range 100 {
				begin := time.Now()
				_, err := client.ListEvents(as(ctx, fmt.Sprint("honest", i)), &parleyv1.ListEventsRequest{Parent: anna})
				mu.Lock()
				if err != nil {
					refused++
				} else {
					took = append(took, time.Since(begin))
				}
				mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	honest.Wait()
	return took, refused
}

// BenchmarkOneCallerAlone is what shares cost a caller who is alone: lists a second, half as many at a time as there are places. With all
// places in use a call can come while the one before it, which the client has read, still holds its place.
func BenchmarkOneCallerAlone(b *testing.B) {
	for name, share := range map[string]float64{"without shares": 0, "with shares": 0.125} {
		b.Run(name, func(b *testing.B) {
			h := startGuarded(b, func(c *server.Config) { c.CallerShare, c.MaxCalls = share, 64 })
			client := parleyv1.NewEventServiceClient(h.conn)
			var refused atomic.Int64
			b.SetParallelism(max(32/runtime.GOMAXPROCS(0), 1))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := client.ListEvents(as(b.Context(), "officer"), &parleyv1.ListEventsRequest{Parent: anna}); err != nil {
						refused.Add(1)
					}
				}
			})
			if refused.Load() > 0 {
				b.Errorf("%d calls of a caller who is alone were refused", refused.Load())
			}
		})
	}
}

// dial opens another connection.
func (h *harness) dial(tb testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	tb.Helper()
	conn, err := grpc.NewClient(h.server.GRPCAddr(), append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}
