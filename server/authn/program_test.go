package authn_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/server/authn"
)

// Issuers as their products name them.
const (
	auth0     = "https://contoso.eu.auth0.com/"
	okta      = "https://contoso.okta.com/oauth2/default"
	oktaOwn   = "https://id.contoso.example/oauth2/default" // under a domain of the customer's
	keycloak  = "https://id.contoso.example/realms/" + tenant
	rfc9068   = "https://id.contoso.example"
	pingOne   = "https://auth.pingone.eu/" + tenant + "/as"
	client    = "0oa1b2c3d4"
	clientApp = "0dbb4cd3-0000-4000-8000-000000000001"
)

// TestWhoIsAProgram signs the token shapes of the products: a token says who is behind it in the way of its issuer, and a
// scope says nothing of it.
func TestWhoIsAProgram(t *testing.T) {
	t.Parallel()
	const (
		user, program, unknown = authn.KindUser, authn.KindApplication, authn.KindUnknown
		refused                = authn.Kind(-1)
	)
	access := map[string]any{"typ": "at+jwt"}
	for name, c := range map[string]struct {
		issuer string
		header map[string]any
		claims jwt.MapClaims
		want   authn.Kind
	}{
		"RFC 9068: a person":                 {rfc9068, access, jwt.MapClaims{"sub": "5ba552d67", "client_id": client, "scope": "read"}, user},
		"RFC 9068: a person without a scope": {rfc9068, access, jwt.MapClaims{"sub": "5ba552d67", "client_id": client}, user},
		"RFC 9068: a program":                {rfc9068, access, jwt.MapClaims{"sub": client, "client_id": client, "scope": "read"}, program},
		"RFC 9068: without a scope":          {rfc9068, access, jwt.MapClaims{"sub": client, "client_id": client}, program},
		"no typ, no client":                  {rfc9068, nil, jwt.MapClaims{"sub": "5ba552d67", "scope": "read"}, unknown},
		"no typ, no scope":                   {rfc9068, nil, jwt.MapClaims{"sub": "5ba552d67", "client_id": client}, refused},

		"Auth0: a person":           {auth0, nil, jwt.MapClaims{"sub": "auth0|62fb", "azp": client, "scope": "openid read"}, user},
		"Auth0: a password":         {auth0, nil, jwt.MapClaims{"sub": "auth0|62fb", "azp": client, "gty": "password", "scope": "read"}, user},
		"Auth0: a program":          {auth0, nil, jwt.MapClaims{"sub": client + "@clients", "azp": client, "gty": "client-credentials", "scope": "read"}, program},
		"Auth0: no scope":           {auth0, nil, jwt.MapClaims{"sub": client + "@clients", "azp": client, "gty": "client-credentials"}, program},
		"Auth0: in the profile":     {auth0, access, jwt.MapClaims{"sub": client + "@clients", "client_id": client, "scope": "read"}, program},
		"Auth0: several grants":     {auth0, nil, jwt.MapClaims{"sub": "x", "azp": client, "gty": []string{"client-credentials"}, "scope": "read"}, program},
		"Auth0: a grant of a table": {auth0, nil, jwt.MapClaims{"sub": "x", "azp": client, "gty": map[string]any{"a": 1}, "scope": "read"}, refused},

		"Keycloak: a person": {keycloak, nil, jwt.MapClaims{
			"sub": object, "azp": "web", "typ": "Bearer", "sid": "b71a", "acr": "1", "preferred_username": "ada", "scope": "profile read",
		}, user},
		"Keycloak: a service account": {keycloak, nil, jwt.MapClaims{
			"sub": object, "azp": "batch", "typ": "Bearer", "acr": "1", "preferred_username": "service-account-batch", "scope": "profile read",
			"clientHost": "192.0.2.1", "clientAddress": "192.0.2.1", "client_id": "batch",
		}, program},
		"Keycloak: an older one": {keycloak, nil, jwt.MapClaims{
			"sub": object, "azp": "batch", "typ": "Bearer", "session_state": "b71a", "preferred_username": "service-account-batch", "clientId": "batch", "scope": "read",
		}, program},
		"Keycloak: without a profile":   {keycloak, nil, jwt.MapClaims{"sub": object, "azp": "batch", "client_id": "batch", "typ": "Bearer", "scope": "read"}, program},
		"Keycloak: a person without it": {keycloak, nil, jwt.MapClaims{"sub": object, "azp": "web", "sid": "b71a", "typ": "Bearer", "scope": "read"}, user},
		"Keycloak: neither":             {keycloak, nil, jwt.MapClaims{"sub": object, "azp": "web", "typ": "Bearer", "scope": "read"}, unknown},
		"Keycloak: an id token":         {keycloak, nil, jwt.MapClaims{"sub": object, "azp": "web", "typ": "ID", "sid": "b71a", "scope": "read"}, refused},
		"Keycloak: a refresh token":     {keycloak, nil, jwt.MapClaims{"sub": object, "azp": "web", "typ": "Refresh", "sid": "b71a", "scope": "read"}, refused},
		"a service account, elsewhere":  {rfc9068, nil, jwt.MapClaims{"sub": object, "azp": "batch", "preferred_username": "Service-Account-batch", "scope": "read"}, program},

		"a person named as one": {rfc9068, nil, jwt.MapClaims{"sub": object, "azp": "web", "preferred_username": "service-account-ada", "auth_time": 1764000000, "scope": "read"}, unknown},
		"Keycloak: named as one": {keycloak, nil, jwt.MapClaims{
			"sub": object, "azp": "web", "typ": "Bearer", "sid": "b71a", "preferred_username": "service-account-ada", "scope": "read",
		}, unknown},

		"Okta: a person":         {okta, nil, jwt.MapClaims{"sub": "ada@contoso.example", "cid": client, "uid": "00u1", "scp": []string{"read"}}, user},
		"Okta: a program":        {okta, nil, jwt.MapClaims{"sub": client, "cid": client, "scp": []string{"read"}}, program},
		"Okta: another subject":  {oktaOwn, nil, jwt.MapClaims{"sub": "batch", "cid": client, "scp": []string{"read"}}, program},
		"Okta: uid is null":      {okta, nil, jwt.MapClaims{"sub": "batch", "cid": client, "uid": nil, "scp": []string{"read"}}, program},
		"Okta: not its own form": {okta, nil, jwt.MapClaims{"sub": "ada", "client_id": client, "scp": []string{"read"}}, unknown},

		"Cognito: a person":     {rfc9068, nil, jwt.MapClaims{"sub": object, "client_id": client, "token_use": "access", "username": "ada", "scope": "read"}, user},
		"Cognito: a program":    {rfc9068, nil, jwt.MapClaims{"sub": client, "client_id": client, "token_use": "access", "scope": "read"}, program},
		"Cognito: an id token":  {rfc9068, nil, jwt.MapClaims{"sub": object, "token_use": "id", "scope": "read"}, refused},
		"WSO2: a person":        {rfc9068, access, jwt.MapClaims{"sub": "ada", "client_id": client, "aut": "APPLICATION_USER", "scope": "read"}, user},
		"WSO2: a program":       {rfc9068, access, jwt.MapClaims{"sub": "admin", "client_id": client, "aut": "APPLICATION", "scope": "read"}, program},
		"ForgeRock: a program":  {rfc9068, nil, jwt.MapClaims{"sub": "batch-agent", "aud": audience, "grant_type": "client_credentials", "tokenName": "access_token", "scope": "read"}, program},
		"PingOne: a program":    {pingOne, nil, jwt.MapClaims{"sub": client, "client_id": client, "scope": "read"}, program},
		"an id token, by hash":  {rfc9068, nil, jwt.MapClaims{"sub": object, "azp": client, "at_hash": "x", "scope": "read"}, refused},
		"idtyp, elsewhere":      {rfc9068, nil, jwt.MapClaims{"sub": object, "azp": client, "idtyp": "app", "scope": "read"}, program},
		"idtyp of neither kind": {rfc9068, nil, jwt.MapClaims{"sub": object, "azp": client, "idtyp": "device", "scope": "read"}, refused},

		"Entra v2: a person":              {issuerV2, nil, entra(jwt.MapClaims{"scp": "read", "azp": clientApp}), user},
		"Entra v2: a program":             {issuerV2, nil, entra(jwt.MapClaims{"sub": object, "azp": clientApp, "roles": []string{"r"}}), program},
		"Entra v2: idtyp":                 {issuerV2, nil, entra(jwt.MapClaims{"azp": clientApp, "idtyp": "app"}), program},
		"Entra v1: a person":              {issuerV1, nil, entra(jwt.MapClaims{"scp": "read", "appid": clientApp}), user},
		"Entra v1: a program":             {issuerV1, nil, entra(jwt.MapClaims{"sub": object, "appid": clientApp}), program},
		"Entra: an id token with roles":   {issuerV2, nil, entra(jwt.MapClaims{"azp": clientApp, "roles": []string{"r"}}), refused},
		"Entra: a program with a scope":   {issuerV2, nil, entra(jwt.MapClaims{"scp": "read", "azp": clientApp, "idtyp": "app"}), refused},
		"Entra: a device":                 {issuerV2, nil, entra(jwt.MapClaims{"scp": "read", "azp": clientApp, "idtyp": "device"}), refused},
		"Entra: a device without a scope": {issuerV2, nil, entra(jwt.MapClaims{"sub": object, "azp": clientApp, "idtyp": "device"}), refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(cfg *authn.TokensConfig) {
				if !strings.Contains(c.issuer, "microsoft") && !strings.Contains(c.issuer, "windows") {
					cfg.Issuer = c.issuer
				}
			})
			b.issuer.publish(c.issuer)
			now := b.clock()
			token := signWith(t, jwt.SigningMethodRS256, testKeys()[0], merge(jwt.MapClaims{"kid": "key-1"}, c.header), merge(jwt.MapClaims{
				"iss": c.issuer, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			}, c.claims))
			caller, err := b.tokens.Verify(t.Context(), token)
			switch {
			case c.want == refused:
				if why := authn.WhyOf(err); why != authn.WhyNotAccess && why != authn.WhyMalformed {
					t.Errorf("%+v, %v, want a refusal", caller, err)
				}
			case err != nil || caller.Kind != c.want:
				t.Errorf("%+v, %v, want %s", caller, err, c.want)
			}
		})
	}
}

// entra are the claims of every token of Entra's.
func entra(more jwt.MapClaims) jwt.MapClaims {
	return merge(jwt.MapClaims{"sub": "pairwise", "oid": object, "tid": tenant, "nbf": 1}, more)
}

// TestIssuersAreRecognizedByTheirURL recognizes issuers at start: what is known of an issuer before its first token is its URL.
func TestIssuersAreRecognizedByTheirURL(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]authn.Programs{
		issuerV2: authn.ProgramsEntra, issuerV1: authn.ProgramsEntra, "https://127.0.0.1:8090/{tid}/v2.0": authn.ProgramsEntra,
		"https://" + tenant + ".ciamlogin.com/" + tenant + "/v2.0": authn.ProgramsEntra,
		auth0: authn.ProgramsAuth0, okta: authn.ProgramsOkta, keycloak: authn.ProgramsKeycloak,
		"https://kc.example/auth/realms/main": authn.ProgramsKeycloak,
		oktaOwn:                               authn.ProgramsOkta, "https://id.contoso.example/oauth2/aus1a2b3c4d5e6f7g8h9": authn.ProgramsOkta,
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1": authn.ProgramsRFC9068,
		rfc9068: authn.ProgramsUnknown, pingOne: authn.ProgramsUnknown, "https://is.example/oauth2/token": authn.ProgramsUnknown,
		"https://am.example/am/oauth2/realms/root/realms/alpha": authn.ProgramsUnknown,
		"https://evil-auth0.com/":                               authn.ProgramsUnknown, "https://x.okta.com.evil.example/": authn.ProgramsUnknown,
		"https://id.example/realms": authn.ProgramsUnknown, "://": authn.ProgramsUnknown,
	} {
		if have := authn.ProgramsOf(issuer); have != want {
			t.Errorf("%s: %q, want %q", issuer, have, want)
		}
	}
	b := newBench(t, func(cfg *authn.TokensConfig) { cfg.Issuer, cfg.Programs = rfc9068, authn.ProgramsOkta })
	b.issuer.publish(rfc9068)
	now := b.clock()
	caller, err := b.tokens.Verify(t.Context(), sign(t, jwt.MapClaims{
		"iss": rfc9068, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "sub": "ada", "azp": client, "scp": []string{"read"},
	}))
	if err != nil || caller.Kind != authn.KindUnknown {
		t.Errorf("%+v, %v: the setting does not count", caller, err)
	}
}

// TestTokensOfOtherTypesAreRefused signs tokens of other kinds with the issuer's key: one key signs many kinds of tokens.
func TestTokensOfOtherTypesAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	try := func(typ any) authn.Why {
		header := map[string]any{"kid": "key-1", "typ": typ}
		_, err := b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[0], header, b.delegated(nil)))
		return authn.WhyOf(err)
	}
	for _, typ := range []any{"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"} {
		if why := try(typ); why != "" {
			t.Errorf("%v: %q", typ, why)
		}
	}
	for _, typ := range []any{
		"id_token", "logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "client-authentication+jwt",
		"kb+jwt", "", " JWT", "text/at+jwt", nil, 1,
		[]string{"JWT"},
	} {
		if why := try(typ); why != authn.WhyNotAccess {
			t.Errorf("%v: %q", typ, why)
		}
	}
}

// TestTokensThatLiveTooLongAreRefused: what an issuer grants for too long is not accepted, from its first minute on.
func TestTokensThatLiveTooLongAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(cfg *authn.TokensConfig) { cfg.MaxLifetime = 2 * time.Hour })
	now := b.clock()
	for name, c := range map[string]struct {
		issued, expires time.Time
		want            authn.Why
	}{
		"as long as allowed": {now, now.Add(2 * time.Hour), ""},
		"a second longer":    {now, now.Add(2*time.Hour + time.Second), authn.WhyLifetime},
		"mostly over":        {now.Add(-23 * time.Hour), now.Add(time.Hour), authn.WhyLifetime},
	} {
		_, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(jwt.MapClaims{"iat": c.issued.Unix(), "exp": c.expires.Unix()})))
		if authn.WhyOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestABoundTokenNeedsItsKey: a token that is bound to a key is worth nothing without that key, whoever stole it.
func TestABoundTokenNeedsItsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ours := newAuthority(t)
	holder := ours.client(t, func(*x509.Certificate) {})
	thief := ours.client(t, func(*x509.Certificate) {})
	sum := sha256.Sum256(holder.PeerCertificates[0].Raw)
	mine := base64.RawURLEncoding.EncodeToString(sum[:])
	roots := ours.pool()
	both := &authn.Credentials{Tokens: b.tokens, Certificates: &authn.Certificates{Roots: func() *x509.CertPool { return roots }, Now: b.clock}}
	unverified := *holder
	unverified.VerifiedChains = nil
	b.set(time.Now())
	for name, c := range map[string]struct {
		cnf         any
		state       *tls.ConnectionState
		credentials *authn.Credentials
		want        authn.Why
	}{
		"the holder":                 {map[string]any{"x5t#S256": mine}, holder, both, ""},
		"another certificate":        {map[string]any{"x5t#S256": mine}, thief, both, authn.WhyBound},
		"no certificate":             {map[string]any{"x5t#S256": mine}, nil, both, authn.WhyBound},
		"certificates are not asked": {map[string]any{"x5t#S256": mine}, holder, &authn.Credentials{Tokens: b.tokens}, authn.WhyBound},
		"not verified":               {map[string]any{"x5t#S256": mine}, &unverified, both, authn.WhyBound},
		"DPoP":                       {map[string]any{"jkt": mine}, holder, both, authn.WhyBound},
		"DPoP beside it":             {map[string]any{"x5t#S256": mine, "jkt": mine}, holder, both, authn.WhyBound},
		"a key":                      {map[string]any{"jwk": map[string]any{"kty": "RSA"}}, holder, both, authn.WhyBound},
		"SHA-1":                      {map[string]any{"x5t": mine[:27]}, holder, both, authn.WhyBound},
		"too short":                  {map[string]any{"x5t#S256": mine[:20]}, holder, both, authn.WhyBound},
		"padded":                     {map[string]any{"x5t#S256": mine + "="}, holder, both, authn.WhyBound},
		"of a number":                {map[string]any{"x5t#S256": 7}, holder, both, authn.WhyMalformed},
		"to nothing":                 {map[string]any{}, holder, both, authn.WhyMalformed},
		"of no object":               {"x5t#S256", holder, both, authn.WhyMalformed},
		"null":                       {nil, holder, both, authn.WhyMalformed},
	} {
		claims := b.delegated(nil)
		claims["cnf"] = c.cnf
		_, err := c.credentials.Authenticate(incoming(t.Context(), c.state, "authorization", "Bearer "+sign(t, claims)))
		if authn.WhyOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestBoundTokensEndWithTheirCertificate: a stream outlives the certificate that its token is bound to no longer than a token of its own.
func TestBoundTokensEndWithTheirCertificate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.set(time.Now())
	ours := newAuthority(t)
	roots := ours.pool()
	credentials := &authn.Credentials{Tokens: b.tokens, Certificates: &authn.Certificates{Roots: func() *x509.CertPool { return roots }, Now: b.clock}}
	for about, c := range map[string]struct{ certificate, token time.Duration }{
		"the certificate ends first": {10 * time.Minute, 30 * time.Minute},
		"the token ends first":       {30 * time.Minute, 10 * time.Minute},
	} {
		state := ours.client(t, func(template *x509.Certificate) {
			template.NotBefore, template.NotAfter = b.clock().Add(-time.Hour), b.clock().Add(c.certificate)
		})
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		claims := b.delegated(jwt.MapClaims{
			"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}, "exp": b.clock().Add(c.token).Unix(),
		})
		caller, err := credentials.Authenticate(incoming(t.Context(), state, "authorization", "Bearer "+sign(t, claims)))
		if err != nil {
			t.Fatal(err)
		}
		if err := caller.Recheck(b.clock().Add(14 * time.Minute)); err != nil {
			t.Errorf("%s: within five minutes: %v", about, err)
		}
		if err := caller.Recheck(b.clock().Add(16 * time.Minute)); authn.WhyOf(err) != authn.WhyExpired {
			t.Errorf("%s: after them: %v, want %q", about, err, authn.WhyExpired)
		}
	}
}

// TestOnlyTheIssuersSigningKeys: what a key's own members say of its use and owner holds.
func TestOnlyTheIssuersSigningKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members string
		want    authn.Why
	}{
		"nothing said":               {``, ""},
		"this tenant's":              {`,"issuer":"` + issuerV2 + `"`, ""},
		"any tenant's":               {`,"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"`, ""},
		"the same tenant's v1 name":  {`,"issuer":"` + issuerV1 + `"`, ""},
		"another tenant's":           {`,"issuer":"https://login.microsoftonline.com/` + other + `/v2.0"`, authn.WhyKeys},
		"of another host":            {`,"issuer":"https://id.example/{tenantid}/v2.0"`, authn.WhyKeys},
		"in the clear":               {`,"issuer":"http://login.microsoftonline.com/{tenantid}/v2.0"`, authn.WhyKeys},
		"of no URL":                  {`,"issuer":"contoso"`, authn.WhyKeys},
		"for verifying":              {`,"key_ops":["verify"]`, ""},
		"for signing alone":          {`,"key_ops":["sign"]`, authn.WhyKeys},
		"for encryption":             {`,"key_ops":["encrypt","wrapKey"]`, authn.WhyKeys},
		"for nothing":                {`,"key_ops":[]`, authn.WhyKeys},
		"for a word":                 {`,"key_ops":"verify"`, authn.WhyKeys},
		"for encryption by use":      {`,"use":"enc"`, authn.WhyKeys},
		"for another algorithm":      {`,"alg":"RSA-OAEP"`, authn.WhyAlgorithm},
		"for ours":                   {`,"alg":"RS256"`, ""},
		"use and operations at odds": {`,"use":"sig","key_ops":["decrypt"]`, authn.WhyKeys},
	} {
		b := newBench(t, nil)
		b.issuer.set(func() {
			key := keySet(b.issuer.served)
			if strings.Contains(c.members, `"use"`) {
				key = strings.Replace(key, `"use":"sig",`, ``, 1)
			}
			key = strings.Replace(key, `"kid":"key-1"`, `"kid":"key-1"`+c.members, 1)
			b.issuer.change = func(path string) (int, string, bool) { return http.StatusOK, key, path == "/keys" }
		})
		if _, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil))); authn.WhyOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestCallersAreProvenAgain: whatever a credential was accepted by may be withdrawn while a call runs.
func TestCallersAreProvenAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ours, others := newAuthority(t), newAuthority(t)
	roots := ours.pool()
	certificates := &authn.Certificates{Roots: func() *x509.CertPool { return roots }}
	state := ours.client(t, func(*x509.Certificate) {})
	now := time.Now()
	b.set(now)
	holder, err := certificates.Identify(state)
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.tokens.Verify(t.Context(), sign(t, b.delegated(nil)))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(state.PeerCertificates[0].Raw)
	claims := b.delegated(jwt.MapClaims{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	bound, err := (&authn.Credentials{Tokens: b.tokens, Certificates: certificates}).Authenticate(incoming(t.Context(), state, "authorization", "Bearer "+sign(t, claims)))
	if err != nil {
		t.Fatal(err)
	}
	check := func(about string, c *authn.Caller, want authn.Why) {
		t.Helper()
		if have := authn.WhyOf(c.Recheck(b.clock())); have != want {
			t.Errorf("%s: %q, want %q", about, have, want)
		}
	}
	for about, c := range map[string]*authn.Caller{"certificate": holder, "token": token, "bound token": bound} {
		check(about+" that still holds", c, "")
	}
	roots = others.pool()
	check("the authority was taken out", holder, authn.WhyCertificate)
	check("the authority of the certificate behind a token", bound, authn.WhyCertificate)
	check("a token without a certificate", token, "")
	roots = ours.pool()
	check("the authority is back", holder, "")

	// Another key under the same id, then none: the fetch that the question begins finds out.
	refetched := func() {
		b.pass(5 * time.Minute)
		_ = token.Recheck(b.clock())
		// An unknown key waits for the fetch under way.
		_, _ = b.tokens.Verify(t.Context(), signWith(t, jwt.SigningMethodRS256, testKeys()[1], map[string]any{"kid": rand.Text()}, b.delegated(nil)))
	}
	refetched()
	check("after a fetch that changed nothing", token, "")
	b.issuer.set(func() { b.issuer.served["key-1"] = &testKeys()[1].PublicKey })
	refetched()
	check("another key under the id", token, authn.WhyUnknownKey)
	b.issuer.set(func() { b.issuer.served["key-1"] = &testKeys()[0].PublicKey })
	refetched()
	check("the key is back", token, "")
	b.issuer.set(func() { delete(b.issuer.served, "key-1"); b.issuer.served["key-2"] = &testKeys()[1].PublicKey })
	refetched()
	check("the key was withdrawn", token, authn.WhyUnknownKey)
	b.issuer.set(func() { b.issuer.served["key-1"] = &testKeys()[0].PublicKey })
	refetched()
	b.pass(38 * time.Minute)
	check("the token ended minutes ago", token, "")
	b.pass(10 * time.Minute)
	check("the token ended long ago", token, authn.WhyExpired)
}

// TestNamesOfCertificates: what is no name of one machine is no subject.
func TestNamesOfCertificates(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	credentials := &authn.Certificates{Roots: ours.pool}
	for name, c := range map[string]struct {
		dns  []string
		uris []*url.URL
		want authn.Namespace
		why  authn.Why
	}{
		"a host":              {[]string{"Export.Example"}, nil, authn.DNSName, ""},
		"one label":           {[]string{"export"}, nil, authn.DNSName, ""},
		"a wildcard":          {[]string{"*.example"}, nil, 0, authn.WhyCertificate},
		"a wildcard inside":   {[]string{"a*.example"}, nil, 0, authn.WhyCertificate},
		"a wildcard alone":    {[]string{"*"}, nil, 0, authn.WhyCertificate},
		"a final dot":         {[]string{"export.example."}, nil, 0, authn.WhyCertificate},
		"a URI":               {[]string{"export.example"}, uris(t, "spiffe://contoso.example/a"), authn.URIName, ""},
		"a URN":               {nil, uris(t, "urn:uuid:"+object), authn.URIName, ""},
		"a URI like a host":   {[]string{"export.example"}, []*url.URL{{Path: "export.example"}}, 0, authn.WhyCertificate},
		"a wildcard in a URI": {nil, uris(t, "spiffe://contoso.example/*"), 0, authn.WhyCertificate},
	} {
		state := ours.client(t, func(cert *x509.Certificate) { cert.DNSNames, cert.URIs = c.dns, c.uris })
		caller, err := credentials.Identify(state)
		if authn.WhyOf(err) != c.why || err == nil && caller.Namespace != c.want {
			t.Errorf("%s: %+v, %v", name, caller, err)
		}
	}
}
