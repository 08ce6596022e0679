package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// loginError says why a login failed. The library's error repeats the
// authority's answer, so only the AADSTS code, OAuth's error and the status
// are taken from it and the error itself is dropped. No answer, 429 and 5xx
// are temporary; everything else is a refusal. The library keeps no more than the
// text of what went wrong on the way, so trouble is the last error of the wire.
func loginError(err, trouble error) *graph.Error {
	if own, ok := errors.AsType[*graph.Error](err); ok {
		return own.Clone()
	}
	e := &graph.Error{Kind: graph.KindCredential, Reason: "login failed"}
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) {
		var unusable interface{ NonRetriable() }
		if errors.As(err, &unusable) && trouble == nil {
			e.Reason = "credential cannot be used here"
			return e
		}
		return unreached(err, trouble)
	}
	resp := failed.RawResponse
	if resp == nil {
		if code := aadsts(err.Error()); code != "" {
			e.Reason, e.Code = "login refused", code
			return e
		}
		return unreached(err, trouble)
	}
	e.Status = resp.StatusCode
	if kind := graph.KindOf(resp.StatusCode); kind == graph.KindThrottled || kind == graph.KindUnavailable {
		e.Kind, e.Reason = graph.KindLoginUnavailable, "login service unavailable"
		e.RetryAfter = graph.RetryAfter(resp.Header, time.Now())
		return e
	}
	e.Reason = "login refused"
	e.Code, e.InnerCode = loginCodes(resp)
	return e
}

// unreached is the error of a login service that gave no answer, or none that the library can use: then nothing went wrong on the wire.
func unreached(err, trouble error) *graph.Error {
	e := &graph.Error{Kind: graph.KindLoginUnavailable, Reason: "login service gave no usable answer"}
	if e.Cause = graph.CauseOf(err); trouble != nil {
		e.Cause = graph.CauseOf(trouble)
	} else if e.Cause == graph.CauseConnection {
		e.Cause = ""
		return e
	}
	e.Reason = "login service not reached: " + e.Cause.Words()
	return e
}

// wireTrouble holds the transport error of a login's last request; nil after an answer.
type wireTrouble struct {
	mu   sync.Mutex
	last error
}

type troubleKey struct{}

// noteTrouble keeps the outcome of one request of a login: an answer ends the trouble before it.
func noteTrouble(ctx context.Context, err error) {
	if t, ok := ctx.Value(troubleKey{}).(*wireTrouble); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.last = err
	}
}

func (t *wireTrouble) get() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// loginCodes reads the AADSTS code and OAuth's error.
func loginCodes(resp *http.Response) (code, oauth string) {
	body, err := runtime.Payload(resp)
	if err != nil {
		return "", ""
	}
	return aadsts(string(body)), graph.Identifier(oauthText(body, "error"))
}

// oauthText is a text in an authority's answer.
func oauthText(body []byte, member string) string {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	text, _ := answer[member].(string)
	return text
}

// userLoginError says why a user's token was not exchanged. Refusals of the
// application itself stay credential failures.
func userLoginError(err, trouble error) *graph.Error {
	e := loginError(err, trouble)
	if e.Kind != graph.KindCredential {
		return e
	}
	suberror := ""
	if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok && failed.RawResponse != nil {
		if body, err := runtime.Payload(failed.RawResponse); err == nil {
			suberror, e.Claims = oauthText(body, "suberror"), usableClaims(oauthText(body, "claims"))
		}
	}
	switch {
	case suberror == "consent_required" || slices.Contains(consentCodes, e.Code):
		e.Kind, e.Reason, e.Claims = graph.KindConsent, "nobody has consented to the application's permissions for this user", ""
	case e.Claims != "" || e.InnerCode == "interaction_required" || e.InnerCode == "invalid_grant" || slices.Contains(assertionCodes, e.Code):
		e.Kind, e.Reason = graph.KindSignIn, "the user's token was not exchanged"
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

// usableClaims returns claims that are a JSON object of a reasonable size, else the empty string.
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
