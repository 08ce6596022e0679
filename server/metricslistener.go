package server

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// maxMetricsConns bounds the connections of the metrics listener, which asks nobody who they are.
	maxMetricsConns = 128
	// metricsTimeout bounds one request there.
	metricsTimeout = 30 * time.Second
)

// newMetricsServer makes the server of the metrics listener: metrics and probes, and nothing that tells of callers, users or what is in memory.
// Machines that watch the gateway reach it by any name, so it takes every Host header.
func (s *Server) newMetricsServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.cfg.Metrics.Handler())
	s.addProbes(mux)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: s.cfg.HeaderTime,
		ReadTimeout:       metricsTimeout,
		WriteTimeout:      metricsTimeout,
		IdleTimeout:       s.cfg.IdleTime,
		MaxHeaderBytes:    maxHTTPHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
}

// boundMetricsConns bounds the connections of the metrics listener.
func boundMetricsConns(listener net.Listener) net.Listener {
	return netutil.LimitListener(listener, maxMetricsConns)
}
