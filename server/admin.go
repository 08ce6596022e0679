package server

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"

	"google.golang.org/grpc"
	channelz "google.golang.org/grpc/channelz/service"
	"google.golang.org/grpc/reflection"

	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/server/rest/httpmw"
)

// newDiagnostics is the gRPC server behind the admin listener: channelz, and reflection so that tools can call it.
func newDiagnostics() *grpc.Server {
	server := grpc.NewServer()
	channelz.RegisterChannelzServiceToServer(server)
	reflection.RegisterV1(server)
	return server
}

// newAdmin makes the admin server: /metrics, /debug/pprof/ and, over HTTP/2 without TLS, channelz. It has no write
// timeout since profiles and traces take as long as they are asked to.
func newAdmin(diagnostics *grpc.Server, cfg Config) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", cfg.Metrics.Handler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			diagnostics.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		// Profiles hold what is in memory, so no web page may reach them under a name of its own.
		Handler:           httpmw.LocalHosts(handler, rest.WrongHost),
		Protocols:         protocols,
		ReadHeaderTimeout: cfg.HeaderTime,
		IdleTimeout:       cfg.IdleTime,
		MaxHeaderBytes:    maxHTTPHeader,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
}
