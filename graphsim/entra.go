package graphsim

import (
	"net/http"
	"strings"

	"github.com/parley-gateway/parley/graphsim/entra"
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
	if x.answeredByFault() {
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
		keys, err := x.sim.signer.Keys.JWKS()
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

// token answers the token endpoint of a tenant.
func (x *exchange) token(t *Tenant) {
	x.r.Body = http.MaxBytesReader(x.w, x.r.Body, maxForm)
	answer, fail := x.directory(t).Token(x.r)
	if fail != nil {
		x.entraFail(fail)
		return
	}
	x.w.Header().Set("Cache-Control", "no-store, no-cache")
	x.writeJSON(http.StatusOK, answer)
}

const maxForm = 64 << 10

// directory is a tenant as its token endpoint knows it.
func (x *exchange) directory(t *Tenant) *entra.Directory {
	s := x.sim
	return &entra.Directory{
		Tenant: t.ID, Authority: x.authority(t), Apps: t.Apps, CallerIssuer: s.callerIssuer(t.ID),
		Signer: s.signer, Now: s.cfg.Now, Standing: s.standing,
	}
}
