package server

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxWatchers bounds the connections of the metrics listener, which asks nobody who they are.
	maxWatchers = 128
	// watchTime bounds one request there.
	watchTime = 30 * time.Second
)

// newWatched makes the server of the metrics listener: metrics and probes, and nothing that tells of callers, users or what is in memory.
// Machines that watch the gateway reach it by any name, so it takes every Host header.
func (s *Server) newWatched() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.cfg.Metrics.Handler())
	s.addProbes(mux)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: s.cfg.HeaderTime,
		ReadTimeout:       watchTime,
		WriteTimeout:      watchTime,
		IdleTimeout:       s.cfg.IdleTime,
		MaxHeaderBytes:    maxHTTPHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}

// boundWatchers bounds the connections of the metrics listener.
func boundWatchers(listener net.Listener) net.Listener {
	return netutil.LimitListener(listener, maxWatchers)
}
