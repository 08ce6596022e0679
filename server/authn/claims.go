package authn

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// claims are the claims of an access token that matter here, of Entra v1 and v2 and of RFC 9068. Names are matched exactly,
// where the JSON library would also take another case for one of them.
type claims struct {
	issuer, subject              string
	audience                     []string
	expires, notBefore, issuedAt time.Time

	tenant, object, version string
	idType                  string
	app                     string // azp (v2), appid (v1), client_id (RFC 9068), cid (Okta) or clientId (Keycloak)
	upn                     string // upn (v1) or preferred_username (v2)
	scopes, roles, groups   []string
	delegated               bool // there is a scp or scope claim
	marks                   marks
	bound                   binding
}

var _ jwt.Claims = (*claims)(nil)

var errClaims = errors.New("claims cannot be read")

// UnmarshalJSON reads the claims; a claim of an unexpected type makes the token invalid.
func (c *claims) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil || all == nil {
		return errClaims
	}
	var azp, appid, client, upn, preferred, okta, keycloak string
	ok := true
	for name, to := range map[string]*string{
		"iss": &c.issuer, "sub": &c.subject, "tid": &c.tenant, "oid": &c.object, "ver": &c.version, "idtyp": &c.idType,
		"azp": &azp, "appid": &appid, "client_id": &client, "upn": &upn, "preferred_username": &preferred,
		"cid": &okta, "clientId": &keycloak,
	} {
		ok = readText(all[name], to) && ok
	}
	for name, to := range map[string]*time.Time{"exp": &c.expires, "nbf": &c.notBefore, "iat": &c.issuedAt} {
		ok = readTime(all[name], to) && ok
	}
	for name, to := range map[string]*[]string{"aud": &c.audience, "roles": &c.roles, "groups": &c.groups} {
		ok = readList(all[name], to) && ok
	}
	var scp, scope []string
	ok = readList(all["scp"], &scp) && readList(all["scope"], &scope) && ok
	c.delegated = all["scp"] != nil || all["scope"] != nil
	for _, words := range append(scp, scope...) {
		c.scopes = append(c.scopes, strings.Fields(words)...)
	}
	c.app, c.upn = cmp.Or(azp, appid, client, okta, keycloak), cmp.Or(upn, preferred)
	for _, other := range []string{azp, appid, client, okta, keycloak} {
		ok = ok && (other == "" || other == c.app)
	}
	ok = c.marks.read(all) && c.bound.read(all["cnf"]) && ok
	if !ok {
		return errClaims
	}
	return nil
}

// readText reads a string, and reports whether the claim is one or absent.
func readText(raw json.RawMessage, to *string) bool {
	return raw == nil || string(raw) != "null" && json.Unmarshal(raw, to) == nil
}

// readList reads one string or an array of strings, and reports whether the claim is one of the two or absent.
func readList(raw json.RawMessage, to *[]string) bool {
	if raw == nil {
		return true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && string(raw) != "null" {
		*to = []string{one}
		return true
	}
	var many []*string
	if string(raw) == "null" || json.Unmarshal(raw, &many) != nil {
		return false
	}
	for _, text := range many {
		if text == nil {
			return false
		}
		*to = append(*to, *text)
	}
	return true
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// readTime reads a NumericDate (RFC 7519), rounded down to a second, and reports whether the claim is one or absent.
func readTime(raw json.RawMessage, to *time.Time) bool {
	if raw == nil {
		return true
	}
	var seconds float64
	if string(raw) == "null" || json.Unmarshal(raw, &seconds) != nil || seconds < 1 || seconds > lastSecond {
		return false
	}
	*to = time.Unix(int64(math.Floor(seconds)), 0).UTC()
	return true
}

func numeric(t time.Time) (*jwt.NumericDate, error) {
	if t.IsZero() {
		return nil, nil //nolint:nilnil // the interface's way to say that there is none
	}
	return jwt.NewNumericDate(t), nil
}

// GetExpirationTime and the following make claims a jwt.Claims.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return numeric(c.expires) }

// GetIssuedAt returns iat.
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return numeric(c.issuedAt) }

// GetNotBefore returns nbf.
func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return numeric(c.notBefore) }

// GetIssuer returns iss.
func (c *claims) GetIssuer() (string, error) { return c.issuer, nil }

// GetSubject returns sub.
func (c *claims) GetSubject() (string, error) { return c.subject, nil }

// GetAudience returns aud.
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return c.audience, nil }
