package entra

import (
	"cmp"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim/refusal"
)

const graphAudience = "https://graph.microsoft.com"

// TokenRequest describes a token of Graph for an application. Zero fields take what the first app of the first tenant gets.
type TokenRequest struct {
	Tenant, ClientID, Audience string
	Roles                      []string
	IssuedAt                   time.Time
	Lifetime                   time.Duration
}

// UserToken describes a delegated access token of Graph. Zero fields take what the demo uses.
type UserToken struct {
	Tenant, ClientID, Audience string
	// User is the user's object id.
	User     string
	Scopes   []string
	IssuedAt time.Time
	Lifetime time.Duration
}

// Signer signs tokens and verifies those of Graph.
type Signer struct {
	Keys *Keyring
	// Tenant and ClientID are those of requests that name none, and Lifetime is how long their tokens last.
	Tenant, ClientID string
	Lifetime         time.Duration
}

// App makes a token of an application.
func (s *Signer) App(q TokenRequest) (string, error) {
	if q.Roles == nil {
		q.Roles = DefaultRoles()
	}
	claims := s.accessClaims(q.Tenant, q.ClientID, q.Audience, q.IssuedAt, q.Lifetime)
	claims.Subject, claims.Roles, claims.IDType = claims.AppID, q.Roles, "app"
	return s.Keys.Sign(claims, "x5t")
}

// User makes a delegated token, as an exchange does.
func (s *Signer) User(q UserToken) (string, error) {
	if q.Scopes == nil {
		q.Scopes = DefaultScopes()
	}
	claims := s.accessClaims(q.Tenant, q.ClientID, q.Audience, q.IssuedAt, q.Lifetime)
	claims.Subject, claims.Object = GUIDOf(q.User+"/"+claims.AppID), q.User
	claims.Scope, claims.IDType = strings.Join(q.Scopes, " "), "user"
	return s.Keys.Sign(claims, "x5t")
}

// accessClaims are the claims that tokens of applications and of users have in common.
func (s *Signer) accessClaims(tenant, client, audience string, issued time.Time, lifetime time.Duration) *AccessClaims {
	tenant, client, audience = cmp.Or(tenant, s.Tenant), cmp.Or(client, s.ClientID), cmp.Or(audience, graphAudience)
	if issued.IsZero() {
		issued = time.Now()
	}
	return &AccessClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: "https://sts.windows.net/" + tenant + "/", Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued.Add(-5 * time.Minute)),
			ExpiresAt: jwt.NewNumericDate(issued.Add(cmp.Or(lifetime, s.Lifetime))), ID: rand.Text(),
		},
		AppID: client, Tenant: tenant, Version: "1.0",
	}
}

// graphAudiences returns the audiences of Graph in all clouds.
func graphAudiences() []string {
	return []string{graphAudience, GraphAppID, "https://graph.microsoft.us", "https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn"}
}

// Verify returns the claims of the token in an Authorization header, which is for Graph or for another audience that is given.
func (s *Signer) Verify(header string, others ...string) (*AccessClaims, *refusal.Error) {
	scheme, raw, _ := strings.Cut(header, " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, refusal.Unauthorized("Access token is empty.")
	}
	key, err := s.Keys.Key()
	if err != nil {
		return nil, &refusal.Error{Status: 500, Code: "InternalServerError", Message: "The signing key is missing."}
	}
	var claims AccessClaims
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired()).
		ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, refusal.Unauthorized("CompactToken parsing failed with error code: 80049217")
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet):
		return nil, refusal.Unauthorized("Lifetime validation failed, the token is expired.")
	case err != nil:
		return nil, refusal.Unauthorized("Access token validation failure. Invalid signature.")
	case !AudienceIn(claims.Audience, append(graphAudiences(), others...)):
		return nil, refusal.Unauthorized("Access token validation failure. Invalid audience.")
	}
	return &claims, nil
}
