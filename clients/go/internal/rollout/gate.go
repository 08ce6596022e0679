package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// gate stands between the gateways and Graph. It holds the requests for windows that begin at or behind a time, so that streams are in
// the middle for as long as the test wants them to be.
type gate struct {
	server *http.Server
	served chan struct{}
	url    string

	mu   sync.Mutex
	from time.Time
	open chan struct{} // closed when from has moved
}

// newGate serves a Graph on a free port of the loopback, and holds what begins at from or later.
func newGate(ctx context.Context, graph string, from time.Time) (*gate, error) {
	to, err := url.Parse(graph)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &gate{served: make(chan struct{}), url: "http://" + listener.Addr().String(), from: from, open: make(chan struct{})}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Del("Accept-Encoding")
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { // the gateway has gone
			w.WriteHeader(http.StatusBadGateway)
		},
		ModifyResponse: func(answer *http.Response) error { return relink(answer, graph, g.url) },
	}
	g.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.pass(r) {
			proxy.ServeHTTP(w, r)
		}
	})}
	go func() {
		defer close(g.served)
		_ = g.server.Serve(listener) // until close
	}()
	return g, nil
}

// relink lets the links of an answer lead to another address.
func relink(answer *http.Response, from, to string) error {
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	body = bytes.ReplaceAll(body, []byte(from), []byte(to))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// lowerBound finds the beginning of the asked interval in a $filter.
var lowerBound = regexp.MustCompile(`DateTime g[te] (\S+) and`)

// pass waits until a request may go on to Graph; false = its client has gone.
func (g *gate) pass(r *http.Request) bool {
	bound := lowerBound.FindStringSubmatch(r.URL.Query().Get("$filter"))
	if bound == nil {
		return true
	}
	begin, err := time.Parse(time.RFC3339Nano, bound[1])
	if err != nil {
		return true
	}
	for {
		g.mu.Lock()
		from, open := g.from, g.open
		g.mu.Unlock()
		if begin.Before(from) {
			return true
		}
		select {
		case <-open:
		case <-r.Context().Done():
			return false
		}
	}
}

// move lets pass what begins before a later time.
func (g *gate) move(from time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.from = from
	close(g.open)
	g.open = make(chan struct{})
}

func (g *gate) close() {
	_ = g.server.Close()
	<-g.served
}
