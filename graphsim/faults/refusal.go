package faults

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// Refusal is the error that a fault describes; now is in Unix milliseconds.
func (f *Fault) Refusal(now int64) *refusal.Error {
	g := &refusal.Error{Status: f.Status, Code: f.Code, Message: f.Message, Header: http.Header{}}
	if g.Status == 0 {
		g.Status = http.StatusServiceUnavailable
		if f.Kind == RefusePage {
			g.Status = http.StatusBadRequest
		}
	}
	code, message := defaultRefusal(g.Status)
	if g.Code == "" {
		g.Code = code
	}
	if g.Message == "" && f.Code == "" {
		g.Message = message
	}
	if f.RetryAfter != "" {
		g.Header.Set("Retry-After", f.RetryAfter)
		if ahead, err := strconv.Atoi(f.RetryAfter); err == nil && strings.HasPrefix(f.RetryAfter, "+") {
			at := time.UnixMilli(now).UTC()
			g.Header.Set("Date", at.Format(http.TimeFormat))
			g.Header.Set("Retry-After", at.Add(time.Duration(ahead)*time.Second).Format(http.TimeFormat))
		}
	}
	if g.Status == http.StatusTooManyRequests {
		g.Inner = data.Object{data.Member("code", "429"), data.Member("message", "Please retry after"), data.Member("status", "429")}
	}
	return g
}

func defaultRefusal(status int) (code, message string) {
	switch status {
	case http.StatusBadRequest:
		return "BadRequest", "Invalid continuation token"
	case http.StatusUnauthorized:
		return "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."
	case http.StatusPaymentRequired:
		return "PaymentRequired", "Evaluation capacity for the month has exceeded. To continue beyond the evaluation limits complete billing onboarding."
	case http.StatusForbidden:
		return "Forbidden", "UnknownError"
	case http.StatusNotFound:
		return "NotFound", "NotFound"
	case http.StatusTooManyRequests:
		return "TooManyRequests", "Please retry again later."
	case http.StatusGatewayTimeout:
		return "UnknownError", ""
	default:
		return "ServiceUnavailable", "The service is temporarily unavailable."
	}
}
