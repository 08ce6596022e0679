package graphsim

import (
	"crypto"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/entra"

	"github.com/golang-jwt/jwt/v5"
)

// serveEntra answers discovery, keys and tokens; ok is false when the path is none of them.
func (x *exchange) serveEntra(segments []string) bool {
	if len(segments) < 2 {
		return false
	}
	tenant, rest := segments[0], strings.ToLower(strings.Join(segments[1:], "/"))
	switch rest {
	case "v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "oauth2/v2.0/token":
	default:
		return false
	}
	x.source = "token"
	if x.preFaults() {
		return true
	}
	w, t := x.sim.world(tenant)
	if w == nil {
		x.entraFail(&entra.Error{Status: 400, Code: "invalid_tenant", Number: 90002, Text: "Tenant '" + tenant + "' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."})
		return true
	}
	x.world = w
	switch rest {
	case "v2.0/.well-known/openid-configuration":
		x.writeJSON(http.StatusOK, entra.Discovery(x.authority(t)))
	case "discovery/v2.0/keys":
		keys, err := x.sim.keys.JWKS()
		if err != nil {
			x.entraFail(&entra.Error{Status: 500, Code: "server_error", Number: 90033, Text: "A transient error has occurred. Please try again."})
			return true
		}
		x.writeJSON(http.StatusOK, keys)
	default:
		x.token(t)
	}
	return true
}

func (x *exchange) authority(t *Tenant) string { return x.base() + "/" + t.ID }

func (x *exchange) entraFail(e *entra.Error) {
	x.writeJSON(e.Status, e.Body(x.requestID, x.clientID, x.sim.cfg.Now()))
}

const maxForm = 64 << 10

// token grants application tokens by client credentials, and delegated ones on behalf of users.
func (x *exchange) token(t *Tenant) {
	if x.r.Method != http.MethodPost {
		x.entraFail(&entra.Error{Status: http.StatusMethodNotAllowed, Code: "invalid_request", Number: 900561, Text: "The endpoint only accepts POST requests."})
		return
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	if err := x.r.ParseForm(); err != nil {
		x.entraFail(&entra.Error{Status: 400, Code: "invalid_request", Number: 900144, Text: "The request body could not be read."})
		return
	}
	form := x.r.PostForm
	app, fail := x.client(t, form)
	if fail != nil {
		x.entraFail(fail)
		return
	}
	if form.Get("grant_type") == grantOnBehalf {
		x.onBehalfOf(t, app, form)
		return
	}
	if form.Get("grant_type") != "client_credentials" {
		x.entraFail(&entra.Error{Status: 400, Code: "unsupported_grant_type", Number: 70003, Text: "The app requested an unsupported grant type."})
		return
	}
	audience := entra.AudienceOf(form.Get("scope"))
	if audience == "" {
		x.entraFail(&entra.Error{Status: 400, Code: "invalid_scope", Number: 1002012, Text: "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."})
		return
	}
	roles := app.Roles
	if roles == nil {
		roles = DefaultRoles()
	}
	signed, err := x.sim.SignToken(TokenRequest{Tenant: t.ID, ClientID: app.ClientID, Audience: audience, Roles: roles})
	if err != nil {
		x.entraFail(&entra.Error{Status: 500, Code: "server_error", Number: 90033, Text: "A transient error has occurred. Please try again."})
		return
	}
	x.w.Header().Set("Cache-Control", "no-store, no-cache")
	seconds := int(x.sim.cfg.TokenLifetime / time.Second)
	x.writeJSON(http.StatusOK, data.Object{member("token_type", "Bearer"), member("expires_in", seconds), member("ext_expires_in", seconds), member("access_token", signed)})
}

// client authenticates the application by secret, certificate assertion or federated assertion.
func (x *exchange) client(t *Tenant, form url.Values) (*App, *entra.Error) {
	id, secret, basic := x.r.BasicAuth()
	if !basic {
		id, secret = form.Get("client_id"), form.Get("client_secret")
	}
	var app *App
	for i := range t.Apps {
		if strings.EqualFold(t.Apps[i].ClientID, id) {
			app = &t.Apps[i]
		}
	}
	if app == nil {
		return nil, &entra.Error{Status: 400, Code: "unauthorized_client", Number: 700016, Text: "Application with identifier '" + id + "' was not found in the directory '" + t.ID + "'."}
	}
	if assertion := form.Get("client_assertion"); assertion != "" {
		return app, x.assertion(t, app, assertion)
	}
	if secret == "" {
		return nil, &entra.Error{Status: 401, Code: "invalid_client", Number: 7000216, Text: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."}
	}
	if app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, &entra.Error{Status: 401, Code: "invalid_client", Number: 7000215, Text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + app.ClientID + "'."}
	}
	return app, nil
}

func (x *exchange) assertion(t *Tenant, app *App, assertion string) *entra.Error {
	var claims jwt.RegisteredClaims
	unverified, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil {
		return &entra.Error{Status: 401, Code: "invalid_client", Number: 50027, Text: "JWT token is invalid or malformed."}
	}
	var key crypto.PublicKey
	audiences := []string{x.authority(t) + "/oauth2/v2.0/token", x.authority(t) + "/v2.0"}
	switch f := app.Federated; {
	case app.Certificate != nil && claims.Issuer == app.ClientID && claims.Subject == app.ClientID:
		key = app.Certificate.PublicKey
	case f != nil && claims.Issuer == f.Issuer && claims.Subject == f.Subject:
		key, audiences = f.Key, []string{"api://AzureADTokenExchange"}
	default:
		return &entra.Error{Status: 401, Code: "invalid_client", Number: 700211, Text: "No matching federated identity record found for presented assertion issuer."}
	}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256", "ES256"}), jwt.WithExpirationRequired()).
		ParseWithClaims(assertion, &claims, func(*jwt.Token) (any, error) { return key, nil })
	switch {
	case err != nil && strings.Contains(err.Error(), "expired"):
		return &entra.Error{Status: 401, Code: "invalid_client", Number: 700024, Text: "Client assertion is not within its valid time range."}
	case err != nil:
		return &entra.Error{Status: 401, Code: "invalid_client", Number: 700027, Text: "The certificate with identifier used to sign the client assertion is not registered on application. (alg " + unverified.Method.Alg() + ")"}
	case !entra.AudienceIn(claims.Audience, audiences):
		return &entra.Error{Status: 401, Code: "invalid_client", Number: 50012, Text: "Assertion audience claim does not match the expected audience."}
	}
	return nil
}
