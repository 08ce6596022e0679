package server

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/service"
)

// TestSlowConnectionsEnd checks that no client can hold a connection by being slow: headers have a time, idle connections end.
func TestSlowConnectionsEnd(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	counted, err := metrics.New("test", "")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", Logger: logger, Metrics: counted,
		Tenants: map[string]*service.Tenant{"contoso": {}}, Engine: struct{ service.Engine }{},
	}.complete()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*http.Server{
		"REST":  newWeb(http.NotFoundHandler(), &cfg),
		"admin": newAdmin(newDiagnostics(), cfg),
	} {
		if s.ReadHeaderTimeout <= 0 || s.ReadHeaderTimeout > 30*time.Second || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > 1<<20 {
			t.Errorf("%s: header time %s, idle time %s, header bytes %d", name, s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes)
		}
	}
}
