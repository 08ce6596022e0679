package entra

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim/data"
)

const (
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

// Caller makes a caller token of a directory, signed with the key that the directory publishes.
func (s *Signer) Caller(q CallerToken, w *data.World, issuer string) (string, error) {
	claims := CallerClaims{Tenant: w.ID, Client: q.ClientID, Roles: q.Roles, Version: "2.0", UniqueID: rand.Text()}
	if q.User == "" {
		claims.Client = cmp.Or(claims.Client, s.ClientID)
		// The service principal of an application: one in each directory.
		claims.Object = GUIDOf(w.ID + "/" + claims.Client)
		claims.Subject, claims.IDType = claims.Object, "app"
	} else {
		r, ok := w.People.Find(q.User)
		if !ok {
			return "", fmt.Errorf("graphsim: no such user in tenant %q", q.Tenant)
		}
		claims.Client = cmp.Or(claims.Client, DemoWebClientID)
		claims.Object, claims.SignIn = w.People.ID(r), w.People.UPN(r)
		// Entra's subjects differ by application.
		claims.Subject = GUIDOf(claims.Object + "/" + claims.Client)
		claims.Scope = strings.Join(q.Scopes, " ")
		if len(q.Scopes) == 0 {
			claims.Scope = DemoScope
		}
	}
	if q.IssuedAt.IsZero() {
		q.IssuedAt = time.Now()
	}
	claims.Issuer = issuer
	claims.Audience = jwt.ClaimStrings{cmp.Or(q.Audience, DemoAudience)}
	claims.IssuedAt, claims.NotBefore = jwt.NewNumericDate(q.IssuedAt), jwt.NewNumericDate(q.IssuedAt)
	claims.ExpiresAt = jwt.NewNumericDate(q.IssuedAt.Add(cmp.Or(q.Lifetime, s.Lifetime)))
	return s.Keys.Sign(&claims)
}
