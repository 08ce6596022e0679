package graphsim

import (
	"cmp"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/entra"

	"github.com/golang-jwt/jwt/v5"
)

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
	return s.keys.Sign(claims, "x5t")
}

// claimsFor are the claims that tokens of applications and of users have in common. Zero values take what the demo uses.
func (s *Sim) claimsFor(tenant, client, audience string, issued time.Time, lifetime time.Duration) *entra.AccessClaims {
	tenant, client, audience = cmp.Or(tenant, s.cfg.Tenants[0].ID), cmp.Or(client, DemoClientID), cmp.Or(audience, graphAudience)
	lifetime = cmp.Or(lifetime, s.cfg.TokenLifetime)
	if issued.IsZero() {
		issued = time.Now()
	}
	return &entra.AccessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "https://sts.windows.net/" + tenant + "/", Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued.Add(-5 * time.Minute)),
			ExpiresAt: jwt.NewNumericDate(issued.Add(lifetime)), ID: rand.Text(),
		},
		AppID: client, Tenant: tenant, Version: "1.0",
	}
}

const graphAudience = "https://graph.microsoft.com"

// graphAudiences are the audiences that the Graph side of this simulator takes.
func (s *Sim) graphAudiences() []string {
	out := []string{graphAudience, entra.GraphAppID, "https://graph.microsoft.us", "https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn"}
	if u := s.URL(); u != "" {
		out = append(out, u)
	}
	return out
}

// verify answers whose token a request's Authorization header holds, and what it states.
func (s *Sim) verify(header string) (*data.World, *entra.AccessClaims, *graphError) {
	scheme, raw, _ := strings.Cut(header, " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, nil, unauthorized("Access token is empty.")
	}
	key, err := s.keys.Key()
	if err != nil {
		return nil, nil, &graphError{status: 500, code: "InternalServerError", message: "The signing key is missing."}
	}
	var claims entra.AccessClaims
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
	if !entra.AudienceIn(claims.Audience, s.graphAudiences()) {
		return nil, nil, unauthorized("Access token validation failure. Invalid audience.")
	}
	w, _ := s.world(claims.Tenant)
	if w == nil {
		return nil, nil, unauthorized("Access token validation failure. Invalid tenant.")
	}
	return w, &claims, nil
}
