package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/parley-gateway/parley/internal/cli"
)

// run runs one command line to its end.
func run(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestMistakesEndWithTwoAndNameTheFix(t *testing.T) {
	written := func(text string) string {
		path := filepath.Join(t.TempDir(), "parley.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	graph := []string{"--graph-credential=none", "--graph-url=http://127.0.0.1:9"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no verb":              {nil, "expected one of"},
		"unknown verb":         {[]string{"server"}, "unexpected argument server"},
		"unknown flag":         {[]string{"serve", "--grpc-adr=x"}, "unknown flag --grpc-adr"},
		"nothing set":          {[]string{"serve"}, "PARLEY_GRAPH_CREDENTIAL: is not set"},
		"unknown key":          {[]string{"serve", "--config", written("\ngrpc_adr: x\n")}, `:2:1: unknown key "grpc_adr"; did you mean grpc_addr?`},
		"key set twice":        {[]string{"serve", "--config=" + written("log_level: info\nlog_level: warn\n")}, "log_level is set twice"},
		"list for a value":     {[]string{"serve", "--config", written("grpc_addr: [a]\n")}, "grpc_addr: expected one value"},
		"not YAML":             {[]string{"serve", "--config", written("a: b: c\n")}, "not valid YAML"},
		"no such file":         {[]string{"serve", "--config", filepath.Join(t.TempDir(), "absent.yaml")}, "--config:"},
		"bad duration":         {[]string{"serve", "--cache-max-age=soon"}, "--cache-max-age"},
		"open listener":        {append([]string{"serve", "--http-addr=0.0.0.0:0"}, graph...), "PARLEY_HTTP_ADDR:"},
		"remote without token": {[]string{"serve", "--graph-credential=none", "--graph-url=https://graph.example"}, "PARLEY_GRAPH_CREDENTIAL:"},
		"unknown cloud":        {append([]string{"serve", "--graph-cloud=mars"}, graph...), "PARLEY_GRAPH_CLOUD:"},
		"no authority in file": {append([]string{"serve", "--graph-ca-file=" + written("no certificate")}, graph...), "PARLEY_GRAPH_CA_FILE:"},
		"bad keys":             {append([]string{"serve", "--seal-keys-file=" + written("short")}, graph...), "PARLEY_SEAL_KEYS_FILE:"},
		"simulator outside":    {[]string{"sim", "--sim-addr=0.0.0.0:0"}, "loopback"},
		"unknown fault":        {[]string{"sim", "--sim-addr=127.0.0.1:0", "--faults", written("- kind: gremlins\n")}, "--faults:"},
		"cache of a farm":      {append([]string{"serve", "--cache-size=900000GiB"}, graph...), "PARLEY_CACHE_SIZE: 900000GiB is more than half of the memory limit"},
		"bad health address":   {[]string{"healthcheck", "--http-addr=nowhere"}, "PARLEY_HTTP_ADDR:"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := run(t, c.args...)
			if code != cli.Usage || !strings.Contains(errOut, c.want) || strings.Contains(out, "ready") {
				t.Errorf("exit code %d, want %d; stderr %q lacks %q", code, cli.Usage, errOut, c.want)
			}
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	t.Parallel()
	if code, out, _ := run(t, "version"); code != cli.OK || !strings.HasPrefix(out, "parley ") {
		t.Errorf("version: %d %q", code, out)
	}
	code, out, _ := run(t, "serve", "--help")
	if code != cli.OK || !strings.Contains(out, "PARLEY_GRAPH_TENANT_ID") {
		t.Errorf("help: %d %q", code, out)
	}
}

func TestHealthcheckWithoutGateway(t *testing.T) {
	t.Parallel()
	if code, _, errOut := run(t, "healthcheck", "--http-addr=127.0.0.1:1"); code != cli.Failed || !strings.Contains(errOut, "not ready") {
		t.Errorf("%d %q", code, errOut)
	}
}

// TestDemoDoesWhatItPrints starts the demo on free ports and sends every request that it suggests.
func TestDemoDoesWhatItPrints(t *testing.T) {
	t.Setenv("PARLEY_HTTP_ADDR", "127.0.0.1:0")
	t.Setenv("PARLEY_GRPC_ADDR", "127.0.0.1:0")
	t.Setenv("PARLEY_ADMIN_ADDR", "127.0.0.1:0")
	t.Setenv("PARLEY_SIM_ADDR", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	printed := &waiter{said: make(chan struct{}), until: "Ctrl-C ends it."}
	var errOut bytes.Buffer
	go func() { ended <- cli.Run(ctx, []string{"demo"}, printed, &errOut) }()
	select {
	case <-printed.said:
	case code := <-ended:
		cancel()
		t.Fatalf("ended with %d: %s", code, &errOut)
	}
	transport := &http.Transport{}
	urls := regexp.MustCompile(`curl (?:-N )?'([^']+)'`).FindAllStringSubmatch(printed.text(), -1)
	if len(urls) != 4 || !strings.Contains(printed.text(), "grpcurl -plaintext") {
		t.Errorf("want four curl lines and one of grpcurl: %s", printed.text())
	}
	for _, match := range urls {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, match[1], http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "http://localhost:5173")
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if allowed := answer.Header.Get("Access-Control-Allow-Origin"); allowed != "http://localhost:5173" {
			t.Errorf("%s: a page of this machine may not read the answer: %q", match[1], allowed)
		}
		body, err := io.ReadAll(answer.Body)
		if closing := answer.Body.Close(); err != nil || closing != nil || answer.StatusCode != http.StatusOK || len(body) < 500 {
			t.Errorf("%s: HTTP %d, %v, %.200s", match[1], answer.StatusCode, err, body)
		}
		if strings.Contains(match[1], ":stream") && !strings.Contains(string(body), `"complete":true`) {
			t.Errorf("%s does not end complete: %.600s", match[1], body[max(0, len(body)-600):])
		}
	}
	transport.CloseIdleConnections()
	cancel()
	if code := <-ended; code != cli.OK {
		t.Errorf("ended with %d: %s", code, &errOut)
	}
}

// waiter collects output and tells when a text has come.
type waiter struct {
	mu    sync.Mutex
	buf   strings.Builder
	until string
	said  chan struct{}
}

func (w *waiter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := strings.Contains(w.buf.String(), w.until)
	w.buf.Write(p)
	if !before && strings.Contains(w.buf.String(), w.until) {
		close(w.said)
	}
	return len(p), nil
}

func (w *waiter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
