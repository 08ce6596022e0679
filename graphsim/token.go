package graphsim

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/parley-gateway/parley/graphsim/entra"
)

const (
	// DemoAudience is the application id URI that caller tokens are for.
	DemoAudience = entra.DemoAudience
	// DemoScope is the delegated permission of a person's token that names none.
	DemoScope = entra.DemoScope
	// DemoWebClientID is the application that demo users sign in to.
	DemoWebClientID = entra.DemoWebClientID
)

type (
	// TokenRequest describes a token of Graph for an application, for [Sim.SignToken].
	TokenRequest = entra.TokenRequest
	// UserToken describes a delegated access token of Graph.
	UserToken = entra.UserToken
	// CallerToken describes an access token for a service behind this directory; Graph itself does not take it.
	CallerToken = entra.CallerToken
)

// SignToken makes an access token directly, for tests that need an expired, foreign or powerless one.
func (s *Sim) SignToken(q TokenRequest) (string, error) { return s.signer.App(q) }

// SignUserToken makes a delegated token directly, as an exchange does.
func (s *Sim) SignUserToken(q UserToken) (string, error) { return s.signer.User(q) }

// CallerIssuer is the issuer of caller tokens, with {tid} in the place of the tenant id; empty before Start.
func (s *Sim) CallerIssuer() string {
	root := s.URL()
	if root == "" {
		return ""
	}
	return root + "/{tid}/v2.0"
}

func (s *Sim) callerIssuer(tenant string) string {
	return strings.ReplaceAll(s.CallerIssuer(), "{tid}", tenant)
}

// SignCaller makes a caller token, signed with the key that the directory publishes.
func (s *Sim) SignCaller(q CallerToken) (string, error) {
	if s.URL() == "" {
		return "", errors.New("graphsim: tokens have no issuer before Start")
	}
	q.Tenant = cmp.Or(q.Tenant, s.cfg.Tenants[0].ID)
	w, _ := s.world(q.Tenant)
	if w == nil {
		return "", fmt.Errorf("graphsim: no tenant %q", q.Tenant)
	}
	return s.signer.Caller(q, w, s.callerIssuer(w.ID))
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
