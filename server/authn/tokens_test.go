package authn_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/parley-gateway/parley/server/authn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAcceptedTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	const client = "0dbb4cd3-0000-4000-8000-000000000001"
	asApp := jwt.MapClaims{"scp": nil, "preferred_username": nil, "sub": object, "roles": []string{"Conversations.Export.All"}}
	for name, c := range map[string]struct {
		change jwt.MapClaims
		want   authn.Caller
		id     string
		user   string
	}{
		"v2 delegated": {nil, authn.Caller{
			Kind: authn.KindUser, Subject: "pairwise-subject", ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV2,
			Roles: []string{"Reader"}, Scopes: []string{"Conversations.Read", "Usage.Read"},
		}, "user:" + tenant + "/" + object, object},
		"v1 delegated": {jwt.MapClaims{
			"iss": issuerV1, "aud": audience, "azp": nil, "appid": client, "ver": "1.0", "preferred_username": nil,
			"upn": "ada@contoso.example", "groups": []string{"g1"},
		}, authn.Caller{
			Kind: authn.KindUser, Subject: "pairwise-subject", ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV1,
			Roles: []string{"Reader"}, Scopes: []string{"Conversations.Read", "Usage.Read"}, Groups: []string{"g1"},
		}, "user:" + tenant + "/" + object, object},
		"v2 application with idtyp": {merge(asApp, jwt.MapClaims{"idtyp": "app"}), authn.Caller{
			Kind: authn.KindApplication, Subject: object, ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV2,
			Roles: []string{"Conversations.Export.All"},
		}, "application:" + tenant + "/" + client, ""},
		"v1 application without idtyp": {merge(asApp, jwt.MapClaims{"iss": issuerV1, "azp": nil, "appid": client}), authn.Caller{
			Kind: authn.KindApplication, Subject: object, ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV1,
			Roles: []string{"Conversations.Export.All"},
		}, "application:" + tenant + "/" + client, ""},
		"several audiences": {jwt.MapClaims{"aud": []string{"x", audience}, "roles": nil, "scp": "a"}, authn.Caller{
			Kind: authn.KindUser, Subject: "pairwise-subject", ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV2,
			Scopes: []string{"a"},
		}, "user:" + tenant + "/" + object, object},
		"ids in upper case": {jwt.MapClaims{"oid": strings.ToUpper(object), "tid": strings.ToUpper(tenant), "roles": nil, "scp": "a"}, authn.Caller{
			Kind: authn.KindUser, Subject: "pairwise-subject", ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV2,
			Scopes: []string{"a"},
		}, "user:" + tenant + "/" + object, object},
		"clocks that differ by seconds": {jwt.MapClaims{
			"iat": b.clock().Add(50 * time.Second).Unix(), "nbf": b.clock().Add(50 * time.Second).Unix(), "roles": nil, "scp": "a",
		}, authn.Caller{
			Kind: authn.KindUser, Subject: "pairwise-subject", ObjectID: object, TenantID: tenant, AppID: client, Issuer: issuerV2,
			Scopes: []string{"a"},
		}, "user:" + tenant + "/" + object, object},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			have, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(c.change)))
			if err != nil {
				t.Fatal(err)
			}
			c.want.Expires = b.clock().Add(time.Hour)
			if diff := cmp.Diff(&c.want, have, cmpopts.IgnoreUnexported(authn.Caller{})); diff != "" {
				t.Error(diff)
			}
			if have.ID() != c.id || have.UserID() != c.user {
				t.Errorf("id %q, user %q, want %q and %q", have.ID(), have.UserID(), c.id, c.user)
			}
			if user := have.Kind == authn.KindUser; have.MayHaveName("ADA@contoso.example") != user || have.MayHaveName("bob@contoso.example") || have.MayHaveName("") {
				t.Error("the sign-in name is not a hint of the token's user alone")
			}
		})
	}
}

func merge(parts ...jwt.MapClaims) jwt.MapClaims {
	all := jwt.MapClaims{}
	for _, m := range parts {
		maps.Copy(all, m)
	}
	return all
}

func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	now := b.clock()
	key := testKeys()[0]
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})
	kid := map[string]any{"kid": "key-1"}
	good := sign(t, b.delegated(nil))
	cut := strings.Split(good, ".")
	for name, c := range map[string]struct {
		token string
		want  authn.Why
	}{
		"empty":                       {"", authn.WhyMalformed},
		"not a token":                 {"hello", authn.WhyMalformed},
		"two parts":                   {cut[0] + "." + cut[1], authn.WhyMalformed},
		"no signature":                {cut[0] + "." + cut[1] + ".", authn.WhyMalformed},
		"line end inside":             {cut[0] + "." + cut[1] + "\n." + cut[2], authn.WhyMalformed},
		"padding":                     {cut[0] + "=." + cut[1] + "." + cut[2], authn.WhyMalformed},
		"too long":                    {good + strings.Repeat("A", 1<<15), authn.WhyMalformed},
		"header is no JSON":           {"AAAA." + cut[1] + "." + cut[2], authn.WhyMalformed},
		"alg none":                    {unsigned(t, b.delegated(nil)) + cut[2], authn.WhyAlgorithm},
		"HS256 with the public key":   {signWith(t, jwt.SigningMethodHS256, publicPEM, kid, b.delegated(nil)), authn.WhyAlgorithm},
		"RS512":                       {signWith(t, jwt.SigningMethodRS512, key, kid, b.delegated(nil)), authn.WhyAlgorithm},
		"PS256":                       {signWith(t, jwt.SigningMethodPS256, key, kid, b.delegated(nil)), authn.WhyAlgorithm},
		"another's key":               {signWith(t, jwt.SigningMethodRS256, testKeys()[1], kid, b.delegated(nil)), authn.WhySignature},
		"no kid":                      {signWith(t, jwt.SigningMethodRS256, key, nil, b.delegated(nil)), authn.WhyUnknownKey},
		"kid is a number":             {signWith(t, jwt.SigningMethodRS256, key, map[string]any{"kid": 1}, b.delegated(nil)), authn.WhyUnknownKey},
		"unknown kid":                 {signWith(t, jwt.SigningMethodRS256, key, map[string]any{"kid": "x"}, b.delegated(nil)), authn.WhyUnknownKey},
		"critical extension":          {signWith(t, jwt.SigningMethodRS256, key, map[string]any{"kid": "key-1", "crit": []string{"b64"}}, b.delegated(nil)), authn.WhyMalformed},
		"claims swapped":              {cut[0] + "." + strings.Split(sign(t, b.delegated(jwt.MapClaims{"oid": other})), ".")[1] + "." + cut[2], authn.WhySignature},
		"audience of another service": {sign(t, b.delegated(jwt.MapClaims{"aud": "https://graph.microsoft.com"})), authn.WhyAudience},
		"no audience":                 {sign(t, b.delegated(jwt.MapClaims{"aud": nil})), authn.WhyClaims},
		"audience begins alike":       {sign(t, b.delegated(jwt.MapClaims{"aud": audience + "/x"})), authn.WhyAudience},
		"issuer of another tenant":    {sign(t, b.delegated(jwt.MapClaims{"iss": strings.ReplaceAll(issuerV2, tenant, other), "tid": other})), authn.WhyIssuer},
		"issuer begins alike":         {sign(t, b.delegated(jwt.MapClaims{"iss": issuerV2 + "/"})), authn.WhyIssuer},
		"no issuer":                   {sign(t, b.delegated(jwt.MapClaims{"iss": nil})), authn.WhyIssuer},
		"tenant of another":           {sign(t, b.delegated(jwt.MapClaims{"tid": other})), authn.WhyTenant},
		"no tenant":                   {sign(t, b.delegated(jwt.MapClaims{"tid": nil})), authn.WhyTenant},
		"expired":                     {sign(t, b.delegated(jwt.MapClaims{"exp": now.Add(-2 * time.Minute).Unix()})), authn.WhyExpired},
		"never expires":               {sign(t, b.delegated(jwt.MapClaims{"exp": nil})), authn.WhyClaims},
		"expires beyond all time":     {sign(t, b.delegated(jwt.MapClaims{"exp": 1e30})), authn.WhyMalformed},
		"expiry is text":              {sign(t, b.delegated(jwt.MapClaims{"exp": "soon"})), authn.WhyMalformed},
		"not before is later":         {sign(t, b.delegated(jwt.MapClaims{"nbf": now.Add(2 * time.Minute).Unix()})), authn.WhyNotYet},
		"no not-before":               {sign(t, b.delegated(jwt.MapClaims{"nbf": nil})), authn.WhyClaims},
		"issued in the future":        {sign(t, b.delegated(jwt.MapClaims{"iat": now.Add(2 * time.Minute).Unix()})), authn.WhyNotYet},
		"no issued-at":                {sign(t, b.delegated(jwt.MapClaims{"iat": nil})), authn.WhyClaims},
		"no subject":                  {sign(t, b.delegated(jwt.MapClaims{"sub": nil})), authn.WhyClaims},
		"no object id":                {sign(t, b.delegated(jwt.MapClaims{"oid": nil})), authn.WhyClaims},
		"object id is a name":         {sign(t, b.delegated(jwt.MapClaims{"oid": "ada@contoso.example"})), authn.WhyClaims},
		"no application":              {sign(t, b.delegated(jwt.MapClaims{"azp": nil})), authn.WhyClaims},
		"two applications":            {sign(t, b.delegated(jwt.MapClaims{"appid": other})), authn.WhyMalformed},
		"id token":                    {sign(t, b.delegated(jwt.MapClaims{"scp": nil})), authn.WhyNotAccess},
		"user token that says app":    {sign(t, b.delegated(jwt.MapClaims{"idtyp": "app"})), authn.WhyNotAccess},
		"device token":                {sign(t, b.delegated(jwt.MapClaims{"scp": nil, "idtyp": "device", "sub": object})), authn.WhyNotAccess},
		"roles of numbers":            {sign(t, b.delegated(jwt.MapClaims{"roles": []int{1}})), authn.WhyMalformed},
		"roles with null":             {sign(t, b.delegated(jwt.MapClaims{"roles": []any{nil}})), authn.WhyMalformed},
		"claim names in another case": {sign(t, b.delegated(jwt.MapClaims{"tid": nil, "TID": tenant})), authn.WhyTenant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caller, err := b.tokens.Verify(t.Context(), c.token)
			if err == nil {
				t.Fatalf("accepted as %s", caller.ID())
			}
			if why := authn.WhyOf(err); why != c.want {
				t.Errorf("refused for %q, want %q", why, c.want)
			}
			for _, secret := range []string{object, "ada@", cut[2][:20]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error quotes the token: %v", err)
				}
			}
		})
	}
}

// unsigned is a token with alg none and no signature.
func unsigned(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
	token.Header["kid"] = "key-1"
	text, err := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTokensWithAFlippedBitAreRefused flips one bit after another in a token's text.
func TestTokensWithAFlippedBitAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	good := []byte(sign(t, b.delegated(nil)))
	if _, err := b.tokens.Verify(t.Context(), string(good)); err != nil {
		t.Fatal(err)
	}
	for i := range good {
		flipped := append([]byte(nil), good...)
		flipped[i] ^= 1 << (i % 7)
		if _, err := b.tokens.Verify(t.Context(), string(flipped)); err == nil {
			t.Errorf("accepted with bit %d of byte %d flipped", i%7, i)
		}
	}
}

func TestUnknownKeysAreLookedUpOnceAMinute(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); err != nil {
		t.Fatal(err)
	}
	flood := func() {
		var group sync.WaitGroup
		for i := range 200 {
			token := signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "flood-" + string(rune('a'+i%26))}, b.delegated(nil))
			group.Go(func() {
				if _, err := b.tokens.Verify(t.Context(), token); authn.WhyOf(err) != authn.WhyUnknownKey {
					t.Errorf("got %v", err)
				}
			})
		}
		group.Wait()
	}
	flood()
	if n := b.issuer.count("keys"); n != 1 {
		t.Errorf("%d fetches within a minute of the first, want no other", n)
	}
	b.pass(time.Minute)
	flood()
	if n := b.issuer.count("keys"); n != 2 {
		t.Errorf("%d fetches, want one more a minute later", n)
	}
	// A new key is found by the fetch that its first token causes.
	b.issuer.set(func() { b.issuer.served["key-2"] = &testKeys()[1].PublicKey })
	b.pass(time.Minute)
	rolled := signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "key-2"}, b.delegated(nil))
	if _, err := b.tokens.Verify(t.Context(), rolled); err != nil {
		t.Errorf("a rolled key: %v", err)
	}
}

func TestForeignIssuersCauseNoFetch(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	token := sign(t, b.delegated(jwt.MapClaims{"iss": "https://attacker.example/"}))
	if _, err := b.tokens.Verify(t.Context(), token); authn.WhyOf(err) != authn.WhyIssuer {
		t.Errorf("got %v", err)
	}
	if n := b.issuer.count("openid-configuration"); n != 0 {
		t.Errorf("%d requests to the issuer", n)
	}
}

func TestKeysServeADayOfAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	down := func(string) (int, string, bool) { return http.StatusInternalServerError, "", true }
	b.issuer.set(func() { b.issuer.change = down })
	token := func() string { return sign(t, b.delegated(nil)) }
	var refusal *authn.RefusedError
	if _, err := b.tokens.Verify(t.Context(), token()); !errors.As(err, &refusal) || refusal.Why != authn.WhyKeys || refusal.RetryAfter <= 0 {
		t.Fatalf("without keys: %v, want a refusal to be repeated", err)
	}
	b.issuer.set(func() { b.issuer.change = nil })
	b.pass(10 * time.Second)
	if _, err := b.tokens.Verify(t.Context(), token()); err != nil {
		t.Fatalf("after the outage: %v", err)
	}
	b.issuer.set(func() { b.issuer.change = down })
	b.pass(20 * time.Hour)
	if _, err := b.tokens.Verify(t.Context(), token()); err != nil {
		t.Errorf("keys of less than a day: %v", err)
	}
	b.pass(5 * time.Hour)
	if _, err := b.tokens.Verify(t.Context(), token()); authn.WhyOf(err) != authn.WhyKeys {
		t.Errorf("keys of more than a day: %v, want a refusal", err)
	}
}

func TestWithdrawnKeysEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); err != nil {
		t.Fatal(err)
	}
	b.issuer.set(func() { b.issuer.served = map[string]*rsa.PublicKey{"key-2": &testKeys()[1].PublicKey} })
	b.pass(2 * time.Hour)
	// This one begins the hourly fetch; an unknown kid waits for it.
	_, errFirst := b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "key-2"}, b.delegated(nil)))
	_, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil)))
	if errFirst != nil || authn.WhyOf(err) != authn.WhyUnknownKey {
		t.Errorf("new key %v; withdrawn key %v, want a refusal", errFirst, err)
	}
}

// TestEveryKeyIsWithdrawn: an issuer that answers without a key that counts has withdrawn all of them. One whose answer is no key set
// is out of order, and its older keys serve on.
func TestEveryKeyIsWithdrawn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want authn.Why // "" = accepted
	}{
		"an empty set":         {`{"keys":[]}`, authn.WhyUnknownKey},
		"of another kind":      {`{"keys":[{"kty":"EC","kid":"key-1","crv":"P-256","x":"AA","y":"AA"}]}`, authn.WhyUnknownKey},
		"for another purpose":  {strings.ReplaceAll(keySet(map[string]*rsa.PublicKey{"key-1": &testKeys()[0].PublicKey}), `"sig"`, `"enc"`), authn.WhyUnknownKey},
		"no set":               {`{}`, ""},
		"nothing in its place": {`{"keys":null}`, ""},
		"not JSON":             {`<html>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			caller, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil)))
			if err != nil {
				t.Fatal(err)
			}
			b.issuer.set(func() {
				b.issuer.change = func(path string) (int, string, bool) { return http.StatusOK, c.body, path == "/keys" }
			})
			b.pass(6 * time.Minute)
			// An unknown key id waits for the fetch.
			_, _ = b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "key-2"}, b.delegated(nil)))
			_, err = b.tokens.Verify(t.Context(), sign(t, b.delegated(nil)))
			if again := caller.Recheck(b.clock()); authn.WhyOf(err) != c.want || authn.WhyOf(again) != c.want {
				t.Errorf("a new call: %v, a stream: %v, want %q", err, again, c.want)
			}
			b.issuer.set(func() { b.issuer.change = nil })
			b.pass(time.Minute)
			_, _ = b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": "key-2"}, b.delegated(nil)))
			if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); err != nil {
				t.Errorf("published again: %v", err)
			}
		})
	}
}

func TestHostileKeySetsAreRefused(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	const doc = "/" + tenant + "/v2.0/.well-known/openid-configuration"
	for name, c := range map[string]struct {
		path, body string
		want       authn.Why
	}{
		"discovery of another issuer": {doc, `{"issuer":"https://other.example","jwks_uri":"https://login.microsoftonline.com/keys"}`, authn.WhyKeys},
		"keys over plain HTTP":        {doc, `{"issuer":"` + issuerV2 + `","jwks_uri":"http://login.microsoftonline.com/keys"}`, authn.WhyKeys},
		"keys in a file":              {doc, `{"issuer":"` + issuerV2 + `","jwks_uri":"file:///etc/passwd"}`, authn.WhyKeys},
		"discovery is HTML":           {doc, `<html>`, authn.WhyKeys},
		"keys are HTML":               {"/keys", `<html>`, authn.WhyKeys},
		"no keys":                     {"/keys", `{"keys":[]}`, authn.WhyKeys},
		"too many keys":               {"/keys", `{"keys":[` + strings.Repeat(`{},`, 200) + `{}]}`, authn.WhyKeys},
		"too large":                   {"/keys", `{"keys":[],"x":"` + strings.Repeat("x", 2<<20) + `"}`, authn.WhyKeys},
		"a symmetric key":             {"/keys", `{"keys":[{"kty":"oct","kid":"key-1","k":"c2VjcmV0"}]}`, authn.WhyKeys},
		"a key for encryption":        {"/keys", strings.ReplaceAll(keySet(map[string]*rsa.PublicKey{"key-1": &testKeys()[0].PublicKey}), `"sig"`, `"enc"`), authn.WhyKeys},
		"a short key":                 {"/keys", keySet(map[string]*rsa.PublicKey{"key-1": &small.PublicKey}), authn.WhyAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.issuer.set(func() {
				b.issuer.change = func(path string) (int, string, bool) { return http.StatusOK, c.body, path == c.path }
			})
			if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); authn.WhyOf(err) != c.want {
				t.Errorf("refused for %q (%v), want %q", authn.WhyOf(err), err, c.want)
			}
		})
	}
}

func TestOneBadKeySpoilsNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.issuer.set(func() {
		body := strings.Replace(keySet(b.issuer.served), `"keys":[`, `"keys":[{"kty":"RSA","kid":"bad","n":"!","e":"AQAB"},{"kty":"EC","kid":"e"},7,`, 1)
		b.issuer.change = func(path string) (int, string, bool) { return http.StatusOK, body, path == "/keys" }
	})
	if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); err != nil {
		t.Error(err)
	}
}

func TestIssuerWithoutATenantVouchesForNoTenant(t *testing.T) {
	t.Parallel()
	const at = "https://id.example/realms/main"
	b := newBench(t, func(c *authn.TokensConfig) { c.Issuer, c.Tenants = at, nil })
	now := b.clock()
	claims := func(change jwt.MapClaims) jwt.MapClaims {
		return merge(jwt.MapClaims{
			"iss": at, "aud": audience, "sub": "ada@contoso.example", "client_id": "web", "scope": "openid conversations",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}, change)
	}
	user, err := b.tokens.Verify(t.Context(), sign(t, claims(jwt.MapClaims{"oid": object, "tid": tenant})))
	if err != nil {
		t.Fatal(err)
	}
	if user.Kind != authn.KindUser || user.UserID() != "" || user.TenantID != "" {
		t.Errorf("%+v: an issuer that is bound to no tenant vouched for a tenant's user", user)
	}
	if strings.Contains(user.ID(), "ada") {
		t.Errorf("the id %q holds a name", user.ID())
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg   authn.TokensConfig
		field string
	}{
		"no audience":      {authn.TokensConfig{Issuer: issuerV2}, "Audiences"},
		"an empty one":     {authn.TokensConfig{Issuer: issuerV2, Audiences: []string{""}}, "Audiences"},
		"no issuer":        {authn.TokensConfig{Audiences: []string{audience}}, "Issuer"},
		"plain HTTP":       {authn.TokensConfig{Issuer: "http://id.example", Audiences: []string{audience}}, "Issuer"},
		"a query":          {authn.TokensConfig{Issuer: "https://id.example/?x", Audiences: []string{audience}}, "Issuer"},
		"shared authority": {authn.TokensConfig{Issuer: "https://login.microsoftonline.com/common/v2.0", Audiences: []string{audience}}, "Issuer"},
		"no tenants":       {authn.TokensConfig{Issuer: "https://login.microsoftonline.com/{tid}/v2.0", Audiences: []string{audience}}, "Tenants"},
		"tenant by name":   {authn.TokensConfig{Issuer: "https://login.microsoftonline.com/{tid}/v2.0", Tenants: []string{"contoso"}, Audiences: []string{audience}}, "Tenants"},
	} {
		_, err := authn.NewTokens(c.cfg)
		var bad *authn.ConfigError
		if !errors.As(err, &bad) || bad.Field != c.field {
			t.Errorf("%s: %v, want an error of %s", name, err, c.field)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.tokens.Close()
	if _, err := b.tokens.Verify(ctx, sign(t, b.delegated(nil))); authn.WhyOf(err) != authn.WhyKeys {
		t.Errorf("after Close: %v", err)
	}
}

func TestStreamsOutliveCredentialsByFiveMinutes(t *testing.T) {
	t.Parallel()
	end := time.Unix(1000, 0)
	caller := &authn.Caller{Expires: end}
	if caller.PastGrace(end.Add(5*time.Minute)) || !caller.PastGrace(end.Add(5*time.Minute+time.Second)) {
		t.Error("a stream may outlive its credential by five minutes")
	}
	if authn.Anonymous().PastGrace(end) {
		t.Error("a caller without an end outlived it")
	}
}

func FuzzVerify(f *testing.F) {
	b := newBench(f, nil)
	good := sign(f, b.delegated(nil))
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add(parts[0] + ".e30." + parts[2])
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".AA")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"key-1"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+issuerV2+`","exp":1e999}`)) + "." + parts[2])
	f.Fuzz(func(t *testing.T, token string) {
		caller, err := b.tokens.Verify(t.Context(), token)
		if token == good {
			return
		}
		if err == nil {
			t.Fatalf("accepted as %s", caller.ID())
		}
		if authn.WhyOf(err) == "" {
			t.Fatalf("not a refusal: %v", err)
		}
	})
}
