package graphsim

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/parley-gateway/parley/graphsim/entra"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// authenticate finds the tenant, and the roles or the user of the token. A plain simulator takes requests without a token, too.
func (x *exchange) authenticate() *refusal.Error {
	header := x.r.Header.Get("Authorization")
	if header == "" && x.sim.cfg.Plain {
		x.world, x.roles = x.sim.worlds[0], DefaultRoles()
		return nil
	}
	var own []string
	if u := x.sim.URL(); u != "" {
		own = append(own, u)
	}
	claims, g := x.sim.signer.Verify(header, own...)
	if g != nil {
		return g
	}
	if x.world, _ = x.sim.world(claims.Tenant); x.world == nil {
		return refusal.Unauthorized("Access token validation failure. Invalid tenant.")
	}
	x.roles = claims.Roles
	if claims.Scope != "" {
		return x.signedIn(claims)
	}
	return nil
}

// signedIn makes the exchange one of a user; a user whose sessions were revoked is challenged.
func (x *exchange) signedIn(claims *entra.AccessClaims) *refusal.Error {
	r, ok := x.world.People.Find(claims.Object)
	if !ok {
		return refusal.Unauthorized("Access token validation failure. Invalid user.")
	}
	x.delegated, x.scopes = true, strings.Fields(claims.Scope)
	x.view.Viewer, x.view.Delegated = r, true
	if x.sim.standing(claims.Object).Revoked {
		g := refusal.Unauthorized("Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp")
		challenge := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"1"}}}`))
		g.Header = http.Header{"Www-Authenticate": {`Bearer realm="", error="insufficient_claims", claims="` + challenge + `"`}}
		return g
	}
	return nil
}

// asUser returns the segments of a path in which users/{id} of the signed-in user stands in place of me, and before chats. For applications it
// changes nothing.
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
func (x *exchange) allowedUser(r *route) *refusal.Error {
	if len(r.scopes) == 0 {
		return refusal.MissingRoles(r.roles, nil)
	}
	if !slices.ContainsFunc(x.scopes, func(have string) bool { return slices.Contains(r.scopes, have) }) {
		return &refusal.Error{
			Status: http.StatusForbidden, Code: "Forbidden",
			Message: "Missing scope permissions on the request. API requires one of '" + strings.Join(r.scopes, ", ") + "'. Scopes on the request '" + strings.Join(x.scopes, ", ") + "'",
		}
	}
	if _, below := x.params["user"]; below {
		u, g := x.user()
		if g != nil {
			return g
		}
		if u != x.view.Viewer {
			return &refusal.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "Access to another user's data is not allowed in delegated context."}
		}
	}
	if r.source == SourceUsage && !x.sim.standing(x.world.People.ID(x.view.Viewer)).ReportsReader {
		return &refusal.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "User is not in the allowed roles"}
	}
	return nil
}

// allowed checks the token's roles against the route's.
func (x *exchange) allowed(r *route) *refusal.Error {
	if x.delegated {
		return x.allowedUser(r)
	}
	if len(r.roles) == 0 {
		return nil
	}
	for _, have := range x.roles {
		if slices.Contains(r.roles, have) {
			return nil
		}
	}
	if r.source == SourceUsers {
		return &refusal.Error{Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
	}
	return refusal.MissingRoles(r.roles, x.roles)
}
