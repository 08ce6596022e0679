package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// attack is a load of the hostile caller: so many requests at one time, whose answers nobody reads.
type attack struct {
	count int
	path  func(i int) string
}

func (a attack) run(ctx context.Context, g *gateway, token string) {
	var group sync.WaitGroup
	for i := range a.count {
		group.Go(func() {
			for ctx.Err() == nil {
				_ = hold(ctx, g, a.path(i), token) // and begun again
				pause(ctx, 100*time.Millisecond)
			}
		})
	}
	group.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// hold sends a request and takes a byte of its answer now and then, to see whether the connection stands.
func hold(ctx context.Context, g *gateway, path, token string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.HTTP)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetReadBuffer(4 << 10); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nGrpc-Timeout: 99999999H\r\nAuthorization: Bearer %s\r\n\r\n", path, g.HTTP, token); err != nil {
		return err
	}
	status := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, status); err != nil || !strings.HasSuffix(string(status), "200") {
		return errors.Join(err, errors.New("refused"))
	}
	for {
		pause(ctx, time.Second)
		if _, err := conn.Read(status[:1]); err != nil {
			return err
		}
	}
}

// result is how the lists of the ten honest callers went.
type result struct {
	took   []time.Duration
	failed int
	memory string
}

// refused is the share of lists that failed, in per cent.
func (r result) refused() float64 {
	return 100 * float64(r.failed) / float64(max(len(r.took)+r.failed, 1))
}

func (r result) quantile(percent int) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	slices.Sort(r.took)
	return r.took[len(r.took)*percent/100].Round(100 * time.Microsecond)
}

// honest has the ten ask for a list of their own every 50 ms.
func honest(ctx context.Context, g *gateway, graph *graph) result {
	var mu sync.Mutex
	var got result
	var group sync.WaitGroup
	for i := range honestCallers {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				begin := time.Now()
				err := list(ctx, client, g, graph.token(i+1))
				took := time.Since(begin)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				if err != nil {
					got.failed++
				} else {
					got.took = append(got.took, took)
				}
				mu.Unlock()
				pause(ctx, 50*time.Millisecond)
			}
		})
	}
	group.Wait()
	return got
}

// list asks for a page of the caller's own events of yesterday.
func list(ctx context.Context, client *http.Client, g *gateway, token string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.HTTP+dayPath(1, "", ""), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(string(text))
	}
	return nil
}

// saturate returns how many lists a second one caller gets.
func saturate(ctx context.Context, g *gateway, token string, length time.Duration) (float64, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	var done, failed atomic.Int64
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := list(ctx, client, g, token); err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d lists of a caller who is alone failed", failed.Load())
	}
	return float64(done.Load()) / length.Seconds(), nil
}
