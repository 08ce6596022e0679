package cli_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHangupReadsFilesAgain: a signal of others does not end the service. SIGHUP has the files of the configuration read
// again, the gateway lives on, and its metrics tell.
func TestHangupReadsFilesAgain(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys")
	writeKeys := func(first byte) {
		if err := os.WriteFile(keys, sealKeysText(first), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeKeys('a')
	p := spawn(t, "http://127.0.0.1:9", []string{"PARLEY_METRICS_ADDR=127.0.0.1:0", "PARLEY_SHUTDOWN_DELAY=1ms"}, "--seal-keys-file="+keys, "--log-level=info")
	series := func() string {
		answer, err := p.client.Get("http://" + p.admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %v", answer.StatusCode, err)
		}
		return string(text)
	}
	for _, want := range []string{
		`parley_reloads_total{result="ok",what="seal keys"} 0`, `parley_reloads_total{result="failed",what="certificates"} 0`,
		`parley_reload_last_success_timestamp_seconds{what="seal keys"} 1`,
	} {
		if text := series(); !strings.Contains(text, "\n"+want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	writeKeys('b')
	if err := syscall.Kill(p.pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(series(), `parley_reloads_total{result="ok",what="seal keys"} 1`) || !strings.Contains(p.log.String(), "files of the configuration are looked at") {
	} // until the tests' own time limit
}

// sealKeysText is a file of one key.
func sealKeysText(of byte) []byte {
	return []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{of}, 32)) + "\n")
}
