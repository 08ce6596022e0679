package graphsim_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim"
)

const (
	tenantA = "11111111-aaaa-4aaa-8aaa-111111111111"
	tenantB = "22222222-bbbb-4bbb-8bbb-222222222222"
)

// secure runs a TLS simulator with the wall clock and two tenants.
func secure(t *testing.T, change func(*graphsim.Config)) *graphsim.Sim {
	t.Helper()
	return start(t, func(c *graphsim.Config) {
		c.Plain, c.Now = false, time.Now
		c.Tenants = []graphsim.Tenant{
			{ID: tenantA, Apps: []graphsim.App{{ClientID: "app-a", Secret: "secret-a"}}},
			{ID: tenantB, Apps: []graphsim.App{{ClientID: "app-b", Secret: "secret-b"}, {ClientID: "app-weak", Secret: "weak", Roles: []string{"User.Read.All"}}}},
		}
		if change != nil {
			change(c)
		}
	})
}

func clientOptions(t *testing.T, s *graphsim.Sim) azcore.ClientOptions {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return azcore.ClientOptions{
		Transport: &http.Client{Transport: tr},
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: s.URL()},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}
}

func bearer(t *testing.T, cred azcore.TokenCredential, scope string) (string, error) {
	t.Helper()
	tok, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
	return "Bearer " + tok.Token, err
}

func secretCredential(t *testing.T, s *graphsim.Sim, tenant, app, secret string) azcore.TokenCredential {
	t.Helper()
	cred, err := azidentity.NewClientSecretCredential(tenant, app, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: clientOptions(t, s), DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func TestClientSecretAndTenants(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	c := newClient(t, s)
	upns := map[string]string{}
	for tenant, app := range map[string][2]string{tenantA: {"app-a", "secret-a"}, tenantB: {"app-b", "secret-b"}} {
		for _, scope := range []string{s.URL() + "/.default", "https://graph.microsoft.com/.default"} {
			tok, err := bearer(t, secretCredential(t, s, tenant, app[0], app[1]), scope)
			if err != nil {
				t.Fatal(err)
			}
			p := c.with("Authorization", tok).page("/v1.0/users?$top=1")
			upns[tenant] = text(p.Value[0], "id")
		}
	}
	if upns[tenantA] == upns[tenantB] {
		t.Error("both tenants have the same first user")
	}
	tok, err := bearer(t, secretCredential(t, s, tenantA, "app-a", "secret-a"), s.URL()+"/.default")
	if err != nil {
		t.Fatal(err)
	}
	if a := c.with("Authorization", tok).get("/v1.0/users/" + upns[tenantB]); a.status != http.StatusNotFound {
		t.Errorf("tenant A reads tenant B's user: %d", a.status)
	}
	if a := c.with("Authorization", tok).get("/v1.0/users/" + upns[tenantA]); a.status != http.StatusOK {
		t.Errorf("tenant A's user: %d", a.status)
	}
	for _, r := range s.Requests() {
		if strings.Contains(r.Path, "/users/"+upns[tenantB]) && (r.Tenant != tenantA || !r.Authorization) {
			t.Errorf("recorded %+v", r)
		}
	}
}

func TestClientSecretRefused(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	for name, q := range map[string]struct{ tenant, app, secret, want string }{
		"secret": {tenantA, "app-a", "wrong", "AADSTS7000215"},
		"app":    {tenantA, "app-b", "secret-b", "AADSTS700016"},
		"tenant": {"33333333-bbbb-4bbb-8bbb-222222222222", "app-a", "secret-a", "AADSTS90002"},
	} {
		_, err := bearer(t, secretCredential(t, s, q.tenant, q.app, q.secret), s.URL()+"/.default")
		if err == nil || !strings.Contains(err.Error(), q.want) {
			t.Errorf("%s: %v, want %s", name, err, q.want)
		}
	}
}

func TestCertificateAndFederation(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	outside, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := secure(t, func(c *graphsim.Config) {
		c.Tenants = []graphsim.Tenant{{ID: tenantA, Apps: []graphsim.App{{
			ClientID: "app-a", Certificate: cert,
			Federated: &graphsim.Federated{Issuer: "https://issuer.example", Subject: "pod", Key: &outside.PublicKey},
		}}}}
	})
	byCert, err := azidentity.NewClientCertificateCredential(tenantA, "app-a", []*x509.Certificate{cert}, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: clientOptions(t, s), DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	assert := func(life time.Duration) func(context.Context) (string, error) {
		return func(context.Context) (string, error) {
			return jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{
				Issuer: "https://issuer.example", Subject: "pod", Audience: jwt.ClaimStrings{"api://AzureADTokenExchange"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(life)),
			}).SignedString(outside)
		}
	}
	federated := func(life time.Duration) azcore.TokenCredential {
		cred, err := azidentity.NewClientAssertionCredential(tenantA, "app-a", assert(life), &azidentity.ClientAssertionCredentialOptions{
			ClientOptions: clientOptions(t, s), DisableInstanceDiscovery: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	for name, cred := range map[string]azcore.TokenCredential{"certificate": byCert, "federated": federated(time.Hour)} {
		tok, err := bearer(t, cred, s.URL()+"/.default")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a := newClient(t, s).with("Authorization", tok).get("/v1.0/users?$top=1"); a.status != http.StatusOK {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	if _, err := bearer(t, federated(-time.Hour), s.URL()+"/.default"); err == nil || !strings.Contains(err.Error(), "AADSTS700024") {
		t.Errorf("expired assertion: %v", err)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	c := newClient(t, s)
	sign := func(q graphsim.TokenRequest) string {
		if q.Tenant == "" {
			q.Tenant = tenantA
		}
		tok, err := s.SignToken(q)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + tok
	}
	good := sign(graphsim.TokenRequest{})
	flip := byte('A')
	if good[len(good)-10] == 'A' {
		flip = 'B'
	}
	forged := good[:len(good)-10] + string(flip) + good[len(good)-9:]
	for name, q := range map[string]struct {
		header, path string
		status       int
		code, want   string
	}{
		"none":      {"", "/v1.0/users", 401, "InvalidAuthenticationToken", "Access token is empty."},
		"garbage":   {"Bearer garbage", "/v1.0/users", 401, "InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217"},
		"forged":    {forged, "/v1.0/users", 401, "InvalidAuthenticationToken", "signature"},
		"expired":   {sign(graphsim.TokenRequest{IssuedAt: time.Now().Add(-3 * time.Hour)}), "/v1.0/users", 401, "InvalidAuthenticationToken", "expired"},
		"audience":  {sign(graphsim.TokenRequest{Audience: "https://vault.example"}), "/v1.0/users", 401, "InvalidAuthenticationToken", "audience"},
		"tenant":    {sign(graphsim.TokenRequest{Tenant: "no-such"}), "/v1.0/users", 401, "InvalidAuthenticationToken", "tenant"},
		"role":      {sign(graphsim.TokenRequest{Roles: []string{"User.Read.All"}}), "/v1.0/users/x/chats/getAllMessages", 403, "Forbidden", "Missing role permissions on the request. API requires one of 'Chat.Read.All, Chat.ReadWrite.All'. Roles on the request 'User.Read.All'"},
		"copilot":   {sign(graphsim.TokenRequest{Roles: []string{}}), "/v1.0/copilot/users/x/interactionHistory/getAllEnterpriseInteractions", 403, "Forbidden", "'AiEnterpriseInteraction.Read.All'. Roles on the request ''"},
		"calls":     {sign(graphsim.TokenRequest{Roles: []string{"Chat.Read.All"}}), "/v1.0/communications/callRecords", 403, "Forbidden", "CallRecords.Read.All"},
		"directory": {sign(graphsim.TokenRequest{Roles: []string{"Chat.Read.All"}}), "/v1.0/users", 403, "Authorization_RequestDenied", "Insufficient privileges"},
	} {
		cl := c
		if q.header != "" {
			cl = c.with("Authorization", q.header)
		}
		a := cl.with("Client-Request-Id", "mine-"+name).get(q.path)
		code, message := refusal(t, a)
		if a.status != q.status || code != q.code || !strings.Contains(message, q.want) {
			t.Errorf("%s: %d %s %q", name, a.status, code, message)
		}
		if a.header.Get("Client-Request-Id") != "mine-"+name || a.header.Get("Request-Id") == "" || a.header.Get("Date") == "" {
			t.Errorf("%s: headers %v", name, a.header)
		}
	}
}

func TestTokenEndpointForms(t *testing.T) {
	t.Parallel()
	s := secure(t, nil)
	c := newClient(t, s)
	base := func(k, v string) url.Values {
		f := url.Values{"client_id": {"app-a"}, "client_secret": {"secret-a"}, "grant_type": {"client_credentials"}, "scope": {"https://graph.microsoft.com/.default"}}
		f.Set(k, v)
		return f
	}
	for name, q := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"good":   {base("x", "y"), 200, ""},
		"scope":  {base("scope", "https://graph.microsoft.com/Chat.Read.All"), 400, "invalid_scope"},
		"grant":  {base("grant_type", "password"), 400, "unsupported_grant_type"},
		"secret": {base("client_secret", ""), 401, "invalid_client"},
	} {
		var e struct {
			Error string `json:"error"`
		}
		if a := c.signIn(q.form, &e); a.status != q.status || e.Error != q.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := c.get("/" + tenantA + "/oauth2/v2.0/token"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.status)
	}
	keys := c.entity("/" + tenantA + "/discovery/v2.0/keys")
	if list, _ := keys["keys"].([]any); len(list) != 1 {
		t.Errorf("keys %v", keys)
	}
	found := c.entity("/" + tenantA + "/v2.0/.well-known/openid-configuration")
	if found["issuer"] != s.URL()+"/"+tenantA+"/v2.0" {
		t.Errorf("issuer %v", found["issuer"])
	}
}
