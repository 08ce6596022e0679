package server_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/service"
)

// TestTheMetricsListenerServesMetricsAndProbesAlone: what other machines may see. The metrics listener serves metrics and probes under any name, and
// nothing of the other listeners.
func TestTheMetricsListenerServesMetricsAndProbesAlone(t *testing.T) {
	t.Parallel()
	h := start(t, func(cfg *server.Config) { cfg.MetricsAddr = "127.0.0.1:0" })
	h.get(t, "/v1/users")
	for path, want := range map[string]struct {
		status int
		part   string
	}{
		"/metrics": {http.StatusOK, `parley_requests_total{code="OK",reason="",rpc="ListUsers",tenant="contoso"} 1`},
		"/livez":   {http.StatusOK, `"ok"`}, "/readyz": {http.StatusOK, `"ok"`},
		"/debug/pprof/": {http.StatusNotFound, ""}, "/debug/pprof/heap": {http.StatusNotFound, ""}, "/v1/users": {http.StatusNotFound, ""},
		"/docs": {http.StatusNotFound, ""}, "/": {http.StatusNotFound, ""}, "/healthz": {http.StatusNotFound, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.server.MetricsAddr()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "parley-0.parley.monitoring.svc:9464"
		answer, err := h.web.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if text := body(t, answer); answer.StatusCode != want.status || !strings.Contains(text, want.part) {
			t.Errorf("%s: %d %.200s", path, answer.StatusCode, text)
		}
	}
	if resp := h.get(t, "/livez"); resp.StatusCode != http.StatusOK {
		t.Errorf("/livez of REST: %d", resp.StatusCode)
	}
	if without := start(t, nil); without.server.MetricsAddr() != "" {
		t.Errorf("a listener that nobody asked for: %s", without.server.MetricsAddr())
	}
	f := &fake{}
	_, err := server.New(server.Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", MetricsAddr: "9464",
		Tenants: map[string]*service.Tenant{"contoso": f.tenant()}, Engine: f,
	})
	if wrong := (*server.ConfigError)(nil); !errors.As(err, &wrong) || wrong.Field != "MetricsAddr" {
		t.Errorf("an address without a host: %v", err)
	}
}
