package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind says what a failed request means to the caller.
type Kind int

// The kinds of failure. Throttled, Unavailable, LoginUnavailable and Malformed are temporary:
// the same request may succeed later. All others are final for this request.
const (
	// KindUnexpected is an answer that no other kind describes: an unknown
	// status, a redirect where none is followed, a request that cannot be built.
	KindUnexpected Kind = iota
	// KindBadRequest is Graph's 400.
	KindBadRequest
	// KindCredential is Graph's 401 after one refresh, or a refused login.
	KindCredential
	// KindPaymentRequired is Graph's 402 where no licence is meant: the evaluation is
	// used up, or billing is not set up. It is never repeated.
	KindPaymentRequired
	// KindTenantNotLicensed is a tenant without the licence that the API asks for.
	KindTenantNotLicensed
	// KindUserNotLicensed is a user without that licence, in Graph's own words.
	KindUserNotLicensed
	// KindUserRefused is a 403 without a reason for one user: always of the Copilot
	// history, which answers so for users without a licence; of other APIs when
	// Graph has answered for other users lately.
	KindUserRefused
	// KindUserRole is a signed-in user, on whose behalf Graph was asked, without an
	// Entra role that may read reports.
	KindUserRole
	// KindForbidden is a 403 that speaks of permissions; Error.Roles may name what is missing.
	KindForbidden
	// KindAccessDenied is a 403 of Graph's check of one chat's access list.
	KindAccessDenied
	// KindRefused is any other 403 without a reason.
	KindRefused
	// KindNotFound is Graph's 404.
	KindNotFound
	// KindLinkNotFound is Graph's 404 to a link that it gave itself.
	KindLinkNotFound
	// KindGone is Graph's 410.
	KindGone
	// KindThrottled is Graph's 429, or a budget or gate of our own whose wait
	// would outlast the deadline (Status is then 0; see Unsent). RetryAfter is set.
	KindThrottled
	// KindUnavailable is a 5xx, a broken connection, a truncated body, a timeout, or a 4xx that says nothing or tells of passing trouble
	// (effectiveStatus).
	KindUnavailable
	// KindLoginUnavailable is a login service that gave no usable answer; Cause says why.
	KindLoginUnavailable
	// KindLinkRefused is a link or a redirect that is not followed: it leads to another origin, or is no plain URL. Nothing was sent to it.
	KindLinkRefused
	// KindTooLarge is an answer larger than MaxBody of graphclient.Config or, of a download, MaxDownload.
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
		KindPaymentRequired: "payment required", KindTenantNotLicensed: "tenant not licensed", KindUserNotLicensed: "user not licensed",
		KindUserRefused: "user refused", KindUserRole: "user lacks a role", KindForbidden: "permission missing",
		KindAccessDenied: "access denied", KindRefused: "forbidden", KindNotFound: "not found", KindLinkNotFound: "own link not found",
		KindGone: "gone", KindThrottled: "throttled", KindUnavailable: "unavailable", KindLoginUnavailable: "login unavailable",
		KindLinkRefused: "link refused", KindTooLarge: "answer too large", KindMalformed: "malformed answer",
		KindCanceled: "canceled", KindCallerLimit: "caller's day used up",
		KindConsent: "consent missing", KindSignIn: "sign-in needed",
	}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return names[k]
}

// Temporary reports whether the same request may succeed later.
func (k Kind) Temporary() bool {
	return k == KindThrottled || k == KindUnavailable || k == KindLoginUnavailable || k == KindMalformed
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
	// Claims are the claims, a JSON object, with which the user's client must request a
	// new token (KindSignIn); empty = no particular ones.
	Claims string
	// OwnBudget says that it is our own budget that is used up (KindThrottled): Graph has not asked to wait.
	OwnBudget bool
	// Cause is the kind of trouble on the way when no usable answer came (KindUnavailable, KindLoginUnavailable).
	Cause Cause
	// Requests is how many requests were sent for this call, with those that did not reach Graph.
	Requests int
	// Err is the error behind this one, when there is one. Its own text may quote bytes of a
	// broken answer, so log the Error, not Err.
	Err error
	// Reason is a constant text in our own words.
	Reason string
	// Final marks a failure that is not repeated, whatever its kind.
	Final bool
	// Unsent marks a request that was not sent: a budget, a gate, the caller's day or the payment breaker refused it.
	Unsent bool

	message  string // Graph's words
	personal bool   // believed to concern the request's user alone, which the answer leaves open
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
	if e.Reason != "" {
		b.WriteString(": ")
		b.WriteString(e.Reason)
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
	add("cause", string(e.Cause))
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
		slog.String("reason", e.Reason),
		slog.Int("status", e.Status),
		slog.String("code", e.Code),
		slog.String("inner_code", e.InnerCode),
		slog.String("cause", string(e.Cause)),
		slog.String("graph_request_id", e.RequestID),
		slog.String("client_request_id", e.ClientRequestID),
		slog.Duration("retry_after", e.RetryAfter),
	)
}

// Message is Graph's own error message, for code that must tell two failures
// with one code apart. It may quote a user, a filter or content: never log
// it, never return it to a caller.
func (e *Error) Message() string { return e.message }

// Rejected reports whether Graph answered 400, or 501 for a feature that it does not have. Graph sends both in passing trouble as well,
// which an answer does not tell apart.
func (e *Error) Rejected() bool {
	return e.Status == http.StatusBadRequest || e.Status == http.StatusNotImplemented
}

// LinkLost reports whether the error of a request for a link that Graph gave is a sign that the link leads nowhere any more: Graph rejected
// the request, or has nothing behind the link.
func LinkLost(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Rejected() || e.Kind == KindBadRequest || e.Kind == KindGone || e.Kind == KindLinkNotFound)
}

// Requests is the number of requests that were sent for a failed call; 0 where the error does not tell.
func Requests(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Requests
	}
	return 0
}

// Denied reports whether Graph answered that the requested data may not be read, whatever the reason.
func (k Kind) Denied() bool {
	switch k {
	case KindForbidden, KindAccessDenied, KindRefused, KindUserRefused, KindUserRole:
		return true
	default:
		return false
	}
}

// Personal reports whether the refusal of a request about a user (Situation.AboutUser) is about that user, and nobody else.
func (e *Error) Personal() bool {
	switch e.Kind {
	case KindNotFound, KindUserNotLicensed, KindUserRefused, KindRefused:
		return e.Status != 0
	case KindPaymentRequired:
		return e.personal
	default:
		return false
	}
}

// MarkConcernsAll notes that an answer which left open whom it is about concerns everybody; Personal is false from then on.
func (e *Error) MarkConcernsAll() { e.personal = false }

// Retriable reports whether the retry loop may repeat the request.
func (e *Error) Retriable() bool { return e.Kind.Temporary() && !e.Final && !e.Unsent }

// Clone copies the error, so that one failure shared by many callers can be
// completed by each of them.
func (e *Error) Clone() *Error {
	c := *e
	return &c
}

// ErrTryTimeout is the cause of a context that ended one try of a call.
var ErrTryTimeout = errors.New("one try took too long")

// Canceled is the error of a caller that left or whose deadline passed.
func Canceled(ctx context.Context) *Error {
	return &Error{Kind: KindCanceled, Err: ctx.Err()}
}

// AsError returns the *Error in err; whatever else it is was unexpected.
func AsError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	return &Error{Kind: KindUnexpected, Err: err}
}
