package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// graphServer answers with finished pages, compressed when asked, so that it costs as little as it can.
type graphServer struct {
	plain, packed [pageCount][]byte
}

func newGraphServer(base string) (*graphServer, error) {
	g := &graphServer{}
	for n := range pageCount {
		g.plain[n] = page(base, n)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(g.plain[n]); err != nil {
			return nil, fmt.Errorf("compress a page: %w", err)
		}
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("compress a page: %w", err)
		}
		g.packed[n] = b.Bytes()
	}
	return g, nil
}

// handler answers every getAllMessages with a page of the chain, compressed for those who ask if packing.
func (g *graphServer) handler(packing bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/chats/getAllMessages") {
			http.NotFound(w, r)
			return
		}
		n, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")) // none is the first page
		if n < 0 || n >= pageCount {
			http.NotFound(w, r)
			return
		}
		body := g.plain[n]
		if packing && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			body = g.packed[n]
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Header().Set("Content-Type", "application/json; odata.metadata=minimal")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client measures, not we
	})
}

// serveGraph serves plain and compressed pages on two free ports and returns their addresses.
func serveGraph() (plain, packed string, err error) {
	addresses := make([]string, 2)
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", fmt.Errorf("listen: %w", err)
		}
		addresses[i] = "http://" + listener.Addr().String()
		g, err := newGraphServer(addresses[i])
		if err != nil {
			return "", "", err
		}
		go func() { _ = http.Serve(listener, g.handler(i == 1)) }() //nolint:gosec // ends with the process
	}
	return addresses[0], addresses[1], nil
}
