package timeline_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
)

// lateCalls are calls of nobody, which are known from a time on: until then the list of the tenant is read.
type lateCalls struct{ from time.Time }

func (l lateCalls) Events(ctx context.Context, _ source.EventQuery, _ string) (*source.Page[source.Item], error) {
	select {
	case <-time.After(time.Until(l.from)):
		return &source.Page[source.Item]{Requests: 1, ReadAt: time.Now(), Verified: true}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestTenantReadsOtherSourcesBeforeTheCallsAreKnown reads a night whose calls are known after ten minutes. Until then a stream reads the
// other sources of users who are not open yet: it takes no longer than two streams side by side, of which one has the calls.
func TestTenantReadsOtherSourcesBeforeTheCallsAreKnown(t *testing.T) {
	t.Parallel()
	night := func(parts ...[]parleyv1.Source) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(50 * 24 * time.Hour) // no year ends in the interval
			start, end := base()
			p := newPeople(640, start, end)
			for _, own := range p.graphs {
				for _, g := range own {
					g.delay, g.size = time.Minute, 50 // a user and source is one request
				}
			}
			e := newEngine(t, timeline.Config{})
			began := time.Now()
			have := p.sources()
			have.Events[call] = lateCalls{began.Add(10 * time.Minute)}
			var group sync.WaitGroup
			for _, sources := range parts {
				req := nightRequest(start, end)
				req.Sources = sources
				group.Go(func() {
					n := newNight()
					if err := e.StreamTenantBatches(t.Context(), have, req, "", n.take, n.emit); err != nil || !n.summary.GetComplete() || len(n.users) != 640 {
						t.Errorf("%v, %d users, %v", err, len(n.users), n.summary)
					}
				})
			}
			group.Wait()
			took = time.Since(began)
		})
		return took
	}
	one := night([]parleyv1.Source{chat, copilot, call})
	two := night([]parleyv1.Source{chat, copilot}, []parleyv1.Source{call})
	if one > two {
		t.Errorf("one stream takes %v, two take %v", one, two)
	}
}
