package cli_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-gateway/parley/internal/cli"
)

// TestGuardedDemoDoesWhatItPrints starts the demo with authentication, signs in as it suggests and sends its requests.
func TestGuardedDemoDoesWhatItPrints(t *testing.T) {
	for _, name := range []string{"HTTP", "GRPC", "ADMIN", "SIM"} {
		t.Setenv("PARLEY_"+name+"_ADDR", "127.0.0.1:0")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	printed := &waiter{said: make(chan struct{}), until: "Ctrl-C ends it."}
	var errOut bytes.Buffer
	records := filepath.Join(t.TempDir(), "audit")
	go func() {
		ended <- cli.Run(ctx, []string{"demo", "--auth", "--audit-file=" + records}, printed, &errOut)
	}()
	select {
	case <-printed.said:
	case code := <-ended:
		cancel()
		t.Fatalf("ended with %d: %s", code, &errOut)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	get := func(address, token string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if closing := answer.Body.Close(); err != nil || closing != nil {
			t.Fatal(err, closing)
		}
		return answer.StatusCode, string(body)
	}
	text := printed.text()
	sim := regexp.MustCompile(`simulator +(https://[^,]+),`).FindStringSubmatch(text)[1]
	transport.TLSClientConfig.RootCAs = trust(t, sim)

	tokens := map[string]string{"": ""}
	for _, match := range regexp.MustCompile(`(user|job|self)=\$\(curl -sk '([^']+)'\)`).FindAllStringSubmatch(text, -1) {
		status, token := get(match[2], "")
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", match[2], status, token)
		}
		tokens[match[1]] = strings.TrimSpace(token)
	}
	requests := regexp.MustCompile(`curl (?:-H "Authorization: Bearer \$(user|job|self)" )?'(http://[^']+)'(?: +# \w+: (\d+))?`).FindAllStringSubmatch(text, -1)
	if len(tokens) != 4 || len(requests) != 5 {
		t.Fatalf("%d tokens, %d requests: %s", len(tokens)-1, len(requests), text)
	}
	for _, match := range requests {
		want := map[string]int{"": http.StatusOK, "403": http.StatusForbidden, "401": http.StatusUnauthorized}[match[3]]
		status, body := get(match[2], tokens[match[1]])
		if status != want {
			t.Errorf("%s as %q: %d, want %d: %.300s", match[2], match[1], status, want, body)
		}
		if marks := strings.Contains(body, `"viewpoint":{`); marks != (match[1] == "self") {
			t.Errorf("%s as %q: read marks %v", match[2], match[1], marks)
		}
	}
	transport.CloseIdleConnections()
	cancel()
	if code := <-ended; code != cli.OK {
		t.Errorf("ended with %d: %s", code, &errOut)
	}
	lines, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(lines), "\n"); n != 7 || !strings.Contains(string(lines), "POLICY_DENIED") || strings.Count(string(lines), `"permission":"on_behalf_of"`) != 2 {
		t.Errorf("%d records, want three pairs, one of them on behalf of the user, and a denial: %s", n, lines)
	}
	for _, token := range tokens {
		if token != "" && strings.Contains(string(lines)+errOut.String(), token[len(token)-20:]) {
			t.Error("a token is on record")
		}
	}
}

// trust fetches the simulator's authority from the simulator itself, as a first visitor does.
func trust(t *testing.T, sim string) *x509.CertPool {
	t.Helper()
	first := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the same as curl -k
	defer first.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sim+"/_sim/ca.pem", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := first.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	pem, err := io.ReadAll(answer.Body)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no authority", err)
	}
	return roots
}
