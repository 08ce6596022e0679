package graphclient

import (
	"errors"
	"net/http"
	"regexp"
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

// aadsts finds Entra ID's code of a failure.
func aadsts(text string) string {
	return regexp.MustCompile(`AADSTS\d{3,12}`).FindString(text)
}
