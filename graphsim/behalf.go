package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/entra"
)

// DefaultScopes are the delegated permissions that an application has consent for unless it says otherwise.
func DefaultScopes() []string { return entra.DefaultScopes() }

// Standing is how a user stands with the directory, as far as applications that act on their behalf are concerned.
type Standing = entra.Standing

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
