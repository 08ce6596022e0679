package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

const (
	listsOfRound = 1000
	coldStreams  = 16
	listRows     = 34
	// listUsers are the first users of the tenant, which no cold stream reads.
	listUsers = 4
)

// busyTenant is one whose users have so many messages that no stream comes to an end.
func busyTenant() size {
	return size{Users: 48, Chats: 240, Messages: 400_000, Interactions: 100, Calls: 100, Days: 60}
}

func chats() []parleyv1.Source { return []parleyv1.Source{parleyv1.Source_SOURCE_CHAT} }

// latencyBar is bar 17: a cached list beside cold streams and alone, at a steady rate. Its time counts from when it was due.
func latencyBar(ctx context.Context, o options, t *table) error {
	return withBusyTenant(ctx, func(d *deployment, g *graph) error { return d.latency(ctx, o, g, t) })
}

// withBusyTenant has a bar measured in a deployment beside the simulator of a busy tenant.
func withBusyTenant(ctx context.Context, bar func(*deployment, *graph) error) (err error) {
	d, err := newDeployment(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	g, err := startGraph(ctx, busyTenant())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.end()) }()
	return bar(d, g)
}

func (d *deployment) latency(ctx context.Context, o options, g *graph, t *table) error {
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64} // alone, beside streams
	for range o.rounds {
		alone, beside, events, err := d.listsRound(ctx, o, g)
		if err != nil {
			return err
		}
		for i, got := range []lists{alone, beside} {
			best[i] = min(best[i], got.quantile(99))
		}
		t.notef("lists alone: %v; beside %d cold streams, which took %d events: %v", alone, coldStreams, events, beside)
	}
	ratio := best[1].Seconds() / best[0].Seconds()
	t.row("17", "p99 of a cached list beside 16 cold streams vs alone, as deployed", times(ratio), "≤ 3×", "≤ 1.5×", ratio <= 3, ratio <= 1.5)
	return nil
}

// listsRound measures a fresh gateway.
func (d *deployment) listsRound(ctx context.Context, o options, g *graph) (alone, beside lists, events int, err error) {
	at, err := d.start(ctx, o, g, "")
	if err != nil {
		return alone, beside, 0, err
	}
	defer func() { err = errors.Join(err, at.end()) }()
	lister, err := d.lister(at, g.Users[0])
	if err != nil {
		return alone, beside, 0, err
	}
	defer lister.client.CloseIdleConnections()
	if err := lister.warm(ctx); err != nil {
		return alone, beside, 0, err
	}
	alone = lister.measure(ctx, o.lists)
	_, end := day(1)
	reader, err := startReader(ctx, &reading{
		GRPC: at.GRPC, CA: d.file("cert.pem"), Token: d.streamToken, Start: end.AddDate(0, 0, -50), End: end, Sources: chats(),
		Users: g.Users[listUsers:], Lanes: coldStreams, Endless: true,
	})
	if err != nil {
		return alone, beside, 0, err
	}
	beside = lister.measure(ctx, o.lists)
	got, err := reader.stop()
	if err == nil && got.Events == 0 {
		err = errors.New("the streams took nothing")
	}
	return alone, beside, got.Events, errors.Join(err, alone.err, beside.err)
}

// lister asks for one page.
type lister struct {
	client *http.Client
	url    string
	token  string
}

func (d *deployment) lister(at *gateway, user string) (*lister, error) {
	trusted, err := tlsOf(d.file("cert.pem"))
	if err != nil {
		return nil, err
	}
	token, err := d.token("front")
	if err != nil {
		return nil, err
	}
	start, end := day(3)
	query := url.Values{
		"startTime": {start.Format(time.RFC3339)}, "endTime": {end.Format(time.RFC3339)}, "sources": {"SOURCE_CHAT"}, "pageSize": {strconv.Itoa(listRows)},
	}
	return &lister{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: trusted, MaxIdleConnsPerHost: 64, DisableCompression: true}},
		url:    "https://" + at.HTTP + "/v1/users/" + user + "/events?" + query.Encode(), token: token,
	}, nil
}

// list asks once, and reports whether the page was cached.
func (l *lister) list(ctx context.Context) (hit bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, http.NoBody)
	if err != nil {
		return false, err
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	answer, err := l.client.Do(r)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", answer.Status, body)
	}
	return answer.Header.Get("Cache-Status") == "parley; hit", err
}

// warm asks until the page is cached.
func (l *lister) warm(ctx context.Context) error {
	var failed error
	for range 100 {
		hit, err := l.list(ctx)
		if hit && err == nil {
			return nil
		}
		failed = err
		pause(ctx, 100*time.Millisecond)
	}
	return errors.Join(errors.New("the page is not cached"), failed)
}

// lists are the times that lists took.
type lists struct {
	took   []time.Duration // ascending
	missed int             // in the cache
	err    error
}

func (l lists) quantile(percent int) time.Duration {
	if len(l.took) == 0 {
		return 0
	}
	return l.took[len(l.took)*percent/100]
}

// String returns the quantiles.
func (l lists) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, %d not in the cache", l.quantile(50).Round(10*time.Microsecond), l.quantile(99).Round(10*time.Microsecond), l.missed)
}

// measure asks at a steady rate, however long the answers take.
func (l *lister) measure(ctx context.Context, aSecond int) (got lists) {
	var mu sync.Mutex
	var group sync.WaitGroup
	began := time.Now()
	for i := range listsOfRound {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(aSecond))
		pause(ctx, time.Until(due))
		group.Go(func() {
			hit, err := l.list(ctx)
			mu.Lock()
			defer mu.Unlock()
			got.took, got.err = append(got.took, time.Since(due)), cmp.Or(got.err, err)
			if !hit {
				got.missed++
			}
		})
	}
	group.Wait()
	slices.Sort(got.took)
	return got
}
