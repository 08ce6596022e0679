package server_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/authn"
)

const (
	issuerURL = "https://id.contoso.example/realms/main"
	webClient = "web"
)

// identityProvider signs tokens, and is the transport that reaches its documents.
type identityProvider struct {
	keys map[string]*rsa.PrivateKey

	mu     sync.Mutex
	served []string // ids of the keys that are published
	down   bool
}

// providerKeys are the keys of all identity providers, by id. To make one takes longer than most tests.
var providerKeys = sync.OnceValues(func() (map[string]*rsa.PrivateKey, error) {
	keys := map[string]*rsa.PrivateKey{}
	for _, id := range []string{"a", "b"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keys[id] = key
	}
	return keys, nil
})

func newIdentityProvider(t *testing.T) *identityProvider {
	t.Helper()
	keys, err := providerKeys()
	if err != nil {
		t.Fatal(err)
	}
	return &identityProvider{keys: keys, served: []string{"a"}}
}

func (p *identityProvider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// RoundTrip implements http.RoundTripper.
func (p *identityProvider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("no route to host")
	}
	body := map[string]any{"issuer": issuerURL, "jwks_uri": "https://id.contoso.example/keys"}
	if r.URL.Path == "/keys" {
		var keys []map[string]string
		for _, id := range p.served {
			public := p.keys[id].PublicKey
			keys = append(keys, map[string]string{
				"kty": "RSA", "kid": id, "use": "sig", "n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
				"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
			})
		}
		body = map[string]any{"keys": keys}
	}
	text, err := json.Marshal(body)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(text))), Header: http.Header{}, Request: r}, err
}

// secured is a guarded server over TLS that takes tokens of an identity provider, and certificates.
type secured struct {
	*guarded

	issuer  *identityProvider
	dir     string
	roots   *x509.CertPool
	clients *signer
}

const wireRules = `rules:
  - {name: people, match: {kind: user, scope: read}, allow: {rpcs: all, sources: all, view: full, users: all}}
  - {name: programs, match: {kind: application, scope: jobs}, allow: {rpcs: all, sources: all, view: full, users: all}}
  - {name: archive, match: {subject: "spiffe://contoso.example/archive"}, allow: {rpcs: all, sources: all, view: full, users: all}}
  - {name: host, match: {subject: export.contoso.example}, allow: {rpcs: all, sources: all, view: full, users: all}}
  - {name: somebody, match: {subject: "token:batch"}, allow: {rpcs: all, sources: all, view: full, users: all}}
`

func startSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{issuer: newIdentityProvider(t), dir: t.TempDir()}
	s.guarded = startGuarded(t, func(c *server.Config) {
		tokens, err := authn.NewTokens(authn.TokensConfig{
			Issuer: issuerURL, Audiences: []string{"api://parley"}, HTTP: &http.Client{Transport: s.issuer}, Now: c.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(tokens.Close)
		c.AuthMode, c.Tokens, c.TLS = "oidc,mtls", tokens, testTLS(t, s.dir, "clients")
	})
	s.set(time.Now()) // certificates are checked by the clock of the machine
	s.roots = rootsOf(t, s.dir)
	var ca []byte
	s.clients, ca = authority(t)
	put(t, filepath.Join(s.dir, "clients"), ca)
	s.write(t, wireRules)
	s.pass(time.Minute)
	return s
}

func (g *guarded) set(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = now
}

// pair makes a client's certificate with the given names.
func (s *secured) pair(t *testing.T, uri, host string) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if uri != "" {
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = []*url.URL{parsed}
	}
	if host != "" {
		template.DNSNames = []string{host}
	}
	return pairOf(t, s.clients, template)
}

// token signs a token with the key of an id; claims and header change what a person's token of this issuer holds.
func (s *secured) token(t *testing.T, key string, header, claims map[string]any) string {
	t.Helper()
	now := s.clock()
	all := jwt.MapClaims{
		"iss": issuerURL, "aud": "api://parley", "sub": "5ba552d67", "azp": webClient, "sid": "b71a", "scope": "read",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, all)
	token.Header["kid"] = key
	maps.Copy(token.Header, header)
	text, err := token.SignedString(s.issuer.keys[key])
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// config is the TLS of a client with a certificate, or none.
func (s *secured) config(with *tls.Certificate) *tls.Config {
	conf := &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	if with != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return with, nil }
	}
	return conf
}

// dial connects over gRPC.
func (s *secured) dial(t *testing.T, with *tls.Certificate) parleyv1.EventServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(s.server.GRPCAddr(), grpc.WithTransportCredentials(credentials.NewTLS(s.config(with))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return parleyv1.NewEventServiceClient(conn)
}

// fetch sends a GET over REST, with a client of its own; headers come in pairs.
func (s *secured) fetch(t *testing.T, with *tls.Certificate, path, token string, headers ...string) *http.Response {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: s.config(with), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.server.HTTPAddr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// both lists a user's events over gRPC and REST and expects the same of both.
func (s *secured) both(t *testing.T, about string, with *tls.Certificate, token string, code codes.Code, reason string) []line {
	t.Helper()
	_, err := s.dial(t, with).ListEvents(as(t.Context(), token), &parleyv1.ListEventsRequest{Parent: "users/" + annaID})
	expect(t, about+": gRPC", err, code, reason)
	resp := s.fetch(t, with, "/v1/users/"+annaID+"/events", token)
	want := map[codes.Code]int{codes.OK: 200, codes.Unauthenticated: 401, codes.PermissionDenied: 403, codes.Unavailable: 503}[code]
	if text := body(t, resp); resp.StatusCode != want || !strings.Contains(text, reason) {
		t.Errorf("%s: REST: %d, want %d: %s", about, resp.StatusCode, want, text)
	}
	if code == codes.Unavailable && resp.Header.Get("Retry-After") == "" || code == codes.Unauthenticated && resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s: headers %v", about, resp.Header)
	}
	if touched := !s.untouched(); touched != (code == codes.OK) {
		t.Errorf("%s: what lies below was asked: %v", about, touched)
	}
	return s.records.take(t)
}

// TestCredentialsOverTheWire tries credentials over gRPC and REST, both over TLS: who is behind a token or certificate is
// what it says of itself, and a name is a name in its own namespace.
func TestCredentialsOverTheWire(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	type m = map[string]any
	const (
		refused = "CALLER_UNAUTHENTICATED"
		denied  = "POLICY_DENIED"
	)
	archive, host := s.pair(t, "spiffe://contoso.example/archive", ""), s.pair(t, "", "export.contoso.example")
	sum := sha256.Sum256(archive.Certificate[0])
	bound := m{"cnf": m{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}}
	service := m{"sub": carlaID, "azp": "batch", "client_id": "batch", "preferred_username": "service-account-batch", "sid": nil}
	with := func(base, more m) m {
		all := maps.Clone(base)
		maps.Copy(all, more)
		return all
	}
	for about, c := range map[string]struct {
		cert           *tls.Certificate
		header, claims m
		none           bool // no token
		code           codes.Code
		reason         string
		kind           string // of the caller on record
	}{
		"a person":                          {nil, nil, nil, false, codes.OK, "", "user"},
		"a program with a person's scope":   {nil, nil, service, false, codes.PermissionDenied, denied, "application"},
		"a program":                         {nil, nil, with(service, m{"scope": "jobs"}), false, codes.OK, "", "application"},
		"a person with a program's scope":   {nil, nil, m{"scope": "jobs"}, false, codes.PermissionDenied, denied, "user"},
		"neither says so":                   {nil, nil, m{"sid": nil}, false, codes.PermissionDenied, denied, "unknown"},
		"a token's own subject":             {nil, nil, m{"sub": "batch", "scope": "other"}, false, codes.OK, "", "user"},
		"a subject like a URI name":         {nil, nil, m{"sub": "spiffe://contoso.example/archive", "scope": "other"}, false, codes.PermissionDenied, denied, "user"},
		"a subject like a host":             {nil, nil, m{"sub": "export.contoso.example", "scope": "other"}, false, codes.PermissionDenied, denied, "user"},
		"a URI name":                        {archive, nil, nil, true, codes.OK, "", "certificate"},
		"a host":                            {host, nil, nil, true, codes.OK, "", "certificate"},
		"a host like a token's subject":     {s.pair(t, "", "batch"), nil, nil, true, codes.PermissionDenied, denied, "certificate"},
		"a wildcard":                        {s.pair(t, "", "*.contoso.example"), nil, nil, true, codes.Unauthenticated, refused, ""},
		"a URI like a host":                 {s.pair(t, "export.contoso.example", ""), nil, nil, true, codes.Unauthenticated, refused, ""},
		"an id token by its header":         {nil, m{"typ": "id_token"}, nil, false, codes.Unauthenticated, refused, ""},
		"a logout token":                    {nil, m{"typ": "logout+jwt"}, nil, false, codes.Unauthenticated, refused, ""},
		"an access token by its header":     {nil, m{"typ": "at+jwt"}, nil, false, codes.OK, "", "user"},
		"a bound token with its key":        {archive, nil, bound, false, codes.OK, "", "user"},
		"a bound token with another's":      {host, nil, bound, false, codes.Unauthenticated, refused, ""},
		"a bound token alone":               {nil, nil, bound, false, codes.Unauthenticated, refused, ""},
		"a DPoP token":                      {archive, nil, m{"cnf": m{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, false, codes.Unauthenticated, refused, ""},
		"a bound token's certificate alone": {archive, nil, nil, true, codes.OK, "", "certificate"},
	} {
		token := ""
		if !c.none {
			token = s.token(t, "a", c.header, c.claims)
		}
		for _, record := range s.both(t, about, c.cert, token, c.code, c.reason) {
			if record.Caller.Kind != c.kind {
				t.Errorf("%s: on record as %+v, want %s", about, record.Caller, c.kind)
			}
		}
	}
}

// TestUnreachableKeysAreNotTheCallersFault: what the gateway cannot check is not the caller's fault.
func TestUnreachableKeysAreNotTheCallersFault(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	s.issuer.set(func() { s.issuer.down = true })
	token := s.token(t, "a", nil, nil)
	s.both(t, "no keys", nil, token, codes.Unavailable, "ISSUER_UNAVAILABLE")
	s.both(t, "a certificate needs none", s.pair(t, "", "export.contoso.example"), "", codes.OK, "")
	s.issuer.set(func() { s.issuer.down = false })
	s.pass(10 * time.Second)
	s.both(t, "the keys are back", nil, token, codes.OK, "")
	s.both(t, "a key that is none of them", nil, s.token(t, "b", nil, nil), codes.Unauthenticated, "CALLER_UNAUTHENTICATED")
}

// TestWithdrawnCredentialsEndStreams: whatever let a stream begin is proven again before each part of it.
func TestWithdrawnCredentialsEndStreams(t *testing.T) {
	t.Parallel()
	archive := func(t *testing.T, s *secured) (*tls.Certificate, string) {
		t.Helper()
		return s.pair(t, "spiffe://contoso.example/archive", ""), ""
	}
	person := func(t *testing.T, s *secured) (*tls.Certificate, string) {
		t.Helper()
		return nil, s.token(t, "a", nil, nil)
	}
	holder := func(t *testing.T, s *secured) (*tls.Certificate, string) {
		t.Helper()
		cert, _ := archive(t, s)
		sum := sha256.Sum256(cert.Certificate[0])
		return cert, s.token(t, "a", nil, map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	}
	newAuthority := func(t *testing.T, s *secured) {
		t.Helper()
		_, next := authority(t)
		put(t, filepath.Join(s.dir, "clients"), next)
	}
	// fetched has the keys fetched: that a token names another key waits for it.
	fetched := func(t *testing.T, s *secured, code codes.Code, reason string) {
		t.Helper()
		s.pass(5 * time.Minute)
		_, err := s.dial(t, nil).ListEvents(as(t.Context(), s.token(t, "b", nil, nil)), &parleyv1.ListEventsRequest{Parent: "users/" + annaID})
		expect(t, "a call that has the keys fetched", err, code, reason)
	}
	for about, c := range map[string]struct {
		caller   func(*testing.T, *secured) (*tls.Certificate, string)
		withdraw func(*testing.T, *secured)
		code     codes.Code
		reason   string
	}{
		"the authority":                      {archive, newAuthority, codes.Unauthenticated, "CALLER_UNAUTHENTICATED"},
		"the authority behind a bound token": {holder, newAuthority, codes.Unauthenticated, "CALLER_UNAUTHENTICATED"},
		"the signing key": {person, func(t *testing.T, s *secured) {
			t.Helper()
			s.issuer.set(func() { s.issuer.served = []string{"b"} })
			fetched(t, s, codes.OK, "")
		}, codes.Unauthenticated, "CALLER_UNAUTHENTICATED"},
		"every key, for a day": {func(t *testing.T, s *secured) (*tls.Certificate, string) {
			t.Helper()
			return nil, s.token(t, "a", nil, map[string]any{"exp": s.clock().Add(48 * time.Hour).Unix()})
		}, func(t *testing.T, s *secured) {
			t.Helper()
			s.issuer.set(func() { s.issuer.down = true })
			s.pass(25 * time.Hour)
		}, codes.Unavailable, "ISSUER_UNAVAILABLE"},
		"the rule": {person, func(t *testing.T, s *secured) {
			t.Helper()
			s.write(t, strings.Replace(wireRules, "scope: read", "scope: other", 1))
			s.pass(time.Minute)
		}, codes.PermissionDenied, "POLICY_DENIED"},
		// What ends by itself is the planned end of a stream.
		"the time of a token": {person, func(t *testing.T, s *secured) {
			t.Helper()
			s.pass(66 * time.Minute)
		}, codes.Unavailable, "STREAM_ENDED"},
		"the time of a token whose key is gone by then": {person, func(t *testing.T, s *secured) {
			t.Helper()
			s.issuer.set(func() { s.issuer.served = []string{"b"} })
			fetched(t, s, codes.OK, "")
			s.pass(66 * time.Minute)
		}, codes.Unavailable, "STREAM_ENDED"},
		"the time of a certificate": {archive, func(t *testing.T, s *secured) {
			t.Helper()
			s.pass(10 * 365 * 24 * time.Hour)
		}, codes.Unavailable, "STREAM_ENDED"},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			s := startSecured(t)
			feed := make(chan struct{})
			s.streamEvents = func(ctx context.Context, emit func(*parleyv1.StreamEventsResponse) error) error {
				for {
					if err := emitAll(emit, eventFrame("1"), checkpointFrame("tok")); err != nil {
						return err
					}
					select {
					case <-feed:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			}
			cert, token := c.caller(t, s)
			ctx, cancel := context.WithCancel(as(t.Context(), token))
			defer cancel()
			stream, err := s.dial(t, cert).StreamEvents(ctx, &parleyv1.StreamEventsRequest{Parent: "users/" + annaID})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a batch and its checkpoint
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			rest := make(map[string]*bufio.Reader)
			for _, accept := range []string{"application/x-ndjson", "text/event-stream"} {
				rest[accept] = bufio.NewReader(s.fetch(t, cert, "/v1/users/"+annaID+"/events:stream", token, "Accept", accept).Body)
				for text := ""; !strings.Contains(text, `"checkpoint"`); {
					if text, err = rest[accept].ReadString('\n'); err != nil || strings.Contains(text, `"error"`) {
						t.Fatalf("%s, %v", text, err)
					}
				}
			}
			c.withdraw(t, s)
			// A part that was under way may still come: files are read again by one stream while the others go on.
			close(feed)
			for err == nil {
				_, err = stream.Recv()
			}
			expect(t, about, err, c.code, c.reason)
			if resume := apierror.Info(status.Convert(err)).GetMetadata()[apierror.MetaResumeToken]; resume != "tok" {
				t.Errorf("resume token %q", resume)
			}
			planned := c.reason == "STREAM_ENDED"
			if planned {
				checkPlannedEnd(t, err, "tok")
			}
			for accept, lines := range rest {
				text := ""
				for err = nil; err == nil && !strings.Contains(text, `"error"`); {
					text, err = lines.ReadString('\n')
				}
				if err != nil || !strings.Contains(text, c.reason) || !strings.Contains(text, `"tok"`) || strings.Contains(text, `"retryDelay":"0s"`) != planned {
					t.Errorf("%s: %s: %s, %v", about, accept, text, err)
				}
			}
		})
	}
}
