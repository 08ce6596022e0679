package timeline_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const graphURL = "http://127.0.0.1:1"

// wire is Graph behind a real client: users named "endless" have a history without an end, all others an empty one.
type wire struct {
	mu   sync.Mutex
	sent []sent
}

// sent is a request that left.
type sent struct {
	at     time.Time
	stream bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	path, _, _ := strings.Cut(r.URL.RequestURI(), "?")
	endless := strings.Contains(path, "/endless")
	w.mu.Lock()
	w.sent = append(w.sent, sent{time.Now(), endless})
	n := len(w.sent)
	w.mu.Unlock()
	select {
	case <-time.After(100 * time.Millisecond):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	body := `{"value":[]}`
	if endless {
		body = `{"value":[],"@odata.nextLink":"` + graphURL + path + `?$skiptoken=` + strconv.Itoa(n) + `"}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// since returns what has left from an instant on.
func (w *wire) since(at time.Time) []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []sent
	for _, s := range w.sent {
		if !s.at.Before(at) {
			list = append(list, s)
		}
	}
	return list
}

// crowd runs walks over the Copilot history through one client with Graph's published limits.
type crowd struct {
	*testing.T

	wire   *wire
	engine *timeline.Engine
	have   query.Sources
	group  sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	w := &wire{}
	client, err := graphclient.New(graphclient.Config{BaseURL: graphURL, TenantID: "t", Transport: w})
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{T: t, wire: w, engine: newEngine(t, timeline.Config{}), have: query.Sources{
		Events: map[parleyv1.Source]source.EventReader{copilot: source.NewCopilot(client, source.Options{})},
	}}
}

func (c *crowd) request(user string) query.Events {
	return query.Events{
		Caller: user, Owner: user, User: user, Sources: []parleyv1.Source{copilot}, Start: time.Now().Add(-time.Hour),
	}
}

// streams begins n streams that go on until ctx ends.
func (c *crowd) streams(ctx context.Context, n int) {
	for i := range n {
		req := c.request("endless" + strconv.Itoa(i))
		c.group.Go(func() {
			err := c.engine.StreamEvents(ctx, c.have, req, "", func(*parleyv1.StreamEventsResponse) error { return nil })
			if !errors.Is(err, context.Canceled) {
				c.Errorf("a stream ended: %v", err)
			}
		})
	}
}

func (c *crowd) list(ctx context.Context, user string) error {
	_, err := c.engine.ListEvents(ctx, c.have, c.request(user), "", 10)
	return err
}

// TestListsOvertakeStreams: whenever a List comes, its first request is the next one that leaves, however many requests of
// streams wait.
func TestListsOvertakeStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := november()
		c := newCrowd(t)
		ctx, cancel := context.WithCancel(t.Context())
		c.streams(ctx, 200)
		for range 20 {
			time.Sleep(2*time.Second + 7*time.Millisecond)
			synctest.Wait()
			asked := time.Now().Add(1) // what leaves at this very instant is on the wire
			time.Sleep(time.Nanosecond)
			if err := c.list(ctx, "someone"); err != nil {
				t.Fatal(err)
			}
			left := c.wire.since(asked)
			if len(left) == 0 || left[0].stream {
				t.Fatalf("requests of streams went before the List's: %v", left)
			}
			if waited := left[0].at.Sub(asked); waited > 50*time.Millisecond {
				t.Errorf("the List's request waited %v for its turn", waited)
			}
		}
		if all := len(c.wire.since(now)); all < 40*24 {
			t.Errorf("%d requests in 40 s: the streams left room", all)
		}
		cancel()
		c.group.Wait()
	})
}

// TestStreamsKeepAQuarter: under more Lists than Graph allows requests, a quarter of the requests are still the streams'.
func TestStreamsKeepAQuarter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := november()
		c := newCrowd(t)
		ctx, cancel := context.WithCancel(t.Context())
		c.streams(ctx, 50)
		for i := range 100 {
			c.group.Go(func() {
				for ctx.Err() == nil {
					if err := c.list(ctx, "someone"+strconv.Itoa(i)); err != nil && ctx.Err() == nil {
						c.Errorf("list: %v", err)
						return
					}
				}
			})
		}
		time.Sleep(time.Minute)
		cancel()
		c.group.Wait()
		streams, all := 0, c.wire.since(now.Add(5*time.Second))
		for _, s := range all {
			if s.stream {
				streams++
			}
		}
		if share := float64(streams) / float64(len(all)); share < 0.24 || share > 0.30 || len(all) < 55*24 {
			t.Errorf("%d of %d requests were the streams' (%.0f %%)", streams, len(all), 100*share)
		}
	})
}
