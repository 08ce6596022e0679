package graphclient

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// loginError says why a login failed. The library's error repeats the
// authority's answer, so only the AADSTS code, OAuth's error and the status
// are taken from it and the error itself is dropped. No answer, 429 and 5xx
// are temporary; everything else is a refusal.
func loginError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.clone()
	}
	e := &Error{Kind: KindCredential, reason: "login failed"}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) {
		var unusable interface{ NonRetriable() }
		if errors.As(err, &unusable) {
			e.reason = "credential cannot be used here"
			return e
		}
		e.Kind, e.reason = KindUnavailable, "login service not reached"
		return e
	}
	resp := failed.RawResponse
	if resp == nil {
		e.Kind, e.reason = KindUnavailable, "login service not reached"
		e.Code = aadsts(err.Error())
		if e.Code != "" {
			e.Kind, e.reason = KindCredential, "login refused"
		}
		return e
	}
	e.Status = resp.StatusCode
	if kind := kindOfStatus(resp.StatusCode); kind == KindThrottled || kind == KindUnavailable {
		e.Kind, e.reason = KindUnavailable, "login service unavailable"
		e.RetryAfter = retryAfter(resp.Header, time.Now())
		return e
	}
	e.reason = "login refused"
	e.Code, e.InnerCode = loginCodes(resp)
	return e
}

// loginCodes reads the AADSTS code and OAuth's error.
func loginCodes(resp *http.Response) (code, oauth string) {
	body, err := runtime.Payload(resp)
	if err != nil {
		return "", ""
	}
	return aadsts(string(body)), identifier(scalar(members(body)[keyError]))
}

// userLoginError says why a user's token was not exchanged. Refusals of the
// application itself stay credential failures.
func userLoginError(err error) *Error {
	e := loginError(err)
	if e.Kind != KindCredential {
		return e
	}
	suberror := ""
	if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && failed.RawResponse != nil {
		if body, err := runtime.Payload(failed.RawResponse); err == nil {
			answer := members(body)
			suberror, e.Claims = scalar(answer["suberror"]), usableClaims(scalar(answer["claims"]))
		}
	}
	switch {
	case suberror == "consent_required" || slices.Contains(consentCodes, e.Code):
		e.Kind, e.reason, e.Claims = KindConsent, "nobody has consented to the application's permissions for this user", ""
	case e.Claims != "" || e.InnerCode == "interaction_required" || e.InnerCode == "invalid_grant" || slices.Contains(assertionCodes, e.Code):
		e.Kind, e.reason = KindSignIn, "the user's token was not exchanged"
	}
	return e
}

// Entra ID's codes of exchanges that are refused because of the user. Where
// OAuth's error is invalid_grant or interaction_required it says enough.
var (
	consentCodes   = []string{"AADSTS65001", "AADSTS65004", "AADSTS90094"}
	assertionCodes = []string{"AADSTS50013", "AADSTS50027", "AADSTS500131", "AADSTS500133"}
)

// maxClaims bounds the claims that are handed on.
const maxClaims = 4 << 10

// usableClaims passes a JSON object of a reasonable size and nothing else.
func usableClaims(claims string) string {
	if len(claims) > maxClaims || !strings.HasPrefix(claims, "{") || !json.Valid([]byte(claims)) {
		return ""
	}
	return claims
}

// aadsts finds Entra ID's code of a failure.
func aadsts(text string) string {
	return regexp.MustCompile(`AADSTS\d{3,12}`).FindString(text)
}
