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

// entraError is an error of the token endpoint in OAuth's shape with Entra's codes.
type entraError struct {
	status int
	code   string
	number int
	text   string
	// suberror and claims are members that some refusals of users have.
	suberror, claims string
}

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
		x.entraFail(&entraError{status: 400, code: "invalid_tenant", number: 90002, text: "Tenant '" + tenant + "' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."})
		return true
	}
	x.world = w
	switch rest {
	case "v2.0/.well-known/openid-configuration":
		x.discovery(t)
	case "discovery/v2.0/keys":
		keys, err := x.sim.keys.JWKS()
		if err != nil {
			x.entraFail(&entraError{status: 500, code: "server_error", number: 90033, text: "A transient error has occurred. Please try again."})
			return true
		}
		x.writeJSON(http.StatusOK, keys)
	default:
		x.token(t)
	}
	return true
}

func (x *exchange) authority(t *Tenant) string { return x.base() + "/" + t.ID }

func (x *exchange) discovery(t *Tenant) {
	a := x.authority(t)
	x.writeJSON(http.StatusOK, data.Object{
		member("token_endpoint", a+"/oauth2/v2.0/token"),
		member("token_endpoint_auth_methods_supported", []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}),
		member("jwks_uri", a+"/discovery/v2.0/keys"),
		member("issuer", a+"/v2.0"),
		member("authorization_endpoint", a+"/oauth2/v2.0/authorize"),
		member("response_types_supported", []string{"code", "id_token", "token"}),
		member("subject_types_supported", []string{"pairwise"}),
		member("id_token_signing_alg_values_supported", []string{"RS256"}),
		member("tenant_region_scope", "EU"),
		member("cloud_instance_name", "microsoftonline.com"),
		member("msgraph_host", "graph.microsoft.com"),
	})
}

func (x *exchange) entraFail(e *entraError) {
	now := x.sim.cfg.Now().UTC()
	answer := data.Object{
		member("error", e.code),
		member("error_description", "AADSTS"+itoa(e.number)+": "+e.text+" Trace ID: "+x.requestID+" Correlation ID: "+x.clientID+" Timestamp: "+now.Format("2006-01-02 15:04:05Z")),
		member("error_codes", []string{itoa(e.number)}),
		member("timestamp", now.Format("2006-01-02 15:04:05Z")),
		member("trace_id", x.requestID),
		member("correlation_id", x.clientID),
	}
	if e.suberror != "" {
		answer = append(answer, member("suberror", e.suberror))
	}
	if e.claims != "" {
		answer = append(answer, member("claims", e.claims))
	}
	x.writeJSON(e.status, answer)
}

const maxForm = 64 << 10

// token grants application tokens by client credentials, and delegated ones on behalf of users.
func (x *exchange) token(t *Tenant) {
	if x.r.Method != http.MethodPost {
		x.entraFail(&entraError{status: http.StatusMethodNotAllowed, code: "invalid_request", number: 900561, text: "The endpoint only accepts POST requests."})
		return
	}
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	if err := x.r.ParseForm(); err != nil {
		x.entraFail(&entraError{status: 400, code: "invalid_request", number: 900144, text: "The request body could not be read."})
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
		x.entraFail(&entraError{status: 400, code: "unsupported_grant_type", number: 70003, text: "The app requested an unsupported grant type."})
		return
	}
	audience := audienceOf(form.Get("scope"))
	if audience == "" {
		x.entraFail(&entraError{status: 400, code: "invalid_scope", number: 1002012, text: "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."})
		return
	}
	roles := app.Roles
	if roles == nil {
		roles = DefaultRoles()
	}
	signed, err := x.sim.SignToken(TokenRequest{Tenant: t.ID, ClientID: app.ClientID, Audience: audience, Roles: roles})
	if err != nil {
		x.entraFail(&entraError{status: 500, code: "server_error", number: 90033, text: "A transient error has occurred. Please try again."})
		return
	}
	x.w.Header().Set("Cache-Control", "no-store, no-cache")
	seconds := int(x.sim.cfg.TokenLifetime / time.Second)
	x.writeJSON(http.StatusOK, data.Object{member("token_type", "Bearer"), member("expires_in", seconds), member("ext_expires_in", seconds), member("access_token", signed)})
}

// audienceOf is the resource of a scope that ends with /.default; empty for none.
func audienceOf(scopes string) string {
	for scope := range strings.FieldsSeq(scopes) {
		if a, ok := strings.CutSuffix(scope, "/.default"); ok {
			return strings.TrimSuffix(a, "/")
		}
	}
	return ""
}

// client authenticates the application by secret, certificate assertion or federated assertion.
func (x *exchange) client(t *Tenant, form url.Values) (*App, *entraError) {
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
		return nil, &entraError{status: 400, code: "unauthorized_client", number: 700016, text: "Application with identifier '" + id + "' was not found in the directory '" + t.ID + "'."}
	}
	if assertion := form.Get("client_assertion"); assertion != "" {
		return app, x.assertion(t, app, assertion)
	}
	if secret == "" {
		return nil, &entraError{status: 401, code: "invalid_client", number: 7000216, text: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."}
	}
	if app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, &entraError{status: 401, code: "invalid_client", number: 7000215, text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + app.ClientID + "'."}
	}
	return app, nil
}

func (x *exchange) assertion(t *Tenant, app *App, assertion string) *entraError {
	var claims jwt.RegisteredClaims
	unverified, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil {
		return &entraError{status: 401, code: "invalid_client", number: 50027, text: "JWT token is invalid or malformed."}
	}
	var key crypto.PublicKey
	audiences := []string{x.authority(t) + "/oauth2/v2.0/token", x.authority(t) + "/v2.0"}
	switch f := app.Federated; {
	case app.Certificate != nil && claims.Issuer == app.ClientID && claims.Subject == app.ClientID:
		key = app.Certificate.PublicKey
	case f != nil && claims.Issuer == f.Issuer && claims.Subject == f.Subject:
		key, audiences = f.Key, []string{"api://AzureADTokenExchange"}
	default:
		return &entraError{status: 401, code: "invalid_client", number: 700211, text: "No matching federated identity record found for presented assertion issuer."}
	}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256", "ES256"}), jwt.WithExpirationRequired()).
		ParseWithClaims(assertion, &claims, func(*jwt.Token) (any, error) { return key, nil })
	switch {
	case err != nil && strings.Contains(err.Error(), "expired"):
		return &entraError{status: 401, code: "invalid_client", number: 700024, text: "Client assertion is not within its valid time range."}
	case err != nil:
		return &entraError{status: 401, code: "invalid_client", number: 700027, text: "The certificate with identifier used to sign the client assertion is not registered on application. (alg " + unverified.Method.Alg() + ")"}
	case !entra.AudienceIn(claims.Audience, audiences):
		return &entraError{status: 401, code: "invalid_client", number: 50012, text: "Assertion audience claim does not match the expected audience."}
	}
	return nil
}
