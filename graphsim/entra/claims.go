package entra

import (
	"crypto/sha256"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-gateway/parley/graphsim/data"
)

// AccessClaims are the claims of an access token of Graph: an application's with roles, or a user's with a scope.
type AccessClaims struct {
	jwt.RegisteredClaims
	AppID   string   `json:"appid"`
	Tenant  string   `json:"tid"`
	Object  string   `json:"oid,omitempty"`
	Scope   string   `json:"scp,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Version string   `json:"ver"`
	IDType  string   `json:"idtyp"`
}

// CallerClaims are the claims of a v2 access token.
type CallerClaims struct {
	jwt.RegisteredClaims
	Client   string   `json:"azp"`
	Tenant   string   `json:"tid"`
	Object   string   `json:"oid"`
	Scope    string   `json:"scp,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	SignIn   string   `json:"preferred_username,omitempty"`
	IDType   string   `json:"idtyp,omitempty"`
	Version  string   `json:"ver"`
	UniqueID string   `json:"uti"`
}

// AudienceIn reports whether one of the audiences is among others.
func AudienceIn(have jwt.ClaimStrings, want []string) bool {
	for _, a := range have {
		if data.ContainsFold(want, strings.TrimSuffix(a, "/")) {
			return true
		}
	}
	return false
}

// GUIDOf makes a GUID of a text.
func GUIDOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	g := data.GUID(sum[:16])
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return g.String()
}
