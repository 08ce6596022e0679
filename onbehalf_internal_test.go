package parley

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/cache/readers"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/server/reload"
	"github.com/parley-gateway/parley/server/service"
	"github.com/parley-gateway/parley/source"
)

// echo is an Entra ID that exchanges any assertion for itself, and a Graph that answers with the token's user, or refuses. proven is told the
// secret of each login.
func echo(t *testing.T, proven func(secret string)) *httptest.Server {
	t.Helper()
	echo := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		base := "https://" + r.Host + "/tenant"
		user, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer token-of-")
		switch {
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			fmt.Fprintf(w, `{"token_endpoint":"%[1]s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/authorize","issuer":"%[1]s/v2.0"}`, base)
		case strings.HasSuffix(r.URL.Path, "/token"):
			proven(r.PostFormValue("client_secret"))
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"token-%s"}`, r.PostFormValue("assertion"))
		case r.URL.Path == "/v1.0/users/"+user+"/chats":
			fmt.Fprintf(w, `{"value":[{"id":"19:chat@thread.v2","chatType":"group","topic":"as %s sees it %s"}]}`, user, strings.Repeat("x", 2000))
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	echo.EnableHTTP2 = true
	echo.StartTLS()
	t.Cleanup(echo.Close)
	return echo
}

// TestThousandsOfUsers reads on behalf of more users than are kept, all at once and again: each sees their own, and what is
// kept of them stays within its bounds.
func TestThousandsOfUsers(t *testing.T) {
	t.Parallel()
	fake := echo(t, func(string) {})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := Tenant{ClientID: "app", ID: "tenant"}
	app, err := graphclient.New(graphclient.Config{
		BaseURL: fake.URL, HTTP: fake.Client(), Limits: ratelimit.LimitTable{},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	clients, err := graphclient.NewDelegates(app, graphclient.DelegatesConfig{Credential: auth.CredentialConfig{
		Kind: auth.CredentialClientSecret, TenantID: "tenant", ClientID: "app", ClientSecretFile: secret,
		AuthorityHost: fake.URL, HTTP: fake.Client(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer clients.Close()
	const kept, users = 1 << 20, graphclient.DefaultAssertions + 200
	pages, err := cache.New(cache.Config{MaxBytes: kept})
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	behalf := newOnBehalf(&own, clients, readers.New(pages, readers.Config{}), own.options(&Config{Logger: slog.New(slog.DiscardHandler)}))
	read := func(i int) {
		user := fmt.Sprintf("u%d", i)
		delegated, err := behalf.OnBehalfOf(t.Context(), service.Assertion{User: user, Token: "of-" + user, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Error(err)
			return
		}
		page, err := delegated.Sources.Conversations.Conversations(t.Context(), source.ConversationQuery{Owner: user, User: user}, "")
		if err != nil || len(page.Items) != 1 || !strings.HasPrefix(page.Items[0].GetTopic(), "as "+user+" sees it") {
			t.Errorf("%s reads %v %v", user, page, err)
		}
	}
	for range 2 {
		next := make(chan int)
		var workers sync.WaitGroup
		for range 16 {
			workers.Go(func() {
				for i := range next {
					read(i)
				}
			})
		}
		for i := range users {
			next <- i
		}
		close(next)
		workers.Wait()
	}
	if n := clients.Len(); n != graphclient.DefaultAssertions {
		t.Errorf("%d clients are kept, want %d", n, graphclient.DefaultAssertions)
	}
	if n := pages.Bytes(); n > kept {
		t.Errorf("%d bytes are kept, want at most %d", n, kept)
	}
}

// TestIdentitiesDiffer checks that no user's pages can be taken for the application's or another user's.
func TestIdentitiesDiffer(t *testing.T) {
	t.Parallel()
	if a, b := identityOf("app", "u1"), identityOf("app", "u2"); a == b || a == "app" {
		t.Errorf("%q and %q", a, b)
	}
}

// TestSecretRotatesWhileNobodyCalls: a change is noticed without a call. The secret by which users' tokens are exchanged is
// read when its file changes, and holds although the file is broken when the next user comes. One change is reported once.
func TestSecretRotatesWhileNobodyCalls(t *testing.T) {
	t.Parallel()
	proven := make(chan string, 9)
	fake := echo(t, func(secret string) { proven <- secret })
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cfg := Config{Logger: slog.New(slog.DiscardHandler), OIDC: &OIDC{}}
	own := Tenant{
		ID: "tenant", ClientID: "app", Credential: auth.CredentialClientSecret, ClientSecretFile: write("secret", "first"),
		CAFile:       write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: fake.Certificate().Raw}))),
		AuthorityURL: fake.URL, BaseURL: fake.URL,
	}
	clients, err := newGraph(&cfg, &own, graph.NoObserver{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer clients.close()
	stats, err := metrics.New("test", "")
	if err != nil {
		t.Fatal(err)
	}
	files := &reloads{reload.NewWatcher(0), cfg.Logger, stats}
	files.watchCredential(clients)
	for _, step := range []struct{ user, content, proves, ok, failed string }{
		{"anna", "first", "first", "0", "0"},
		{"ben", "second", "second", "1", "0"},
		{"cleo", " ", "second", "1", "1"},
		{"dora", " ", "second", "1", "1"},
	} {
		write("secret", step.content)
		files.watcher.Look()
		write("secret", " ")
		user, err := clients.delegates.Client(graphclient.Assertion{Token: step.user, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if err := user.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		if secret := <-proven; secret != step.proves {
			t.Errorf("%s: proven by %q, want %q", step.user, secret, step.proves)
		}
		recorder := httptest.NewRecorder()
		stats.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		for result, want := range map[string]string{"ok": step.ok, "failed": step.failed} {
			if line := fmt.Sprintf(`parley_reloads_total{result=%q,what="credentials"} %s`, result, want); !strings.Contains(recorder.Body.String(), line+"\n") {
				t.Errorf("%s: metrics lack %s", step.user, line)
			}
		}
	}
}
