// Package failure holds the errors of the timeline, the reasons that errors, gaps and notices carry, and what a failed request
// to Graph means in the contract. It is the lowest package of the timeline; every other one of them may use it.
package failure

import (
	"context"
	"errors"
	"slices"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/reasons"
)

// None is the reason of a source that is in order.
const None = parleyv1.ErrorReason_ERROR_REASON_UNSPECIFIED

// Error is a refusal by the timeline itself, or the failure of every asked source; Err then holds the *graph.Error of one of them.
// Its text holds no content, token or filter.
type Error struct {
	// Reason is why, as the contract names it.
	Reason parleyv1.ErrorReason
	// Field is the request field at fault, in the contract's spelling; empty when none is.
	Field string
	// Message says in English what is wrong and how to mend it.
	Message string
	// Source is the source that failed; unspecified when the request itself is at fault.
	Source parleyv1.Source
	// Others are the failures of the other asked sources, where every one has failed.
	Others []*Error
	// Err is the cause, when there is one.
	Err error
}

// Error joins reason, field and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(reasons.Text(e.Reason))
	if e.Field != "" {
		b.WriteString(" (" + e.Field + ")")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// StreamError ends a stream after its first checkpoint; the reader can go on from ResumeToken.
type StreamError struct {
	// Err is the error that ended the stream.
	Err error
	// ResumeToken is the token of the last checkpoint; events that were sent after it come again.
	ResumeToken string
}

// Error is the cause's text.
func (e *StreamError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StreamError) Unwrap() error { return e.Err }

var (
	_ error = (*Error)(nil)
	_ error = (*StreamError)(nil)
)

// BadFilter returns the error of a filter that cannot be compiled; it tells the position.
func BadFilter(err error) error {
	return Invalid("filter", err.Error())
}

// Invalid returns the error of a request field.
func Invalid(field, message string) error {
	return &Error{Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, Field: field, Message: message}
}

// TokenRefused returns the error of a token that does not open, or does not fit the request; field is the request field.
func TokenRefused(field string) error {
	return &Error{Reason: parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED, Field: field, Message: "the token was made for another request or caller, or by another key, or is damaged; begin without it"}
}

// TokenVersion returns the error of a token of this request and caller that another version of the gateway made; field is the request
// field.
func TokenVersion(field string) error {
	return &Error{
		Reason: parleyv1.ErrorReason_ERROR_REASON_TOKEN_VERSION, Field: field,
		Message: "another version of the gateway made the token, and this one does not read it; while an upgrade runs, another replica may: " +
			"repeat the call, or begin without the token, with the last stored settled_until as start_time",
	}
}

// Failure is the meaning of a source's error for a call.
type Failure struct {
	// State is how the source ends if it stops here.
	State parleyv1.SourceState
	// Reason is why, as the contract names it.
	Reason parleyv1.ErrorReason
	// Followed says that the page was asked for by a link: Graph has answered this source before.
	Followed bool
	// LinkLost says that Graph does not know the link any more (graph.LinkLost), so that reading once more from the start may succeed. A 400
	// that has a kind of its own, such as a refused login, is no such sign here.
	LinkLost bool
	// Err is the error itself.
	Err error
}

// Ends reports whether nothing else of the source can be read either.
func (f *Failure) Ends() bool {
	return f.State == parleyv1.SourceState_SOURCE_STATE_THROTTLED || f.Reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED ||
		f.Reason == parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED || f.Reason == parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED || f.Reason == parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED
}

// Classify returns the meaning of an error of a request that followed no link.
func Classify(err error) Failure { return ClassifyPage(err, "") }

// ClassifyPage returns the meaning of an error of the request for the page behind a link; an empty link is that of the first page.
func ClassifyPage(err error, link string) Failure {
	followed := link != ""
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok {
		return Failure{State: failed, Reason: parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED, Followed: followed, Err: err}
	}
	m := MeaningOf(graphErr)
	f := Failure{State: m.State, Reason: m.Reason, Followed: followed, Err: err}
	switch graphErr.Kind { //nolint:exhaustive // any other kind says itself what is wrong
	case graph.KindBadRequest, graph.KindGone, graph.KindLinkNotFound, graph.KindUnavailable:
		f.LinkLost = followed && graph.LinkLost(graphErr)
	}
	return f
}

// MaxRequestIDs is how many ids of failed requests a report holds.
const MaxRequestIDs = 20

// AppendRequestID appends Graph's id of a failed call to those of a report, each once.
func AppendRequestID(ids []string, err error) []string {
	graphErr, ok := errors.AsType[*graph.Error](err)
	if !ok || graphErr.RequestID == "" || len(ids) >= MaxRequestIDs || slices.Contains(ids, graphErr.RequestID) {
		return ids
	}
	return append(ids, graphErr.RequestID)
}

// IsContext reports whether an error says that the call has ended.
func IsContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
