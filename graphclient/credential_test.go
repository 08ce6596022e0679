package graphclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/graphclient/auth"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

const (
	tenantA = "11111111-1111-1111-1111-111111111111"
	tenantB = "22222222-2222-2222-2222-222222222222"
	appID   = "33333333-3333-3333-3333-333333333333"
)

// authority is an Entra ID token endpoint.
type authority struct {
	*httptest.Server

	mu     sync.Mutex
	asked  int // for documents
	issued int
	forms  []map[string]string
	paths  []string
	refuse func(form map[string]string) (status int, body string)
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.Server = tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.URL.Path, "/token") {
			a.mu.Lock()
			a.asked++
			a.mu.Unlock()
			base := a.URL + "/" + strings.Split(r.URL.Path, "/")[1]
			_ = json.NewEncoder(w).Encode(map[string]string{
				"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "issuer": base + "/v2.0",
			})
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form := map[string]string{}
		for name := range r.PostForm {
			form[name] = r.PostForm.Get(name)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.forms, a.paths = append(a.forms, form), append(a.paths, r.URL.Path)
		if a.refuse != nil {
			if status, body := a.refuse(form); status != 0 {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
				return
			}
		}
		a.issued++
		_ = json.NewEncoder(w).Encode(map[string]any{
			"token_type": "Bearer", "expires_in": 3600,
			"access_token": fmt.Sprintf("%s/%d", strings.Split(r.URL.Path, "/")[1], a.issued),
		})
	}))
	return a
}

func (a *authority) setRefuse(refuse func(map[string]string) (int, string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = refuse
}

func (a *authority) seen() []map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]map[string]string(nil), a.forms...)
}

func (a *authority) discoveries() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

func (a *authority) client(t *testing.T) *http.Client {
	t.Helper()
	transport := a.Server.Client().Transport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func writeFile(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secretCredential logs in with a client secret from a file.
func secretCredential(t *testing.T, a *authority, tenant, file string) graphclient.Config {
	t.Helper()
	credential := credentialAt(t, a, auth.CredentialConfig{
		Kind: auth.CredentialClientSecret, TenantID: tenant, ClientSecretFile: file,
	})
	return graphclient.Config{Credential: credential, TenantID: tenant, ClientID: appID}
}

// credentialAt makes a credential of the app that logs in to the authority, by a client of its own unless cfg has one.
func credentialAt(t *testing.T, a *authority, cfg auth.CredentialConfig) azcore.TokenCredential {
	t.Helper()
	cfg.ClientID, cfg.AuthorityHost = appID, a.URL
	if cfg.HTTP == nil {
		cfg.HTTP = a.client(t)
	}
	credential, err := auth.NewCredential(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// refusing is a Graph that answers the first token of an authority with 401 and the challenge, if there is one; others find
// nothing.
func refusing(t *testing.T, challenge string) *httptest.Server {
	t.Helper()
	return tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer "+tenantA+"/1" {
			if challenge != "" {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(emptyPage))
	}))
}

func TestColdCallersAreOneTokenRequest(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s3cret\n"))
	fake := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+tenantA+"/1" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(emptyPage))
	}))
	client := serverClient(t, fake, withCredential(cfg.Credential))
	crowd(t, client)
	forms := a.seen()
	if len(forms) != 1 {
		t.Fatalf("%d token requests, want 1", len(forms))
	}
	if f := forms[0]; f["client_secret"] != "s3cret" || f["client_id"] != appID || f["grant_type"] != "client_credentials" ||
		!strings.Contains(f["scope"], "https://graph.microsoft.com/.default") {
		t.Errorf("form %v", f)
	}
}

func TestTwoTenantsNeverMix(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "secret"), "s")
	var wg sync.WaitGroup
	for _, tenant := range []string{tenantA, tenantB} {
		fake := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "+tenant+"/") {
				t.Errorf("tenant %s got %q", tenant, r.Header.Get("Authorization"))
			}
			_, _ = w.Write([]byte(emptyPage))
		}))
		client := serverClient(t, fake, withCredential(secretCredential(t, a, tenant, file).Credential))
		for range 20 {
			wg.Go(func() {
				if _, err := client.Page(t.Context(), chats()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

func TestRenewalReachesTheAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"))
	client := serverClient(t, refusing(t, ""), withCredential(cfg.Credential))
	page, err := client.Page(t.Context(), chats())
	if err != nil || page.Requests != 2 || len(a.seen()) != 2 {
		t.Errorf("page %+v, error %v, %d token requests: the library's cache was not left behind", page, err, len(a.seen()))
	}
}

func TestClaimsReachTheAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"))
	challenge := `Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7InZhbHVlIjoiMSJ9fX0="`
	client := serverClient(t, refusing(t, challenge), withCredential(cfg.Credential))
	if _, err := client.Page(t.Context(), chats()); err != nil {
		t.Fatal(err)
	}
	forms := a.seen()
	if len(forms) != 2 || !strings.Contains(forms[1]["claims"], `"nbf"`) || !strings.Contains(forms[0]["claims"], "CP1") {
		t.Errorf("forms %v", forms)
	}
}

func TestSecretFileIsReadAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "secret"), "old")
	cfg := secretCredential(t, a, tenantA, file)
	client := serverClient(t, refusing(t, ""), withCredential(cfg.Credential))
	if err := client.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, "new")
	if _, err := client.Page(t.Context(), chats()); err != nil {
		t.Fatal(err)
	}
	forms := a.seen()
	if len(forms) != 2 || forms[0]["client_secret"] != "old" || forms[1]["client_secret"] != "new" {
		t.Errorf("forms %v", forms)
	}
}

func TestUnusableFileKeepsTheOldCredential(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "secret"), "old")
	cfg := secretCredential(t, a, tenantA, file)
	cfg.Limits = ratelimit.LimitTable{}
	for _, change := range []func(){
		func() { writeFile(t, file, "  \n") },
		func() {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
	} {
		change()
		if err := newClient(t, cfg).Login(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, form := range a.seen() {
		if form["client_secret"] != "old" {
			t.Errorf("form %v", form)
		}
	}
}

func TestARefusedLoginIsACredentialError(t *testing.T) {
	t.Parallel()
	refusal := `{"error":"invalid_client","error_description":"AADSTS7000215: ` + secretText + ` Trace ID: x","error_codes":[7000215]}`
	for name, c := range map[string]struct {
		status int
		body   string
		kind   graph.Kind
		code   string
		inner  string
	}{
		"wrong secret": {401, refusal, graph.KindCredential, "AADSTS7000215", "invalid_client"},
		"bad request":  {400, `{"error":"unauthorized_client","error_description":"AADSTS700016: ` + secretText + `"}`, graph.KindCredential, "AADSTS700016", "unauthorized_client"},
		"HTML":         {403, `<html>` + secretText, graph.KindCredential, "", ""},
		"unavailable":  {503, secretText, graph.KindLoginUnavailable, "", ""},
		"throttled":    {429, secretText, graph.KindLoginUnavailable, "", ""},
		"redirected":   {307, secretText, graph.KindCredential, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.setRefuse(func(map[string]string) (int, string) { return c.status, c.body })
			cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"))
			cfg.Retry.Tries = 1
			_, err := newClient(t, cfg).Page(t.Context(), chats())
			e := wantError(t, err, c.kind)
			if e.Code != c.code || e.InnerCode != c.inner || e.Requests != 0 || (e.RetryAfter > 0) != (c.kind == graph.KindLoginUnavailable) {
				t.Errorf("%#v", e)
			}
			for text := error(e); text != nil; {
				if strings.Contains(text.Error(), secretText) || strings.Contains(text.Error(), "http") {
					t.Errorf("the authority's words are told: %v", text)
				}
				unwrapper, ok := text.(interface{ Unwrap() error })
				if !ok {
					break
				}
				text = unwrapper.Unwrap()
			}
		})
	}
}

func TestAnAuthorityOutOfReachIsUnavailable(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := secretCredential(t, a, tenantA, writeFile(t, filepath.Join(t.TempDir(), "secret"), "s"))
	cfg.Retry.Tries = 1
	a.Close()
	_, err := newClient(t, cfg).Page(t.Context(), chats())
	if e := wantError(t, err, graph.KindLoginUnavailable); e.Cause != graph.CauseRefused {
		t.Errorf("cause %q", e.Cause)
	}
}

// certificate makes a key pair in PEM.
func certificate(t *testing.T, key any, public any) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func TestACertificateLogsIn(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t)
	credential := credentialAt(t, a, auth.CredentialConfig{
		Kind: auth.CredentialClientCertificate, TenantID: tenantA,
		CertificateFile: writeFile(t, filepath.Join(t.TempDir(), "app.pem"), certificate(t, key, key.Public())),
	})
	if err := newClient(t, graphclient.Config{Credential: credential}).Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if forms := a.seen(); len(forms) != 1 || strings.Count(forms[0]["client_assertion"], ".") != 2 {
		t.Errorf("forms %v", forms)
	}
}

func TestAWorkloadIdentityLogsIn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	credential := credentialAt(t, a, auth.CredentialConfig{
		Kind: auth.CredentialWorkloadIdentity, TenantID: tenantA,
		FederatedTokenFile: writeFile(t, filepath.Join(t.TempDir(), "token"), "first"),
	})
	if err := newClient(t, graphclient.Config{Credential: credential}).Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	if forms := a.seen(); len(forms) != 1 || forms[0]["client_assertion"] != "first" {
		t.Errorf("forms %v", forms)
	}
}

func TestSettingsOfAnotherKindOfCredentialAreRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	secret := writeFile(t, filepath.Join(folder, "secret"), "s")
	empty := writeFile(t, filepath.Join(folder, "empty"), "\n")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curve := writeFile(t, filepath.Join(folder, "curve.pem"), certificate(t, key, key.Public()))
	type config = auth.CredentialConfig
	for name, c := range map[string]struct {
		cfg  config
		want string // in the error; empty = no error
	}{
		"none":                         {config{Kind: "none"}, ""},
		"none with a secret":           {config{Kind: "none", ClientSecretFile: secret}, "ClientSecretFile"},
		"no kind":                      {config{}, "Kind"},
		"unknown kind":                 {config{Kind: "password", TenantID: tenantA}, "client-secret, client-certificate, workload-identity, managed-identity, azure-cli, none"},
		"no tenant":                    {config{Kind: "client-secret", ClientID: appID, ClientSecretFile: secret}, "TenantID"},
		"bad tenant":                   {config{Kind: "client-secret", TenantID: "a/b", ClientID: appID, ClientSecretFile: secret}, "TenantID"},
		"no client":                    {config{Kind: "client-secret", TenantID: tenantA, ClientSecretFile: secret}, "ClientID"},
		"no secret":                    {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID}, "ClientSecretFile"},
		"missing file":                 {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: filepath.Join(folder, "x")}, "ClientSecretFile: no file"},
		"a folder":                     {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: folder}, "ClientSecretFile"},
		"empty file":                   {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: empty}, "ClientSecretFile: file is empty"},
		"secret":                       {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: secret}, ""},
		"secret and certificate":       {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: secret, CertificateFile: secret}, "CertificateFile"},
		"authority in clear text":      {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: secret, AuthorityHost: "http://x"}, "AuthorityHost"},
		"no certificate":               {config{Kind: "client-certificate", TenantID: tenantA, ClientID: appID}, "CertificateFile"},
		"certificate, no client":       {config{Kind: "client-certificate", TenantID: tenantA, CertificateFile: curve}, "ClientID"},
		"not a certificate":            {config{Kind: "client-certificate", TenantID: tenantA, ClientID: appID, CertificateFile: secret}, "CertificateFile"},
		"certificate of a curve":       {config{Kind: "client-certificate", TenantID: tenantA, ClientID: appID, CertificateFile: curve}, "CertificateFile"},
		"workload with a secret":       {config{Kind: "workload-identity", TenantID: tenantA, ClientID: appID, ClientSecretFile: secret}, "ClientSecretFile"},
		"workload, no client":          {config{Kind: "workload-identity", TenantID: tenantA, FederatedTokenFile: secret}, "Kind: workload-identity needs a client id"},
		"secret with a token file":     {config{Kind: "client-secret", TenantID: tenantA, ClientID: appID, ClientSecretFile: secret, FederatedTokenFile: secret}, "FederatedTokenFile"},
		"managed identity":             {config{Kind: "managed-identity", TenantID: tenantA}, ""},
		"managed identity of a user":   {config{Kind: "managed-identity", TenantID: tenantA, ClientID: appID}, ""},
		"managed identity, no tenant":  {config{Kind: "managed-identity"}, "TenantID"},
		"managed identity with secret": {config{Kind: "managed-identity", TenantID: tenantA, ClientSecretFile: secret}, "ClientSecretFile"},
		"azure-cli":                    {config{Kind: "azure-cli", TenantID: tenantA}, ""},
		"azure-cli with a client":      {config{Kind: "azure-cli", TenantID: tenantA, ClientID: appID}, "ClientID"},
		"azure-cli, authority":         {config{Kind: "azure-cli", TenantID: tenantA, AuthorityHost: "https://x"}, "AuthorityHost"},
		"azure-cli, bad tenant":        {config{Kind: "azure-cli", TenantID: "a b"}, "TenantID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			credential, err := auth.NewCredential(c.cfg)
			if c.want == "" {
				if err != nil || (credential == nil) != (c.cfg.Kind == "none") {
					t.Errorf("credential %v, error %v", credential, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || credential != nil {
				t.Errorf("credential %v, error %v, want %s", credential, err, c.want)
			}
		})
	}
}
