package graph

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// hasClaimsChallenge reports whether an answer asks for a token with other claims, decodable or not.
func hasClaimsChallenge(h http.Header) bool {
	return slices.ContainsFunc(h.Values("WWW-Authenticate"), isClaimsChallenge)
}

func isClaimsChallenge(value string) bool {
	return strings.EqualFold(parameter(value, "error"), "insufficient_claims")
}

// ChallengeClaims returns the claims that a bearer challenge with
// insufficient_claims asks for, decoded; empty when there is none.
func ChallengeClaims(h http.Header) string {
	for _, value := range h.Values("WWW-Authenticate") {
		if !isClaimsChallenge(value) {
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
