package readers_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// graph answers every request with pages numbered by how often it was asked.
type fakeGraph struct {
	mu    sync.Mutex
	asked int
	pages int    // per chain; 0 = 1
	body  string // of each event
	err   error
	block chan struct{} // when set, requests wait for it
	began chan struct{} // receives when a request begins
	ended chan error    // receives how a request ended
	saw   context.Context
}

func (g *fakeGraph) Events(ctx context.Context, q source.EventQuery, link string) (*source.Page[source.Item], error) {
	g.mu.Lock()
	g.asked++
	n, failed := g.asked, g.err
	g.saw = ctx
	g.mu.Unlock()
	if g.began != nil {
		g.began <- struct{}{}
	}
	if g.block != nil {
		select {
		case <-g.block:
		case <-ctx.Done():
			if g.ended != nil {
				g.ended <- ctx.Err()
			}
			return nil, ctx.Err()
		}
	}
	if failed != nil {
		return nil, failed
	}
	item, err := source.NewItem(&parleyv1.Event{Uid: strconv.Itoa(n), Body: &parleyv1.Body{Content: g.body}})
	if err != nil {
		return nil, err
	}
	item.Key = fmt.Sprintf("%s/%s/%s/%d", q.User, q.Conversation, link, n)
	page := &source.Page[source.Item]{Requests: 1, Rows: 1, ReadAt: time.Now(), Items: []source.Item{item}}
	if at := len(strings.Split(link, "+")); at < g.pages {
		page.Next = link + "+"
	}
	return page, nil
}

func (g *fakeGraph) requests() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// pages is a cache with the decorators over it.
type pages struct {
	*cache.Cache
	*readers.Decorator
}

func open(t *testing.T, cfg cache.Config) pages {
	t.Helper()
	return openWith(t, cfg, readers.Config{})
}

func openWith(t *testing.T, cfg cache.Config, lives readers.Config) pages {
	t.Helper()
	c, err := cache.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return pages{c, readers.New(c, lives)}
}

func scope(tenant string) readers.Scope {
	return readers.Scope{Tenant: tenant, Identity: "app", Source: parleyv1.Source_SOURCE_CHAT}
}

// settled is a window that ended long ago.
func settled(user string) source.EventQuery {
	return source.EventQuery{Owner: user, User: user, Start: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(1990, 2, 1, 0, 0, 0, 0, time.UTC)}
}

func read(t *testing.T, ctx context.Context, r source.EventReader, q source.EventQuery, link string) *source.Page[source.Item] {
	t.Helper()
	page, err := r.Events(ctx, q, link)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// recorded is a context whose look-ups are recorded.
func recorded(ctx context.Context) (context.Context, *cache.Recorder) {
	recorder := &cache.Recorder{}
	return context.WithValue(ctx, cache.RecorderKey{}, recorder), recorder
}
