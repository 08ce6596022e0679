package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// graphServer answers for the short chain with finished pages, compressed when asked, so that it costs as little as it
// can. It filters the long chain, whose pages are asked for only once, to fill a cache.
type graphServer struct {
	base          string
	plain, packed [][]byte
}

func newGraphServer(base string) (*graphServer, error) {
	g := &graphServer{base: base}
	for from := 0; from < short.rows; from += pageRows {
		page := short.page(base, 0, short.rows, from)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(page); err != nil {
			return nil, fmt.Errorf("compress a page: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("compress a page: %w", err)
		}
		g.plain, g.packed = append(g.plain, page), append(g.packed, b.Bytes())
	}
	return g, nil
}

// compression says whether pages are compressed for clients that accept it.
type compression bool

const (
	gzipped      compression = true
	uncompressed compression = false
)

// handler answers every getAllMessages.
func (g *graphServer) handler(c compression) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1.0/users/"), "/chats/getAllMessages") // the SDK writes "()" behind
		if !found || user != short.user && user != long.user {
			http.NotFound(w, r)
			return
		}
		query := r.URL.Query()
		first, last, from := 0, short.rows, 0
		if user == long.user {
			first, last = long.between(instantOf(query.Get("$filter"), " gt "), instantOf(query.Get("$filter"), " lt "))
			from = first
		}
		if token := query.Get("$skiptoken"); token != "" {
			if n, _ := fmt.Sscanf(token, "%d-%d-%d", &first, &last, &from); n != 3 || from < 0 || from >= last {
				http.NotFound(w, r)
				return
			}
		}
		var body []byte
		switch {
		case user == long.user:
			body = long.page(g.base, first, last, from)
		case c == gzipped && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"):
			body = g.packed[from/pageRows]
			w.Header().Set("Content-Encoding", "gzip")
		default:
			body = g.plain[from/pageRows]
		}
		w.Header().Set("Content-Type", "application/json; odata.metadata=minimal")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client measures, not we
	})
}

// instantOf is the instant behind an operator of a filter; without one, zero.
func instantOf(filter, operator string) time.Time {
	_, rest, _ := strings.Cut(filter, operator)
	instant, _, _ := strings.Cut(rest, " ")
	at, _ := time.Parse(time.RFC3339Nano, instant) // zero for none
	return at
}

// serveGraph serves plain and compressed pages on two free ports and returns their addresses.
func serveGraph() (plain, packed string, err error) {
	addresses := make([]string, 2)
	for i, c := range []compression{uncompressed, gzipped} {
		listener, err := listen()
		if err != nil {
			return "", "", err
		}
		addresses[i] = "http://" + listener.Addr().String()
		g, err := newGraphServer(addresses[i])
		if err != nil {
			return "", "", err
		}
		go func() { _ = http.Serve(listener, g.handler(c)) }() //nolint:gosec // ends with the process
	}
	return addresses[0], addresses[1], nil
}

// listen takes a free port of the loopback.
func listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
