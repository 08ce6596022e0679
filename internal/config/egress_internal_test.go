package config

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// TestWhichProxyARequestTakes: which proxy a request takes, by the environment, by the setting above it, and by NO_PROXY.
func TestWhichProxyARequestTakes(t *testing.T) {
	for name, c := range map[string]struct {
		own, env, spared, target string
		want                     string // host of the proxy
	}{
		"none":                          {"", "", "", "https://graph.microsoft.com/v1.0", ""},
		"environment":                   {"", "http://env:3128", "", "https://graph.microsoft.com/v1.0", "env:3128"},
		"environment, without a scheme": {"", "env:3128", "", "https://login.microsoftonline.com/x", "env:3128"},
		"environment, spared":           {"", "http://env:3128", "graph.microsoft.com", "https://graph.microsoft.com/v1.0", ""},
		"environment, spared domain":    {"", "http://env:3128", ".microsoft.com", "https://graph.microsoft.com/v1.0", ""},
		"environment, this machine":     {"", "http://env:3128", "", "https://127.0.0.1:8090/v1.0", ""},
		"own above it":                  {"http://own:8080", "http://env:3128", "", "https://graph.microsoft.com/v1.0", "own:8080"},
		"own, spared":                   {"http://own:8080", "", "login.microsoftonline.com", "https://login.microsoftonline.com/x", ""},
		"own, everything spared":        {"http://own:8080", "", "*", "https://graph.microsoft.com/v1.0", ""},
		"own, this machine":             {"http://own:8080", "", "graph.microsoft.com", "https://127.0.0.1:8090/v1.0", "own:8080"},
		"own, localhost spared":         {"http://own:8080", "", "x, localhost", "https://localhost:8090/v1.0", ""},
		"own, this port spared":         {"http://own:8080", "", "127.0.0.1:8090", "https://127.0.0.1:8090/v1.0", ""},
		"own, another port spared":      {"http://own:8080", "", "127.0.0.1:8091", "https://127.0.0.1:8090/v1.0", "own:8080"},
		"own, a network spared":         {"http://own:8080", "", "127.0.0.0/8", "http://127.0.0.1:8090/v1.0", ""},
		"own, six spared":               {"http://own:8080", "", "[::1]:8090", "http://[::1]:8090/v1.0", ""},
		"socks":                         {"socks5h://own:1080", "", "", "https://graph.microsoft.com/v1.0", "own:1080"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HTTPS_PROXY", c.env)
			t.Setenv("NO_PROXY", c.spared)
			choose, err := (&Settings{ProxyURL: c.own}).egress(slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if choose != nil {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.target, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				through, err := choose(request)
				if err != nil {
					t.Fatal(err)
				}
				if through != nil {
					got = through.Host
				}
			}
			if got != c.want {
				t.Errorf("through %q, want %q", got, c.want)
			}
		})
	}
	t.Run("no URL", func(t *testing.T) {
		t.Setenv("HTTPS_PROXY", "http://user:pass%word@proxy")
		if _, err := (&Settings{}).egress(slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "HTTPS_PROXY") || strings.Contains(err.Error(), "pass") {
			t.Errorf("%v", err)
		}
	})
}
