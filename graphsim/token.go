package graphsim

import (
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"

	"github.com/golang-jwt/jwt/v5"
)

// keyring signs access tokens with an RSA key that is made when it is first needed.
type keyring struct {
	id  string
	key func() (*rsa.PrivateKey, error)
}

func newKeyring() *keyring {
	return &keyring{id: "graphsim-1", key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("graphsim: signing key: %w", err)
		}
		return k, nil
	})}
}

// accessClaims are the claims of an access token of Graph: an application's with roles, or a user's with a scope.
type accessClaims struct {
	jwt.RegisteredClaims
	AppID   string   `json:"appid"`
	Tenant  string   `json:"tid"`
	Object  string   `json:"oid,omitempty"`
	Scope   string   `json:"scp,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Version string   `json:"ver"`
	IDType  string   `json:"idtyp"`
}

// TokenRequest describes a token for [Sim.SignToken]. Zero fields take what the first app of the first tenant gets.
type TokenRequest struct {
	Tenant, ClientID, Audience string
	Roles                      []string
	IssuedAt                   time.Time
	Lifetime                   time.Duration
}

// SignToken makes an access token directly, for tests that need an expired, foreign or powerless one.
func (s *Sim) SignToken(q TokenRequest) (string, error) {
	if q.Roles == nil {
		q.Roles = DefaultRoles()
	}
	claims := s.claimsFor(q.Tenant, q.ClientID, q.Audience, q.IssuedAt, q.Lifetime)
	claims.Subject, claims.Roles, claims.IDType = claims.AppID, q.Roles, "app"
	return s.sign(claims)
}

// claimsFor are the claims that tokens of applications and of users have in common. Zero values take what the demo uses.
func (s *Sim) claimsFor(tenant, client, audience string, issued time.Time, lifetime time.Duration) *accessClaims {
	tenant, client, audience = cmp.Or(tenant, s.cfg.Tenants[0].ID), cmp.Or(client, DemoClientID), cmp.Or(audience, graphAudience)
	lifetime = cmp.Or(lifetime, s.cfg.TokenLifetime)
	if issued.IsZero() {
		issued = time.Now()
	}
	return &accessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "https://sts.windows.net/" + tenant + "/", Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued.Add(-5 * time.Minute)),
			ExpiresAt: jwt.NewNumericDate(issued.Add(lifetime)), ID: rand.Text(),
		},
		AppID: client, Tenant: tenant, Version: "1.0",
	}
}

func (s *Sim) sign(claims *accessClaims) (string, error) {
	key, err := s.keys.key()
	if err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	t.Header["kid"], t.Header["x5t"] = s.keys.id, s.keys.id
	signed, err := t.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("graphsim: sign token: %w", err)
	}
	return signed, nil
}

const (
	graphAudience = "https://graph.microsoft.com"
	graphAppID    = "00000003-0000-0000-c000-000000000000"
)

// graphAudiences are the audiences that the Graph side of this simulator takes.
func (s *Sim) graphAudiences() []string {
	out := []string{graphAudience, graphAppID, "https://graph.microsoft.us", "https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn"}
	if u := s.URL(); u != "" {
		out = append(out, u)
	}
	return out
}

// verify answers whose token a request's Authorization header holds, and what it states.
func (s *Sim) verify(header string) (*data.World, *accessClaims, *graphError) {
	scheme, raw, _ := strings.Cut(header, " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, nil, unauthorized("Access token is empty.")
	}
	key, err := s.keys.key()
	if err != nil {
		return nil, nil, &graphError{status: 500, code: "InternalServerError", message: "The signing key is missing."}
	}
	var claims accessClaims
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired()).
		ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, nil, unauthorized("CompactToken parsing failed with error code: 80049217")
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet):
		return nil, nil, unauthorized("Lifetime validation failed, the token is expired.")
	case err != nil:
		return nil, nil, unauthorized("Access token validation failure. Invalid signature.")
	}
	if !audienceIn(claims.Audience, s.graphAudiences()) {
		return nil, nil, unauthorized("Access token validation failure. Invalid audience.")
	}
	w, _ := s.world(claims.Tenant)
	if w == nil {
		return nil, nil, unauthorized("Access token validation failure. Invalid tenant.")
	}
	return w, &claims, nil
}

func audienceIn(have jwt.ClaimStrings, want []string) bool {
	for _, a := range have {
		if data.ContainsFold(want, strings.TrimSuffix(a, "/")) {
			return true
		}
	}
	return false
}

func (k *keyring) jwks() (data.Object, error) {
	key, err := k.key()
	if err != nil {
		return nil, err
	}
	enc := base64.RawURLEncoding.EncodeToString
	return data.Object{member("keys", data.List{{
		member("kty", "RSA"),
		member("use", "sig"),
		member("kid", k.id),
		member("x5t", k.id),
		member("alg", "RS256"),
		member("n", enc(key.N.Bytes())),
		member("e", enc(big.NewInt(int64(key.E)).Bytes())),
	}})}, nil
}
