package authn_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/server/authn"
)

const (
	tenant   = "5f3c1f6e-2a7b-4d1c-9a55-0c6d2f7e8b10"
	other    = "11111111-2222-4333-8444-555555555555"
	object   = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	app      = "c0a8d9d2-6b1f-4f0e-8e57-3d2b9a417f66"
	audience = "api://parley"
	issuerV2 = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	issuerV1 = "https://sts.windows.net/" + tenant + "/"
)

// testKeys are made once, since making them takes long.
var testKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// issuer is an identity provider in memory; it is the transport that reaches it.
type issuer struct {
	mu      sync.Mutex
	fetches map[string]int // by the last segment of the path
	served  map[string]*rsa.PublicKey
	change  func(path string) (status int, body string, ok bool)
}

func newIssuer() *issuer {
	return &issuer{fetches: map[string]int{}, served: map[string]*rsa.PublicKey{"key-1": &testKeys()[0].PublicKey}}
}

// RoundTrip serves discovery and keys of every tenant.
func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fetches[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]++
	status, body := http.StatusOK, keySet(i.served)
	if base, found := strings.CutSuffix(r.URL.Path, "/.well-known/openid-configuration"); found {
		from := "https://" + r.URL.Host + base
		body = `{"issuer":"` + from + `","jwks_uri":"https://` + r.URL.Host + `/keys"}`
	}
	if i.change != nil {
		if s, b, ok := i.change(r.URL.Path); ok {
			status, body = s, b
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

// publish makes the issuer name itself as it is written, where that is not what its discovery document's address says.
func (i *issuer) publish(name string) {
	i.set(func() {
		i.change = func(path string) (int, string, bool) {
			host := strings.SplitN(name, "/", 4)[2]
			return http.StatusOK, `{"issuer":"` + name + `","jwks_uri":"https://` + host + `/keys"}`,
				strings.HasSuffix(path, "/openid-configuration") && !strings.Contains(name, "sts.windows")
		}
	})
}

func (i *issuer) count(name string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches[name]
}

func (i *issuer) set(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

func keySet(served map[string]*rsa.PublicKey) string {
	type jwk struct {
		Type string `json:"kty"`
		Use  string `json:"use"`
		ID   string `json:"kid"`
		N    string `json:"n"`
		E    string `json:"e"`
	}
	set := struct {
		Keys []jwk `json:"keys"`
	}{}
	enc := base64.RawURLEncoding.EncodeToString
	for id, key := range served {
		set.Keys = append(set.Keys, jwk{"RSA", "sig", id, enc(key.N.Bytes()), enc(big.NewInt(int64(key.E)).Bytes())})
	}
	body, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return string(body)
}

// bench is a Tokens over an issuer, with a clock.
type bench struct {
	issuer *issuer
	tokens *authn.Tokens

	mu  sync.Mutex
	now time.Time
}

func newBench(tb testing.TB, change func(*authn.TokensConfig)) *bench {
	tb.Helper()
	b := &bench{issuer: newIssuer(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	cfg := authn.TokensConfig{
		Issuer: "https://login.microsoftonline.com/{tid}/v2.0", Tenants: []string{tenant}, Audiences: []string{audience, app},
		HTTP: &http.Client{Transport: b.issuer}, Now: b.clock,
	}
	if change != nil {
		change(&cfg)
	}
	tokens, err := authn.NewTokens(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(tokens.Close)
	b.tokens = tokens
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) set(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// delegated are the claims of a v2 token of a user; change may alter them, nil values leave a claim out.
func (b *bench) delegated(change jwt.MapClaims) jwt.MapClaims {
	now := b.clock()
	claims := jwt.MapClaims{
		"iss": issuerV2, "aud": app, "sub": "pairwise-subject", "oid": object, "tid": tenant, "azp": "0dbb4cd3-0000-4000-8000-000000000001",
		"scp": "Conversations.Read Usage.Read", "roles": []string{"Reader"}, "ver": "2.0", "preferred_username": "ada@contoso.example",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if value == nil {
			delete(claims, name)
			continue
		}
		claims[name] = value
	}
	return claims
}

// sign makes a token of claims with the issuer's key.
func sign(tb testing.TB, claims jwt.MapClaims) string {
	tb.Helper()
	return signWith(tb, jwt.SigningMethodRS256, testKeys()[0], map[string]any{"kid": "key-1"}, claims)
}

func signWith(tb testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	signed, err := token.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}
