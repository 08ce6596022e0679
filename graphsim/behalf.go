package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/entra"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultScopes are the delegated permissions that an application has consent for unless it says otherwise.
func DefaultScopes() []string { return []string{"Chat.Read", "Reports.Read.All", "User.Read"} }

// Standing is how a user stands with the directory, as far as applications that act on their behalf are concerned.
type Standing struct {
	// NoConsent: nobody consented to the application for this user.
	NoConsent bool `json:"noConsent,omitempty"`
	// StepUp: conditional access wants more than the user's token shows, and no token is exchanged.
	StepUp bool `json:"stepUp,omitempty"`
	// Revoked: Graph challenges the user's tokens, new ones included.
	Revoked bool `json:"revoked,omitempty"`
	// ReportsReader: the user has a role with which the usage report may be read.
	ReportsReader bool `json:"reportsReader,omitempty"`
}

// SetStanding changes how a user, by object id or user principal name, stands in every tenant that has them.
func (s *Sim) SetStanding(user string, standing Standing) error {
	found := false
	for _, w := range s.worlds {
		if r, ok := w.People.Find(user); ok {
			found = true
			s.standings.Store(w.People.ID(r), standing)
		}
	}
	if !found {
		return errors.New("graphsim: no such user")
	}
	return nil
}

func (s *Sim) standing(id string) Standing {
	v, _ := s.standings.Load(id)
	standing, _ := v.(Standing)
	return standing
}

// serveStanding takes {"user":…, "noConsent":…, …} by POST.
func (s *Sim) serveStanding(x *exchange) {
	var asked struct {
		User string `json:"user"`

		Standing
	}
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxAdminBody))
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err == nil {
		err = s.SetStanding(asked.User, asked.Standing)
	}
	if err != nil {
		x.adminJSON(http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	x.adminJSON(http.StatusOK, asked)
}

const (
	grantOnBehalf = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	// stepUpClaims is what a client has to ask a new token with.
	stepUpClaims = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
)

// onBehalfOf exchanges a user's token for the application into one of Graph (OAuth 2.0 on behalf of).
func (x *exchange) onBehalfOf(t *Tenant, app *App, form url.Values) {
	user, fail := x.userAssertion(t, app, form)
	if fail != nil {
		x.entraFail(fail)
		return
	}
	audience := entra.AudienceOf(form.Get("scope"))
	if audience == "" {
		x.entraFail(&entra.Error{Status: 400, Code: "invalid_scope", Number: 70011, Text: "The provided value for the input parameter 'scope' is not valid."})
		return
	}
	scopes := app.Scopes
	if scopes == nil {
		scopes = DefaultScopes()
	}
	signed, err := x.sim.SignUserToken(UserToken{Tenant: t.ID, ClientID: app.ClientID, User: user, Audience: audience, Scopes: scopes})
	if err != nil {
		x.entraFail(&entra.Error{Status: 500, Code: "server_error", Number: 90033, Text: "A transient error has occurred. Please try again."})
		return
	}
	x.w.Header().Set("Cache-Control", "no-store, no-cache")
	seconds := int(x.sim.cfg.TokenLifetime / time.Second)
	x.writeJSON(http.StatusOK, data.Object{
		member("token_type", "Bearer"),
		member("scope", granted(audience, scopes)),
		member("expires_in", seconds),
		member("ext_expires_in", seconds),
		member("access_token", signed),
	})
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
func (x *exchange) userAssertion(t *Tenant, app *App, form url.Values) (string, *entra.Error) {
	if form.Get("requested_token_use") != "on_behalf_of" {
		return "", &entra.Error{Status: 400, Code: "invalid_request", Number: 90014, Text: "The required field 'requested_token_use' is missing from the credential."}
	}
	bad := func(number int, text string) *entra.Error {
		return &entra.Error{Status: 400, Code: "invalid_grant", Number: number, Text: text}
	}
	key, err := x.sim.keys.Key()
	if err != nil {
		return "", &entra.Error{Status: 500, Code: "server_error", Number: 90033, Text: "A transient error has occurred. Please try again."}
	}
	var claims entra.CallerClaims
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(x.sim.cfg.Now), jwt.WithLeeway(time.Minute)).
		ParseWithClaims(form.Get("assertion"), &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	switch {
	case err != nil && strings.Contains(err.Error(), "expired"):
		return "", bad(500133, "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user assertion, or request a new token.")
	case err != nil, claims.Issuer != strings.ReplaceAll(x.sim.CallerIssuer(), "{tid}", t.ID):
		return "", bad(50013, "Assertion failed signature validation.")
	case !entra.AudienceIn(claims.Audience, app.audiences()):
		return "", bad(500131, "Assertion audience does not match the Client app presenting the assertion.")
	case claims.Scope == "" || claims.IDType == "app":
		return "", bad(7000114, "Application '"+app.ClientID+"' is not allowed to make application on-behalf-of calls.")
	}
	switch standing := x.sim.standing(claims.Object); {
	case standing.NoConsent:
		return "", &entra.Error{
			Status: 400, Code: "invalid_grant", Number: 65001, Suberror: "consent_required",
			Text: "The user or administrator has not consented to use the application with ID '" + app.ClientID + "'. Send an interactive authorization request for this user and resource.",
		}
	case standing.StepUp, standing.Revoked && strings.Contains(form.Get("claims"), "nbf"):
		return "", &entra.Error{
			Status: 400, Code: "interaction_required", Number: 50076, Suberror: "basic_action", Claims: stepUpClaims,
			Text: "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '" + graphAppID + "'.",
		}
	}
	return claims.Object, nil
}

// audiences are those of tokens that are for the application itself.
func (a *App) audiences() []string {
	uris := a.URIs
	if uris == nil {
		uris = []string{DemoAudience}
	}
	return append([]string{a.ClientID, "api://" + a.ClientID}, uris...)
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

// SignUserToken makes a delegated token directly, as an exchange does.
func (s *Sim) SignUserToken(q UserToken) (string, error) {
	if q.Scopes == nil {
		q.Scopes = DefaultScopes()
	}
	claims := s.claimsFor(q.Tenant, q.ClientID, q.Audience, q.IssuedAt, q.Lifetime)
	claims.Subject, claims.Object = entra.GUIDOf(q.User+"/"+claims.AppID), q.User
	claims.Scope, claims.IDType = strings.Join(q.Scopes, " "), "user"
	return s.keys.Sign(claims, "x5t")
}

// signedIn makes the exchange one of a user; a user whose sessions were revoked is challenged.
func (x *exchange) signedIn(claims *entra.AccessClaims) *graphError {
	r, ok := x.world.People.Find(claims.Object)
	if !ok {
		return unauthorized("Access token validation failure. Invalid user.")
	}
	x.delegated, x.scopes = true, strings.Fields(claims.Scope)
	x.view.Viewer, x.view.Delegated = r, true
	if x.sim.standing(claims.Object).Revoked {
		g := unauthorized("Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp")
		challenge := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"1"}}}`))
		g.header = http.Header{"Www-Authenticate": {`Bearer realm="", error="insufficient_claims", claims="` + challenge + `"`}}
		return g
	}
	return nil
}

// asUser reads a delegated path: /me and /chats are the signed-in user's.
func (x *exchange) asUser(rest []string) []string {
	self := x.world.People.ID(x.view.Viewer)
	switch {
	case !x.delegated || len(rest) == 0:
		return rest
	case strings.EqualFold(rest[0], "me"):
		return append([]string{"users", self}, rest[1:]...)
	case len(rest) == 1 && strings.EqualFold(rest[0], "chats"):
		return []string{"users", self, "chats"}
	default:
		return rest
	}
}

// allowedUser checks what a delegated token may read: what its scopes name, of its own user alone.
func (x *exchange) allowedUser(r *route) *graphError {
	if len(r.scopes) == 0 {
		return missingRoles(r.roles, nil)
	}
	if !slices.ContainsFunc(x.scopes, func(have string) bool { return slices.Contains(r.scopes, have) }) {
		return &graphError{
			status: http.StatusForbidden, code: "Forbidden",
			message: "Missing scope permissions on the request. API requires one of '" + strings.Join(r.scopes, ", ") + "'. Scopes on the request '" + strings.Join(x.scopes, ", ") + "'",
		}
	}
	if _, below := x.params["user"]; below {
		u, g := x.user()
		if g != nil {
			return g
		}
		if u != x.view.Viewer {
			return &graphError{status: http.StatusForbidden, code: "Forbidden", message: "Access to another user's data is not allowed in delegated context."}
		}
	}
	if r.source == SourceUsage && !x.sim.standing(x.world.People.ID(x.view.Viewer)).ReportsReader {
		return &graphError{status: http.StatusForbidden, code: "Forbidden", message: "User is not in the allowed roles"}
	}
	return nil
}
