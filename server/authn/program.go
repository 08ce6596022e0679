package authn

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Programs is the convention by which an issuer marks the tokens of programs, so that they differ from those of people.
type Programs string

// Conventions of issuers.
const (
	// ProgramsUnknown: nothing is known of the issuer, so no rule may ask for the kind of its callers.
	ProgramsUnknown Programs = ""
	// ProgramsEntra: `idtyp`, else a token without a scope whose subject is the service principal.
	ProgramsEntra Programs = "entra"
	// ProgramsRFC9068: the subject of a program is its client id.
	ProgramsRFC9068 Programs = "rfc9068"
	// ProgramsAuth0: `gty`, or the subject is the client id with @clients behind it.
	ProgramsAuth0 Programs = "auth0"
	// ProgramsKeycloak: service accounts, by their user name or client claims.
	ProgramsKeycloak Programs = "keycloak"
	// ProgramsOkta: `cid` without `uid`.
	ProgramsOkta Programs = "okta"
)

// ProgramsNames are the words of the setting.
func ProgramsNames() []string {
	return []string{string(ProgramsEntra), string(ProgramsRFC9068), string(ProgramsAuth0), string(ProgramsKeycloak), string(ProgramsOkta)}
}

// ProgramsOf recognizes an issuer by its URL; ProgramsUnknown where the URL does not tell.
func ProgramsOf(issuer string) Programs {
	if strings.Contains(issuer, TenantPlaceholder) || tenantOf(issuer) != "" {
		return ProgramsEntra
	}
	parsed, err := url.Parse(issuer)
	if err != nil {
		return ProgramsUnknown
	}
	host, path := strings.ToLower(parsed.Hostname()), parsed.Path
	below := func(domains ...string) bool {
		return slices.ContainsFunc(domains, func(domain string) bool { return strings.HasSuffix(host, domain) })
	}
	switch {
	case below(".auth0.com"):
		return ProgramsAuth0
	case below(".okta.com", ".oktapreview.com", ".okta-emea.com", ".okta-gov.com", ".okta.mil"), oktaPath.MatchString(path):
		return ProgramsOkta
	case realmPath.MatchString(path):
		return ProgramsKeycloak
	case strings.HasPrefix(host, "cognito-idp.") && below(".amazonaws.com"):
		return ProgramsRFC9068
	default:
		return ProgramsUnknown
	}
}

var (
	realmPath  = regexp.MustCompile(`^(/[^/]+)?/realms/[^/]+/?$`)
	oktaPath   = regexp.MustCompile(`^/oauth2/(default|aus[0-9A-Za-z]{17})/?$`)
	tenantPath = regexp.MustCompile(`^/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(/v2\.0)?/?$`)
)

// tenantOf is the Entra tenant that an issuer names, in lower case; empty where it names none. An id elsewhere in the URL belongs
// to another product: a realm, an environment.
func tenantOf(issuer string) string {
	parsed, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	if found := tenantPath.FindStringSubmatch(parsed.Path); found != nil {
		return strings.ToLower(found[1])
	}
	return ""
}

// holder is who is behind a token, as far as its claims show it, whoever issued it.
type holder int

const (
	// holderProgram: the token says that it is a program's own. Zero is a holder that the claims do not show.
	holderProgram holder = iota + 1
	// holderUnclear: somebody signed in under the name of a service account. Where people choose their names, a person may have that one.
	holderUnclear
	// holderUser: the token has a claim that only a signed-in person's has.
	holderUser
)

// marks are what the claims of a token show of the one behind it.
type marks struct {
	holder holder
	// otherType is set where the claims say that the token is of another type than an access token.
	otherType bool
	// azp and clientID are set where the token has the claims azp and client_id.
	azp, clientID bool
}

// Claims that only the token of a signed-in person has, in one product or another.
var personalClaims = []string{
	"uid", "sid", "session_state", "auth_time", "amr", "preferred_username", "upn", "email", "username", "name", "given_name", "family_name",
}

// accessTypes are the words by which access tokens name themselves in their claims: Keycloak's and others' `typ`, Cognito's
// `token_use`, ForgeRock's `tokenName`.
var accessTypes = []string{"bearer", "jwt", "at+jwt", "access", "access_token"}

// read collects the marks, and reports whether they can be read: a mark that cannot makes the token invalid, since it might say "program".
func (m *marks) read(all map[string]json.RawMessage) bool {
	has := func(name string) bool {
		raw := string(all[name])
		return raw != "" && raw != "null" && raw != `""`
	}
	var gty []string // Auth0's
	var grant, kind, use, name, userName string
	var userType string // aut is WSO2's
	ok := readList(all["gty"], &gty)
	for claim, to := range map[string]*string{
		"grant_type": &grant, "aut": &userType, "typ": &kind, "token_use": &use, "tokenName": &name, "preferred_username": &userName,
	} {
		ok = readText(all[claim], to) && ok
	}
	if !ok {
		return false
	}
	for _, word := range []string{kind, use, name} {
		m.otherType = m.otherType || word != "" && !slices.Contains(accessTypes, strings.ToLower(word))
	}
	// Hashes of what was issued beside it stand in id tokens alone (OpenID Connect Core, 3.3.2.11).
	m.otherType = m.otherType || has("at_hash") || has("c_hash") || has("s_hash")
	m.azp, m.clientID = has("azp"), has("client_id")

	grants := append([]string{grant}, gty...)
	serviceAccount := strings.HasPrefix(strings.ToLower(userName), "service-account-")
	signedIn := has("sid") || has("session_state") || has("auth_time")
	switch {
	case slices.ContainsFunc(grants, isClientCredentials), strings.EqualFold(userType, "APPLICATION"), serviceAccount && !signedIn,
		has("clientId"), has("clientHost"), has("clientAddress"), has("cid") && !has("uid"): // cid and uid are Okta's
		m.holder = holderProgram
	case serviceAccount:
		m.holder = holderUnclear
	case slices.ContainsFunc(personalClaims, has), strings.EqualFold(userType, "APPLICATION_USER"),
		slices.ContainsFunc(grants, func(g string) bool { return g != "" && !isClientCredentials(g) }):
		m.holder = holderUser
	}
	return true
}

// isClientCredentials reports whether a grant is that of a program, under either of its names: Auth0's client-credentials, OAuth's client_credentials.
func isClientCredentials(grant string) bool {
	return strings.ReplaceAll(strings.ToLower(grant), "_", "-") == "client-credentials"
}

// kind returns who is behind an accepted token; false refuses a token that is no access token, or contradicts itself.
func (c *claims) kind(from *acceptedIssuer, header headerType) (Kind, bool) {
	if c.marks.otherType {
		return 0, false
	}
	if from.tenant != "" {
		return c.entraKind()
	}
	switch {
	case c.idType == "app", c.marks.holder == holderProgram, c.app != "" && (c.subject == c.app || c.subject == c.app+"@clients"):
		return KindApplication, true
	case c.idType != "" && c.idType != "user":
		return 0, false
	case !c.delegated && header != typeAccess:
		// An id token has neither scope nor type.
		return 0, false
	case c.marks.holder == holderUnclear:
		return KindUnknown, true
	case c.marks.holder == holderUser || c.idType == "user":
		return KindUser, true
	}
	switch {
	case from.programs == ProgramsKeycloak && c.marks.azp && c.marks.clientID:
		// Tokens of people name a session or a user, and the client by azp alone.
		return KindApplication, true
	case from.programs == ProgramsKeycloak && c.marks.azp, from.programs == ProgramsOkta, c.app == "":
		return KindUnknown, true
	default:
		return KindUser, true
	}
}

// entraKind reads what Entra writes: idtyp where it is asked for, a scope for people, and for applications a subject that is
// the service principal itself.
func (c *claims) entraKind() (Kind, bool) {
	switch {
	case c.idType == "app":
		return KindApplication, !c.delegated
	case c.delegated:
		return KindUser, c.idType == "" || c.idType == "user"
	default:
		return KindApplication, c.idType == "" && strings.EqualFold(c.subject, c.object)
	}
}
