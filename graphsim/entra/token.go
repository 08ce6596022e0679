package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Directory is the directory of one tenant as its token endpoint knows it.
type Directory struct {
	// Tenant is the tenant id, Authority the URL of the directory, and CallerIssuer the issuer of callers' tokens.
	Tenant, Authority, CallerIssuer string
	Apps                            []App
	Signer                          *Signer
	Now                             func() time.Time
	// Standing returns how a user stands.
	Standing func(userID string) Standing
}

// GraphAppID is the application id of Graph.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

const (
	grantClient   = "client_credentials"
	grantOnBehalf = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// stepUpClaims is what a client has to ask a new token with.
	stepUpClaims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
)

// Token answers a request to the token endpoint: it grants tokens to applications, and delegated ones on behalf of users.
func (d *Directory) Token(r *http.Request) (data.Object, *Error) {
	if r.Method != http.MethodPost {
		return nil, &Error{Status: http.StatusMethodNotAllowed, Code: "invalid_request", Number: 900561, Text: "The endpoint only accepts POST requests."}
	}
	if err := r.ParseForm(); err != nil {
		return nil, &Error{Status: 400, Code: "invalid_request", Number: 900144, Text: "The request body could not be read."}
	}
	app, fail := d.client(r)
	if fail != nil {
		return nil, fail
	}
	switch r.PostForm.Get("grant_type") {
	case grantOnBehalf:
		return d.onBehalfOf(app, r.PostForm)
	case grantClient:
		return d.application(app, r.PostForm)
	default:
		return nil, &Error{Status: 400, Code: "unsupported_grant_type", Number: 70003, Text: "The app requested an unsupported grant type."}
	}
}

// application grants a token to an application (OAuth 2.0 client credentials).
func (d *Directory) application(app *App, form url.Values) (data.Object, *Error) {
	audience := AudienceOf(form.Get("scope"))
	if audience == "" {
		return nil, &Error{Status: 400, Code: "invalid_scope", Number: 1002012, Text: "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."}
	}
	signed, err := d.Signer.App(TokenRequest{Tenant: d.Tenant, ClientID: app.ClientID, Audience: audience, Roles: app.Roles})
	if err != nil {
		return nil, errTransient()
	}
	seconds := int(d.Signer.Lifetime / time.Second)
	return data.Object{data.Member("token_type", "Bearer"), data.Member("expires_in", seconds), data.Member("ext_expires_in", seconds), data.Member("access_token", signed)}, nil
}

// onBehalfOf exchanges a user's token for the application into one of Graph (OAuth 2.0 on behalf of).
func (d *Directory) onBehalfOf(app *App, form url.Values) (data.Object, *Error) {
	user, fail := d.userAssertion(app, form)
	if fail != nil {
		return nil, fail
	}
	audience := AudienceOf(form.Get("scope"))
	if audience == "" {
		return nil, &Error{Status: 400, Code: "invalid_scope", Number: 70011, Text: "The provided value for the input parameter 'scope' is not valid."}
	}
	scopes := app.Scopes
	if scopes == nil {
		scopes = DefaultScopes()
	}
	signed, err := d.Signer.User(UserToken{Tenant: d.Tenant, ClientID: app.ClientID, User: user, Audience: audience, Scopes: scopes})
	if err != nil {
		return nil, errTransient()
	}
	seconds := int(d.Signer.Lifetime / time.Second)
	return data.Object{
		data.Member("token_type", "Bearer"),
		data.Member("scope", granted(audience, scopes)),
		data.Member("expires_in", seconds),
		data.Member("ext_expires_in", seconds),
		data.Member("access_token", signed),
	}, nil
}

func errTransient() *Error {
	return &Error{Status: 500, Code: "server_error", Number: 90033, Text: "A transient error has occurred. Please try again."}
}

// granted is the scope of an answer: the permissions of the resource, and what was asked for.
func granted(audience string, scopes []string) string {
	var all strings.Builder
	for _, scope := range append(slices.Clone(scopes), ".default") {
		all.WriteString(" " + audience + "/" + scope)
	}
	return all.String()[1:]
}

// userAssertion checks the assertion of an exchange and returns the user's object id.
func (d *Directory) userAssertion(app *App, form url.Values) (string, *Error) {
	if form.Get("requested_token_use") != "on_behalf_of" {
		return "", &Error{Status: 400, Code: "invalid_request", Number: 90014, Text: "The required field 'requested_token_use' is missing from the credential."}
	}
	bad := func(number int, text string) *Error {
		return &Error{Status: 400, Code: "invalid_grant", Number: number, Text: text}
	}
	key, err := d.Signer.Keys.Key()
	if err != nil {
		return "", errTransient()
	}
	var claims CallerClaims
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(d.Now), jwt.WithLeeway(time.Minute)).
		ParseWithClaims(form.Get("assertion"), &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	switch {
	case err != nil && strings.Contains(err.Error(), "expired"):
		return "", bad(500133, "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token.")
	case err != nil, claims.Issuer != d.CallerIssuer:
		return "", bad(50013, "Assertion failed signature validation.")
	case !AudienceIn(claims.Audience, app.audiences()):
		return "", bad(500131, "Assertion audience does not match the Client app presenting the assertion.")
	case claims.Scope == "" || claims.IDType == "app":
		return "", bad(7000114, "Application '"+app.ClientID+"' is not allowed to make application on-behalf-of calls.")
	}
	switch standing := d.Standing(claims.Object); {
	case standing.NoConsent:
		return "", &Error{
			Status: 400, Code: "invalid_grant", Number: 65001, Suberror: "consent_required",
			Text: "The user or administrator has not consented to use the application with ID '" + app.ClientID + "'. Send an interactive authorization request for this user and resource.",
		}
	case standing.StepUp, standing.Revoked && strings.Contains(form.Get("claims"), "nbf"):
		return "", &Error{
			Status: 400, Code: "interaction_required", Number: 50076, Suberror: "basic_action", Claims: stepUpClaims,
			Text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '" + GraphAppID + "'.",
		}
	}
	return claims.Object, nil
}
