package graphclient

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// authorize adds the bearer token. A 401 leads to one renewal and one
// repetition, with the claims of a continuous access evaluation challenge if
// the answer has one; what follows is the caller's.
//
// The library's own policy is not used: it cannot leave a login when the
// caller's deadline passes, and it keeps a rejected token's successor from
// being fetched, since the credential answers from its cache.
type authorize struct {
	tokens *tokenSource
	user   bool // the tokens are a user's
}

var _ policy.Policy = (*authorize)(nil)

func (p *authorize) Do(req *policy.Request) (*http.Response, error) {
	if p.tokens == nil {
		return req.Next()
	}
	ctx := req.Raw().Context()
	token, err := p.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := p.send(req, token)
	if err != nil {
		return resp, err
	}
	claims := challengeClaims(resp.Header)
	if resp.StatusCode != http.StatusUnauthorized && (resp.StatusCode != http.StatusForbidden || claims == "") {
		return resp, nil
	}
	fault := readFault(resp, asked{})
	discard(resp.Body)
	fault.Kind = KindCredential
	renewed, err := p.tokens.renew(ctx, token, claims)
	if err != nil {
		e := asError(err)
		if e.Kind == KindCredential && e.Status == 0 && e.Code == "" {
			if p.user {
				fault.Kind, fault.Claims = KindSignIn, usableClaims(claims)
			}
			return nil, fault
		}
		if e.Kind == KindSignIn && e.Claims == "" {
			e.Claims = usableClaims(claims)
		}
		return nil, err
	}
	resp, err = p.send(req, renewed)
	if err != nil {
		return resp, err
	}
	p.tokens.accepted(resp.StatusCode != http.StatusUnauthorized)
	if again := challengeClaims(resp.Header); p.user && (resp.StatusCode == http.StatusUnauthorized || again != "") {
		return nil, refusedUser(resp, again)
	}
	return resp, nil
}

// refusedUser is the error of a user whose new token Graph refuses as well.
func refusedUser(resp *http.Response, claims string) *Error {
	fault := readFault(resp, asked{})
	discard(resp.Body)
	fault.Kind, fault.Claims, fault.reason = KindSignIn, usableClaims(claims), "the user's token is refused"
	return fault
}

func (p *authorize) send(req *policy.Request, token string) (*http.Response, error) {
	req.Raw().Header.Set("Authorization", "Bearer "+token)
	return req.Next()
}

// challenges says whether an answer asks for a token with other claims, decodable or not.
func challenges(h http.Header) bool {
	return slices.ContainsFunc(h.Values("WWW-Authenticate"), challenge)
}

func challenge(value string) bool {
	return strings.EqualFold(parameter(value, "error"), "insufficient_claims")
}

// challengeClaims returns the claims that a bearer challenge with
// insufficient_claims asks for, decoded; empty when there is none.
func challengeClaims(h http.Header) string {
	for _, value := range h.Values("WWW-Authenticate") {
		if !challenge(value) {
			continue
		}
		encoded := strings.TrimRight(parameter(value, "claims"), "=")
		encoded = strings.NewReplacer("-", "+", "_", "/").Replace(encoded)
		claims, err := base64.RawStdEncoding.DecodeString(encoded)
		if err == nil && len(claims) > 0 && json.Valid(claims) {
			return string(claims)
		}
	}
	return ""
}

// parameter finds name="value" or name=value in a challenge.
func parameter(challenge, name string) string {
	for rest := challenge; rest != ""; {
		key, after, found := strings.Cut(rest, "=")
		if !found {
			return ""
		}
		key = key[strings.LastIndexAny(key, " ,\t")+1:]
		var value string
		if strings.HasPrefix(after, `"`) {
			value, after, _ = strings.Cut(after[1:], `"`)
		} else {
			end := strings.IndexAny(after, " ,\t")
			if end < 0 {
				end = len(after)
			}
			value, after = after[:end], after[end:]
		}
		if strings.EqualFold(key, name) {
			return value
		}
		rest = after
	}
	return ""
}
