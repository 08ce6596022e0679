package graphclient_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const emptyPage = `{"value":[]}`

// roundTripper answers without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return f(r)
}

// answer makes a response; headers are names and values in turn.
func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// findNothing is a Graph without a row.
func findNothing(*http.Request) (*http.Response, error) { return answer(200, emptyPage), nil }

// tokens is a credential that numbers its tokens.
type tokens struct {
	mu      sync.Mutex
	calls   int
	options []policy.TokenRequestOptions
	fail    error
	life    time.Duration
	before  func(context.Context) error
}

func (c *tokens) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.before != nil {
		if err := c.before(ctx); err != nil {
			return azcore.AccessToken{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.options = append(c.options, options)
	if c.fail != nil {
		return azcore.AccessToken{}, c.fail
	}
	life := c.life
	if life == 0 {
		life = time.Hour
	}
	return azcore.AccessToken{Token: "token-" + string(rune('0'+c.calls)), ExpiresOn: time.Now().Add(life)}, nil
}

func (c *tokens) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

func (c *tokens) setFail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

// newClient makes a client and closes it with the test.
func newClient(t *testing.T, cfg graphclient.Config) *graphclient.Client {
	t.Helper()
	if cfg.Limits == nil {
		cfg.Limits = ratelimit.LimitTable{}
	}
	c, err := graphclient.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// fakeClient talks to a function in place of Graph.
func fakeClient(t *testing.T, serve roundTripper, change ...func(*graphclient.Config)) *graphclient.Client {
	t.Helper()
	cfg := graphclient.Config{BaseURL: "https://127.0.0.1:8443", Transport: serve}
	for _, f := range change {
		f(&cfg)
	}
	return newClient(t, cfg)
}

// tlsServer serves Graph over TLS, HTTP/2 included.
func tlsServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// serverClient talks to a TLS server with its certificate trusted.
func serverClient(t *testing.T, server *httptest.Server, change ...func(*graphclient.Config)) *graphclient.Client {
	t.Helper()
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DisableCompression = true
	t.Cleanup(transport.CloseIdleConnections)
	cfg := graphclient.Config{BaseURL: server.URL, HTTP: &http.Client{Transport: transport}}
	for _, f := range change {
		f(&cfg)
	}
	return newClient(t, cfg)
}

func withCredential(c azcore.TokenCredential) func(*graphclient.Config) {
	return func(cfg *graphclient.Config) { cfg.Credential = c }
}

// crowd has a hundred callers ask at once; each must get its page.
func crowd(t *testing.T, client *graphclient.Client) {
	t.Helper()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := client.Page(t.Context(), chats()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func chats() graph.Request {
	return graph.Request{API: graph.APIChat, Path: "/users/someone/chats"}
}

// wantError asserts the kind and returns the error.
func wantError(t *testing.T, err error, kind graph.Kind) *graph.Error {
	t.Helper()
	e := asError(t, err)
	if e.Kind != kind {
		t.Fatalf("kind = %v (%v), want %v", e.Kind, e, kind)
	}
	return e
}
