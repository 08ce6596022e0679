package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-gateway/parley/server/authn"
)

// authority is a certificate authority made for one test.
type acceptedIssuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *acceptedIssuer {
	t.Helper()
	a := &acceptedIssuer{}
	a.cert, a.key = certificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	return a
}

func certificate(t *testing.T, template *x509.Certificate, by *acceptedIssuer) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *acceptedIssuer) pool() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return roots
}

// client makes the TLS state of a client whose certificate has these names.
func (a *acceptedIssuer) client(t *testing.T, change func(*x509.Certificate)) *tls.ConnectionState {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "ignored.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames: []string{"Export.example"},
	}
	change(template)
	leaf, _ := certificate(t, template, a)
	return &tls.ConnectionState{
		HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}, VerifiedChains: [][]*x509.Certificate{{leaf, a.cert}},
	}
}

func uris(t *testing.T, texts ...string) []*url.URL {
	t.Helper()
	all := make([]*url.URL, 0, len(texts))
	for _, text := range texts {
		parsed, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed)
	}
	return all
}

func TestCertificateNamesOneCaller(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	certificates := &authn.Certificates{Roots: ours.pool}
	const spiffe = "spiffe://contoso.example/ns/export/sa/reader"
	same := func(*x509.Certificate) {}
	for name, c := range map[string]struct {
		state   *tls.ConnectionState
		subject string
		why     authn.Why
	}{
		"uri before dns":    {ours.client(t, func(c *x509.Certificate) { c.URIs = uris(t, spiffe) }), spiffe, ""},
		"dns":               {ours.client(t, same), "export.example", ""},
		"no connection":     {nil, "", authn.WhyMissing},
		"no certificate":    {&tls.ConnectionState{HandshakeComplete: true}, "", authn.WhyMissing},
		"common name alone": {ours.client(t, func(c *x509.Certificate) { c.DNSNames = nil }), "", authn.WhyCertificate},
		"two uris":          {ours.client(t, func(c *x509.Certificate) { c.URIs = uris(t, spiffe, "spiffe://x/y") }), "", authn.WhyCertificate},
		"two dns names":     {ours.client(t, func(c *x509.Certificate) { c.DNSNames = []string{"a.example", "b.example"} }), "", authn.WhyCertificate},
		"mail address": {ours.client(t, func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses = nil, []string{"ada@contoso.example"}
		}), "", authn.WhyCertificate},
		"server certificate": {ours.client(t, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), "", authn.WhyCertificate},
		"another authority": {theirs.client(t, same), "", authn.WhyCertificate},
		"ended": {ours.client(t, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}), "", authn.WhyExpired},
		"not verified": {func() *tls.ConnectionState {
			state := ours.client(t, same)
			state.VerifiedChains = nil
			return state
		}(), "", authn.WhyCertificate},
	} {
		caller, err := certificates.Identify(c.state)
		if authn.WhyOf(err) != c.why {
			t.Errorf("%s: %v, want %q", name, err, c.why)
			continue
		}
		if err == nil && (caller.Subject != c.subject || caller.Kind != authn.KindCertificate || caller.ID() != "certificate:"+c.subject ||
			!caller.Expires.Equal(c.state.PeerCertificates[0].NotAfter)) {
			t.Errorf("%s: %+v", name, caller)
		}
	}
	none := &authn.Certificates{Roots: func() *x509.CertPool { return nil }}
	if _, err := none.Identify(ours.client(t, same)); err == nil {
		t.Error("no authorities let everybody in")
	}
}

// incoming is the context of a call with metadata and a TLS peer.
func incoming(ctx context.Context, state *tls.ConnectionState, pairs ...string) context.Context {
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(pairs...))
	if state != nil {
		ctx = peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{}, AuthInfo: credentials.TLSInfo{State: *state}})
	}
	return ctx
}

func TestTokenDecidesBeforeTheCertificate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ours := newAuthority(t)
	state := ours.client(t, func(*x509.Certificate) {})
	good := "Bearer " + sign(t, b.delegated(nil))
	expired := "Bearer " + sign(t, b.delegated(jwt.MapClaims{"exp": b.clock().Add(-time.Hour).Unix()}))
	certificates := &authn.Certificates{Roots: ours.pool}
	both := &authn.Credentials{Tokens: b.tokens, Certificates: certificates}
	for name, c := range map[string]struct {
		credentials authn.Authenticator
		state       *tls.ConnectionState
		pairs       []string
		kind        authn.Kind
		why         authn.Why
	}{
		"token":                         {both, nil, []string{"authorization", good}, authn.KindUser, ""},
		"token before certificate":      {both, state, []string{"authorization", good}, authn.KindUser, ""},
		"certificate":                   {both, state, nil, authn.KindCertificate, ""},
		"bad token with certificate":    {both, state, []string{"authorization", expired}, 0, authn.WhyExpired},
		"empty header with certificate": {both, state, []string{"authorization", ""}, 0, authn.WhyMalformed},
		"basic with certificate":        {both, state, []string{"authorization", "Basic YTpi"}, 0, authn.WhyMalformed},
		"two headers":                   {both, nil, []string{"authorization", good, "authorization", good}, 0, authn.WhyMalformed},
		"two tokens":                    {both, nil, []string{"authorization", good + ", " + good}, 0, authn.WhyMalformed},
		"scheme in lower case":          {both, nil, []string{"authorization", strings.Replace(good, "Bearer", "bearer", 1)}, authn.KindUser, ""},
		"nothing":                       {both, nil, nil, 0, authn.WhyMissing},
		"tokens only, certificate sent": {&authn.Credentials{Tokens: b.tokens}, state, nil, 0, authn.WhyMissing},
		"certificates only, token sent": {&authn.Credentials{Certificates: certificates}, state, []string{"authorization", good}, 0, authn.WhyNoTokens},
		"certificates only":             {&authn.Credentials{Certificates: certificates}, state, nil, authn.KindCertificate, ""},
		"nothing accepted":              {&authn.Credentials{}, state, nil, 0, authn.WhyMissing},
		"open":                          {authn.NoAuthentication{}, state, []string{"authorization", expired}, authn.KindAnonymous, ""},
	} {
		caller, err := c.credentials.Authenticate(incoming(t.Context(), c.state, c.pairs...))
		if authn.WhyOf(err) != c.why || err == nil && caller.Kind != c.kind {
			t.Errorf("%s: %+v, %v, want %s or %q", name, caller, err, c.kind, c.why)
		}
	}
}

// FuzzClaims signs whatever claims: a signature alone makes no caller.
func FuzzClaims(f *testing.F) {
	b := newBench(f, nil)
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"iss":"` + issuerV2 + `","aud":"` + app + `","exp":4000000000,"iat":1,"nbf":1,"sub":"s","tid":"` + tenant + `"}`,
		`{"iss":"` + issuerV1 + `","aud":["` + app + `"],"exp":4000000000,"iat":1,"nbf":1,"sub":"s","tid":"` + tenant + `","oid":"` + object + `","appid":"x","scp":"a"}`,
	} {
		f.Add([]byte(seed))
	}
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"key-1"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		signed := head + "." + base64.RawURLEncoding.EncodeToString(payload)
		signature, err := jwt.SigningMethodRS256.Sign(signed, testKeys()[0])
		if err != nil {
			t.Fatal(err)
		}
		caller, err := b.tokens.Verify(t.Context(), signed+"."+base64.RawURLEncoding.EncodeToString(signature))
		if err != nil {
			if authn.WhyOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		if caller.TenantID != tenant || caller.ObjectID == "" || caller.AppID == "" || caller.Expires.Before(b.clock().Add(-time.Minute)) ||
			caller.Kind != authn.KindUser && caller.Kind != authn.KindApplication {
			t.Fatalf("half a caller: %+v", caller)
		}
	})
}

// FuzzPrograms signs whatever claims for an issuer that is not Entra: what says "program" is never a person, and a binding is
// never forgotten.
func FuzzPrograms(f *testing.F) {
	b := newBench(f, func(c *authn.TokensConfig) { c.Issuer, c.Tenants = rfc9068, nil })
	b.issuer.publish(rfc9068)
	const head = `{"iss":"` + rfc9068 + `","aud":"` + audience + `","exp":4000000000,"iat":1,"sub":"s","scope":"a"`
	for _, seed := range []string{
		`,"client_id":"s"`, `,"client_id":"c"`, `,"gty":"client-credentials"`, `,"gty":["client_credentials"],"uid":"x"`, `,"cid":"c"`, `,"cid":"c","uid":"u"`,
		`,"preferred_username":"service-account-x"`, `,"cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, `,"cnf":{"jkt":"x"}`, `,"typ":"ID"`,
	} {
		f.Add(seed)
	}
	both := &authn.Credentials{Tokens: b.tokens}
	f.Fuzz(func(t *testing.T, more string) {
		payload := head + more + "}"
		signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"key-1"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		signature, err := jwt.SigningMethodRS256.Sign(signed, testKeys()[0])
		if err != nil {
			t.Fatal(err)
		}
		token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
		caller, err := both.Authenticate(incoming(t.Context(), nil, "authorization", "Bearer "+token))
		if err != nil {
			if authn.WhyOf(err) == "" {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		var claims map[string]any // which has no second spelling of a name
		if err := json.Unmarshal([]byte(payload), &claims); err != nil {
			t.Fatalf("accepted %q", payload)
		}
		client := claims["client_id"]
		program := claims["gty"] == "client-credentials" || client != nil && client != "" && client == claims["sub"]
		if caller.Kind == authn.KindCertificate || caller.Kind == authn.KindAnonymous || program && caller.Kind != authn.KindApplication {
			t.Fatalf("%s for %q", caller.Kind, payload)
		}
		if _, bound := claims["cnf"]; bound {
			t.Fatalf("accepted as a bearer token: %q", payload)
		}
	})
}
