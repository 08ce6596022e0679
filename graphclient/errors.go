package graphclient

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Kind says what a failed request means to the caller.
type Kind int

// The kinds of failure. Throttled, Unavailable and Malformed are temporary:
// the same request may succeed later. All others are final for this request.
const (
	// KindUnexpected is an answer that no other kind describes: an unknown
	// status, a redirect where none is followed, a request that cannot be built.
	KindUnexpected Kind = iota
	// KindBadRequest is Graph's 400.
	KindBadRequest
	// KindCredential is Graph's 401 after one refresh, or a refused login.
	KindCredential
	// KindPaymentRequired is Graph's 402. It is never repeated.
	KindPaymentRequired
	// KindForbidden is Graph's 403; Error.Roles may name what is missing.
	KindForbidden
	// KindNotFound is Graph's 404.
	KindNotFound
	// KindGone is Graph's 410.
	KindGone
	// KindThrottled is Graph's 429, or a budget or gate of our own whose wait
	// would outlast the deadline (Status is then 0). RetryAfter is set.
	KindThrottled
	// KindUnavailable is a 5xx, a broken connection, a cut body or a timeout.
	KindUnavailable
	// KindLinkRefused is a link to another origin. Nothing was sent to it.
	KindLinkRefused
	// KindTooLarge is an answer larger than Config.MaxBody.
	KindTooLarge
	// KindMalformed is a complete answer that is not what was asked for.
	KindMalformed
	// KindCanceled is the caller's own cancellation or deadline; errors.Is
	// tells them apart.
	KindCanceled
	// KindCallerLimit is a caller whose day (Config.CallerDay) is used up.
	// Nothing was sent; RetryAfter is the time until midnight UTC.
	KindCallerLimit
	// KindConsent is a user for whom Entra ID has no consent to the application's
	// delegated permissions; of clients of Delegates only.
	KindConsent
	// KindSignIn is a user whose token Entra ID does not exchange or whose
	// exchanged token Graph refuses, until they sign in again; Error.Claims may
	// say what with. Of clients of Delegates only.
	KindSignIn
)

// String returns the kind in words, for logs.
func (k Kind) String() string {
	names := [...]string{
		KindUnexpected: "unexpected answer", KindBadRequest: "bad request", KindCredential: "credential rejected",
		KindPaymentRequired: "payment required", KindForbidden: "forbidden", KindNotFound: "not found",
		KindGone: "gone", KindThrottled: "throttled", KindUnavailable: "unavailable",
		KindLinkRefused: "link refused", KindTooLarge: "answer too large", KindMalformed: "malformed answer",
		KindCanceled: "canceled", KindCallerLimit: "caller's day used up",
		KindConsent: "consent missing", KindSignIn: "sign-in needed",
	}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return names[k]
}

// Temporary says whether the same request may succeed later.
func (k Kind) Temporary() bool {
	return k == KindThrottled || k == KindUnavailable || k == KindMalformed
}

// Error is every failure that this package reports. Its text is safe to log:
// it holds the kind, the status, Graph's code and ids, and never Graph's
// message, a URL, a filter, a user or a body.
type Error struct {
	// Kind decides what the caller does.
	Kind Kind
	// Status is the HTTP status of the last answer; 0 when there was none.
	Status int
	// Code is Graph's error.code, or the AADSTS code of a refused login.
	// Empty when absent or not a plain identifier.
	Code string
	// InnerCode is the most specific innerError code, or OAuth's error.
	InnerCode string
	// RequestID is Graph's request-id, for a support case.
	RequestID string
	// ClientRequestID is the client-request-id that was sent.
	ClientRequestID string
	// RetryAfter is the time to wait before repeating; 0 = do not repeat.
	RetryAfter time.Duration
	// Roles are the permissions of which Graph names one as needed (403).
	Roles []string
	// Claims is what the user's client has to ask a new token with, a JSON object
	// (KindSignIn); empty when nothing particular is asked for.
	Claims string
	// Requests is how many requests Graph received for this call.
	Requests int
	// Err is the cause, when there is one. Its own text may quote bytes of a
	// broken answer, so log the Error, not the cause.
	Err error

	reason  string // our own words; constant texts only
	message string // Graph's words
	final   bool   // not to be repeated, whatever the kind
	local   bool   // refused by our own budget or gate, nothing was sent
}

var (
	_ error          = (*Error)(nil)
	_ slog.LogValuer = (*Error)(nil)
)

// Error describes the failure without anything private.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("graph: ")
	b.WriteString(e.Kind.String())
	if e.reason != "" {
		b.WriteString(": ")
		b.WriteString(e.reason)
	}
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+value)
		}
	}
	if e.Status != 0 {
		add("status", strconv.Itoa(e.Status))
	}
	add("code", e.Code)
	add("inner code", e.InnerCode)
	add("request", e.RequestID)
	if e.RetryAfter > 0 {
		add("retry after", e.RetryAfter.Round(time.Millisecond).String())
	}
	if len(facts) > 0 {
		b.WriteString(" (")
		b.WriteString(strings.Join(facts, ", "))
		b.WriteString(")")
	}
	return b.String()
}

// GoString is Error, so that %#v does not print Graph's message.
func (e *Error) GoString() string { return e.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogValue logs the facts of the error as a group.
func (e *Error) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", e.Kind.String()),
		slog.String("reason", e.reason),
		slog.Int("status", e.Status),
		slog.String("code", e.Code),
		slog.String("inner_code", e.InnerCode),
		slog.String("request_id", e.RequestID),
		slog.String("client_request_id", e.ClientRequestID),
		slog.Duration("retry_after", e.RetryAfter),
	)
}

// Message is Graph's own error message, for code that must tell two failures
// with one code apart. It may quote a user, a filter or content: never log
// it, never return it to a caller.
func (e *Error) Message() string { return e.message }

// retriable says whether the retry loop may repeat the request.
func (e *Error) retriable() bool { return e.Kind.Temporary() && !e.final && !e.local }

// clone copies the error, so that one failure shared by many callers can be
// completed by each of them.
func (e *Error) clone() *Error {
	c := *e
	return &c
}
