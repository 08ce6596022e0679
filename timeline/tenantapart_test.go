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
		return &source.Page[source.Item]{Requests: 1, Read: time.Now(), Verified: true}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestTenantSourcesApart reads a night whose calls are known after ten minutes. In one stream no more users are begun until then; of two
// streams side by side, the one without the calls does not wait.
func TestTenantSourcesApart(t *testing.T) {
	t.Parallel()
	call := parleyv1.Source_SOURCE_CALL
	night := func(parts ...[]parleyv1.Source) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			start, end := base()
			p := newPeople(640, start, end)
			for _, own := range p.graphs {
				own[chat].delay, own[copilot].delay = time.Minute, time.Minute
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
	if one-two < 5*time.Minute {
		t.Errorf("one stream takes %v, two take %v", one, two)
	}
}
