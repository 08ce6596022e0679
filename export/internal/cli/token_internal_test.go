package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestTokensAreAskedForAgain fetches tokens of a service that fails in several ways and then answers.
func TestTokensAreAskedForAgain(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	says := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", status) }
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		failing http.HandlerFunc
		fails   int32 // tries
		secret  string
		tries   int32
		ok      bool
		timeout time.Duration // 0 = a minute
	}{
		"it answers":             {nil, 0, secret, 1, true, 0},
		"it is out of order":     {says(http.StatusServiceUnavailable), 2, secret, 3, true, 0},
		"it is asked too often":  {says(http.StatusTooManyRequests), 1, secret, 2, true, 0},
		"it does not answer":     {silent, 1, secret, 2, true, time.Second},
		"it stays out of order":  {says(http.StatusBadGateway), 9, secret, 3, false, 0},
		"it refuses the secret":  {says(http.StatusUnauthorized), 9, secret, 1, false, 0},
		"the secret is not here": {nil, 0, secret + "-gone", 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tries.Load() <= c.fails {
					_ = r.ParseForm() // the server sees that a client is gone when the body is read
					c.failing(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token", "token_type": "Bearer", "expires_in": 3600})
			}))
			defer server.Close()
			flags := authFlags{OIDCTokenURL: server.URL, OIDCClientID: "id", OIDCSecretFile: c.secret}
			retries := tokenRetries{timeout: cmp.Or(c.timeout, time.Minute), tries: 3, wait: time.Nanosecond, waitMost: time.Nanosecond}
			token, expiry, err := retries.fetch(func(ctx context.Context) (string, time.Time, error) {
				tries.Add(1)
				return flags.oidcToken(ctx)
			})(t.Context())
			if tries.Load() != c.tries || (err == nil) != c.ok || c.ok && (token != "token" || expiry.IsZero()) {
				t.Errorf("%q until %v, %v, after %d tries", token, expiry, err, tries.Load())
			}
		})
	}
}

// TestAStoppedRunAsksForNoToken: who stops a run does not wait for the next try.
func TestAStoppedRunAsksForNoToken(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	retries := tokenRetries{timeout: time.Hour, tries: 3, wait: time.Hour, waitMost: time.Hour}
	_, _, err := retries.fetch(func(context.Context) (string, time.Time, error) {
		asked++
		cancel()
		return "", time.Time{}, http.ErrServerClosed
	})(ctx)
	if err == nil || asked != 1 {
		t.Errorf("%v after %d tries", err, asked)
	}
}
