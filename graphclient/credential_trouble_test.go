package graphclient_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// TestFederatedTokenFileIsReadAgain rotates a workload's token file: once the authority has refused the old one, the next
// login sends the new one, though the library would keep the old one for ten minutes.
func TestFederatedTokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, "first")
	synctest.Test(t, func(t *testing.T) {
		inProcess := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			a.Config.Handler.ServeHTTP(answer, r)
			return answer.Result(), nil
		})}
		credential := credentialAt(t, a, auth.CredentialConfig{
			Kind: auth.CredentialWorkloadIdentity, TenantID: tenantA, FederatedTokenFile: file, HTTP: inProcess,
		})
		client := newClient(t, graphclient.Config{Credential: credential})
		a.setRefuse(func(form map[string]string) (int, string) {
			if form["client_assertion"] == "first" {
				return http.StatusUnauthorized, `{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range."}`
			}
			return 0, ""
		})
		if err := client.Login(t.Context()); err == nil {
			t.Fatal("the expired token was accepted")
		}
		writeFile(t, file, "second")
		time.Sleep(5 * time.Second)
		if err := client.Login(t.Context()); err != nil {
			t.Errorf("after the rotation: %v", err)
		}
	})
}

// TestCertificateFileIsReadAgain rotates the certificate while the gateway runs: the login after the next 401 signs with the
// new key.
func TestCertificateFileIsReadAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := filepath.Join(t.TempDir(), "app.pem")
	rotate := func() {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, file, certificate(t, key, key.Public()))
	}
	rotate()
	credential := credentialAt(t, a, auth.CredentialConfig{
		Kind: auth.CredentialClientCertificate, TenantID: tenantA, CertificateFile: file,
	})
	client := serverClient(t, refusing(t, ""), withCredential(credential))
	if err := client.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	rotate()
	if _, err := client.Page(t.Context(), chats()); err != nil {
		t.Fatal(err)
	}
	forms := a.seen()
	if len(forms) != 2 {
		t.Fatalf("%d logins, want 2", len(forms))
	}
	signedBy := func(form map[string]string) string {
		head, _, _ := strings.Cut(form["client_assertion"], ".")
		text, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil {
			t.Fatal(err)
		}
		return string(text) // names the certificate by its digest
	}
	if signedBy(forms[0]) == signedBy(forms[1]) {
		t.Errorf("both logins were signed by the same certificate: %s", signedBy(forms[0]))
	}
}

// TestAuthorityDownWithAValidToken lets the token endpoint fail while the token in hand is near its end but good.
func TestAuthorityDownWithAValidToken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"))
	fake := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer short" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(emptyPage))
	}))
	client := serverClient(t, fake, withCredential(cfg.Credential))
	a.setRefuse(func(map[string]string) (int, string) {
		return http.StatusOK, `{"token_type":"Bearer","expires_in":120,"access_token":"short"}`
	})
	if err := client.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	tried := make(chan struct{}, 64)
	a.setRefuse(func(map[string]string) (int, string) {
		tried <- struct{}{}
		return http.StatusServiceUnavailable, `{"error":"temporarily_unavailable"}`
	})
	for range 10 {
		if _, err := client.Page(t.Context(), chats()); err != nil {
			t.Fatal(err)
		}
	}
	<-tried // the early refresh did go out
	if _, err := client.Page(t.Context(), chats()); err != nil {
		t.Error(err)
	}
}

// TestAThrottledLoginIsWaitedForByWhoeverHasTheTime has the authority ask for half a minute: callers who have less time are told so at once, with what is
// left of it, others wait, and nobody asks the authority before.
func TestAThrottledLoginIsWaitedForByWhoeverHasTheTime(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "secret"), "s")
	synctest.Test(t, func(t *testing.T) {
		began, logins := time.Now(), 0
		inProcess := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				if logins++; time.Since(began) < 30*time.Second {
					return answer(http.StatusTooManyRequests, `{"error":"temporarily_unavailable"}`, "Retry-After", "30"), nil
				}
			}
			recorder := httptest.NewRecorder()
			a.Config.Handler.ServeHTTP(recorder, r)
			return recorder.Result(), nil
		})}
		credential := credentialAt(t, a, auth.CredentialConfig{
			Kind: auth.CredentialClientSecret, TenantID: tenantA, ClientSecretFile: file, HTTP: inProcess,
		})
		client := fakeClient(t, func(*http.Request) (*http.Response, error) { return answer(http.StatusOK, emptyPage), nil }, withCredential(credential))
		for _, left := range []time.Duration{30 * time.Second, 25 * time.Second} {
			time.Sleep(time.Until(began.Add(30*time.Second - left)))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, err := client.Page(ctx, chats())
			cancel()
			e := wantError(t, err, graph.KindLoginUnavailable)
			if e.RetryAfter != left || time.Since(began) != 30*time.Second-left || logins != 1 {
				t.Errorf("%#v after %v, %d logins", e, time.Since(began), logins)
			}
		}
		if _, err := client.Page(t.Context(), chats()); err != nil || time.Since(began) < 30*time.Second || logins != 2 {
			t.Errorf("%v after %v, %d logins", err, time.Since(began), logins)
		}
	})
}
