package entra

import (
	"crypto"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// client authenticates the application by secret, certificate assertion or federated assertion.
func (d *Directory) client(r *http.Request) (*App, *Error) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	var app *App
	for i := range d.Apps {
		if strings.EqualFold(d.Apps[i].ClientID, id) {
			app = &d.Apps[i]
		}
	}
	if app == nil {
		return nil, &Error{Status: 400, Code: "unauthorized_client", Number: 700016, Text: "Application with identifier '" + id + "' was not found in the directory '" + d.Tenant + "'."}
	}
	if assertion := r.PostForm.Get("client_assertion"); assertion != "" {
		return app, d.assertion(app, assertion)
	}
	if secret == "" {
		return nil, &Error{Status: 401, Code: "invalid_client", Number: 7000216, Text: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."}
	}
	if app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, &Error{Status: 401, Code: "invalid_client", Number: 7000215, Text: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + app.ClientID + "'."}
	}
	return app, nil
}

// assertion checks the assertion that an application authenticates with.
func (d *Directory) assertion(app *App, assertion string) *Error {
	var claims jwt.RegisteredClaims
	unverified, _, err := jwt.NewParser().ParseUnverified(assertion, &claims)
	if err != nil {
		return &Error{Status: 401, Code: "invalid_client", Number: 50027, Text: "JWT token is invalid or malformed."}
	}
	var key crypto.PublicKey
	audiences := []string{d.Authority + "/oauth2/v2.0/token", d.Authority + "/v2.0"}
	switch f := app.Federated; {
	case app.Certificate != nil && claims.Issuer == app.ClientID && claims.Subject == app.ClientID:
		key = app.Certificate.PublicKey
	case f != nil && claims.Issuer == f.Issuer && claims.Subject == f.Subject:
		key, audiences = f.Key, []string{"api://AzureADTokenExchange"}
	default:
		return &Error{Status: 401, Code: "invalid_client", Number: 700211, Text: "No matching federated identity record found for presented assertion issuer."}
	}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256", "ES256"}), jwt.WithExpirationRequired()).
		ParseWithClaims(assertion, &claims, func(*jwt.Token) (any, error) { return key, nil })
	switch {
	case err != nil && strings.Contains(err.Error(), "expired"):
		return &Error{Status: 401, Code: "invalid_client", Number: 700024, Text: "Client assertion is not within its valid time range."}
	case err != nil:
		return &Error{Status: 401, Code: "invalid_client", Number: 700027, Text: "The certificate with identifier used to sign the client assertion is not registered on application. (alg " + unverified.Method.Alg() + ")"}
	case !AudienceIn(claims.Audience, audiences):
		return &Error{Status: 401, Code: "invalid_client", Number: 50012, Text: "Assertion audience claim does not match the expected audience."}
	}
	return nil
}
