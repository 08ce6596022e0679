package cli_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/cli"
)

func TestHealthcheckOverTLS(t *testing.T) {
	t.Parallel()
	gateway := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(gateway.Close)
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	addr := "--http-addr=" + strings.TrimPrefix(gateway.URL, "https://")
	for name, c := range map[string]struct {
		file string
		code int
		want string
	}{
		"its certificate": {write("own", "CERTIFICATE", gateway.Certificate().Raw), cli.OK, "ready"},
		"another":         {write("other", "CERTIFICATE", []byte("another")), cli.Failed, "another certificate"},
		"a key":           {write("key", "PRIVATE KEY", nil), cli.Usage, "PARLEY_TLS_CERT_FILE: holds no certificate"},
		"no file":         {filepath.Join(dir, "none"), cli.Usage, "PARLEY_TLS_CERT_FILE: open"},
	} {
		if code, out, errOut := run(t, "healthcheck", addr, "--tls-cert-file="+c.file); code != c.code || !strings.Contains(out+errOut, c.want) {
			t.Errorf("%s: %d, want %d: %s%s", name, code, c.code, out, errOut)
		}
	}
}
