package graphsim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/entra"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// DemoAudience is the application id URI that caller tokens are for.
	DemoAudience = entra.DemoAudience
	// DemoScope is the delegated permission of a person's token that names none.
	DemoScope = "Conversations.Read"
	// DemoWebClientID is the application that demo users sign in to.
	DemoWebClientID = "7a1c0d52-93f4-4b0a-8c1e-5d2f60b7a9e3"
)

// CallerToken describes an access token for a service behind this directory, such as a gateway over the simulator; Graph
// itself does not take it. Zero fields take what the demo uses.
type CallerToken struct {
	// Tenant is the directory; empty = the first.
	Tenant string
	// User is the object id or user principal name of the person who signed in; empty = the application itself.
	User string
	// ClientID is the application that calls; Audience whom the token is for.
	ClientID, Audience string
	// Scopes are the delegated permissions of a person's token; Roles the app roles of a person or an application.
	Scopes, Roles []string
	// IssuedAt is when the token begins, and Lifetime how long it lasts; zero = now and the simulator's token lifetime.
	IssuedAt time.Time
	Lifetime time.Duration
}

// CallerIssuer is the issuer of caller tokens, with {tid} in the place of the tenant id; empty before Start.
func (s *Sim) CallerIssuer() string {
	root := s.URL()
	if root == "" {
		return ""
	}
	return root + "/{tid}/v2.0"
}

// SignCaller makes a caller token, signed with the key that the directory publishes.
func (s *Sim) SignCaller(q CallerToken) (string, error) {
	if s.URL() == "" {
		return "", errors.New("graphsim: tokens have no issuer before Start")
	}
	if q.Tenant == "" {
		q.Tenant = s.cfg.Tenants[0].ID
	}
	w, _ := s.world(q.Tenant)
	if w == nil {
		return "", fmt.Errorf("graphsim: no tenant %q", q.Tenant)
	}
	claims := entra.CallerClaims{Tenant: w.ID, Client: q.ClientID, Roles: q.Roles, Version: "2.0", UniqueID: rand.Text()}
	if q.User == "" {
		if claims.Client == "" {
			claims.Client = DemoClientID
		}
		// The service principal of an application: one in each directory.
		claims.Object = entra.GUIDOf(w.ID + "/" + claims.Client)
		claims.Subject, claims.IDType = claims.Object, "app"
	} else {
		r, ok := w.People.Find(q.User)
		if !ok {
			return "", fmt.Errorf("graphsim: no such user in tenant %q", q.Tenant)
		}
		if claims.Client == "" {
			claims.Client = DemoWebClientID
		}
		claims.Object, claims.SignIn = w.People.ID(r), w.People.UPN(r)
		// Entra's subjects differ by application.
		claims.Subject = entra.GUIDOf(claims.Object + "/" + claims.Client)
		claims.Scope = strings.Join(q.Scopes, " ")
		if len(q.Scopes) == 0 {
			claims.Scope = DemoScope
		}
	}
	if q.Audience == "" {
		q.Audience = DemoAudience
	}
	if q.IssuedAt.IsZero() {
		q.IssuedAt = time.Now()
	}
	if q.Lifetime == 0 {
		q.Lifetime = s.cfg.TokenLifetime
	}
	claims.Issuer = strings.ReplaceAll(s.CallerIssuer(), "{tid}", w.ID)
	claims.Audience = jwt.ClaimStrings{q.Audience}
	claims.IssuedAt, claims.NotBefore = jwt.NewNumericDate(q.IssuedAt), jwt.NewNumericDate(q.IssuedAt)
	claims.ExpiresAt = jwt.NewNumericDate(q.IssuedAt.Add(q.Lifetime))
	return s.keys.Sign(&claims)
}

// serveCallerToken answers /_sim/token?user=…&scope=…&role=…&client=…&tenant=… with a caller token as plain text. It needs
// no password: the simulator listens on loopback only, and its people are fictional.
func (s *Sim) serveCallerToken(x *exchange) {
	query := x.r.URL.Query()
	words := func(name string) []string { return strings.Fields(strings.Join(query[name], " ")) }
	token, err := s.SignCaller(CallerToken{
		Tenant: query.Get("tenant"), User: query.Get("user"), ClientID: query.Get("client"), Audience: query.Get("audience"),
		Scopes: words("scope"), Roles: words("role"),
	})
	if err != nil {
		x.adminJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	x.w.Header().Set("Cache-Control", "no-store")
	x.write(http.StatusOK, "text/plain; charset=utf-8", []byte(token+"\n"))
}
