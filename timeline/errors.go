package timeline

import (
	"errors"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
)

// Reasons of errors, gaps and notices, as they travel in ErrorInfo.reason, Gap.reason and Notice.code.
const (
	ReasonInvalidArgument    = "INVALID_ARGUMENT"
	ReasonTokenRefused       = "TOKEN_REFUSED"
	ReasonNotInCloud         = "SOURCE_NOT_IN_CLOUD"
	ReasonPermissionMissing  = "GRAPH_PERMISSION_MISSING"
	ReasonNotLicensed        = "USER_NOT_LICENSED"
	ReasonCredentialRejected = "GRAPH_CREDENTIAL_REJECTED"
	ReasonPaymentRequired    = "PAYMENT_REQUIRED"
	ReasonNotFound           = "NOT_FOUND"
	ReasonThrottled          = "GRAPH_THROTTLED"
	ReasonUnavailable        = "GRAPH_UNAVAILABLE"
	ReasonRejectedRequest    = "GRAPH_REJECTED_REQUEST"
	ReasonLinkRefused        = "GRAPH_LINK_REFUSED"
	ReasonPagingLoop         = "PAGING_LOOP"
	ReasonNotHonoured        = "INTERVAL_NOT_HONOURED"
	ReasonBeforeKept         = "START_BEFORE_KEPT"    // the asked start lies before what the source keeps
	ReasonTruncated          = "SUSPECTED_TRUNCATION" // two readings of one window differ
	ReasonTooManyPages       = "TOO_MANY_PAGES"       // a window did not end within the page limit
	ReasonSeveral            = "SEVERAL_DOUBTS"       // neighbouring gaps were joined to keep the token small
	ReasonFailed             = "SOURCE_FAILED"

	ReasonCallerLimit = "CALLER_LIMIT"
	ReasonConsent     = "CONSENT_REQUIRED"     // on behalf of a user: nobody has consented for them
	ReasonSignIn      = "SIGN_IN_REQUIRED"     // on behalf of a user: their token is not exchanged
	ReasonNotFiltered = "FILTER_NOT_EVALUATED" // neither Graph nor the gateway could evaluate the filter
	ReasonConcealed   = "IDENTITIES_CONCEALED" // names cannot be compared while the tenant conceals them

	NoticeEndCut    = "END_CUT_TO_NOW"
	NoticeRestarted = "RESTARTED"
)

// Error is a refusal by the timeline itself, or the failure of every asked source (Err then holds the *graphclient.Error
// of one of them). Its text holds no content, token or filter.
type Error struct {
	// Reason is one of the reasons above.
	Reason string
	// Field is the request field at fault, in the contract's spelling; empty when none is.
	Field string
	// Message says in English what is wrong and how to mend it.
	Message string
	// Source is the source that failed; unspecified when the request itself is at fault.
	Source parleyv1.Source
	// Err is the cause, when there is one.
	Err error
}

// Error joins reason, field and message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason)
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
	// Err is what ended the stream.
	Err error
	// ResumeToken is the token of the last checkpoint; events behind it that were already sent come again.
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

// badFilter turns a fault of a filter into an error that tells its position.
func badFilter(err error) error {
	return invalid("filter", err.Error())
}

func invalid(field, message string) error {
	return &Error{Reason: ReasonInvalidArgument, Field: field, Message: message}
}

func refused(field string) error {
	return &Error{Reason: ReasonTokenRefused, Field: field, Message: "the token was made for another request or caller, or by another key, or is damaged; begin without it"}
}

// failure is what an error of a source means for the walk.
type failure struct {
	state  parleyv1.SourceState // how the source ends if it stops here
	reason string
	// stops is true when asking this source again is pointless or not allowed within this call.
	stops bool
	// again is true when the window may be read once more from its start (a link that Graph does not know any more).
	again bool
	err   error
}

// classify tells what err means; followed is true when the page was asked for by a link.
func classify(src parleyv1.Source, err error, followed bool) failure {
	f := failure{state: parleyv1.SourceState_SOURCE_STATE_FAILED, reason: ReasonUnavailable, err: err}
	var graph *graphclient.Error
	if !errors.As(err, &graph) {
		f.reason, f.stops = ReasonFailed, true
		return f
	}
	switch graph.Kind {
	case graphclient.KindBadRequest, graphclient.KindGone:
		f.reason, f.again, f.stops = ReasonRejectedRequest, followed, !followed
	case graphclient.KindCredential:
		f.reason, f.stops = ReasonCredentialRejected, true
	case graphclient.KindPaymentRequired:
		f.reason, f.stops = ReasonPaymentRequired, true
	case graphclient.KindForbidden:
		f.state, f.reason = forbidden(src, graph)
		f.stops = true
	case graphclient.KindNotFound:
		f.reason, f.stops = ReasonNotFound, true
	case graphclient.KindThrottled:
		f.state, f.reason, f.stops = parleyv1.SourceState_SOURCE_STATE_THROTTLED, ReasonThrottled, true
	case graphclient.KindCallerLimit:
		f.state, f.reason, f.stops = parleyv1.SourceState_SOURCE_STATE_THROTTLED, ReasonCallerLimit, true
	case graphclient.KindConsent:
		f.state, f.reason, f.stops = parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, ReasonConsent, true
	case graphclient.KindSignIn:
		f.reason, f.stops = ReasonSignIn, true
	case graphclient.KindLinkRefused:
		f.reason = ReasonLinkRefused
	case graphclient.KindUnavailable, graphclient.KindTooLarge, graphclient.KindMalformed,
		graphclient.KindUnexpected, graphclient.KindCanceled:
	}
	return f
}

// forbidden tells a missing permission from a missing licence. Graph names the roles when a role is missing; the Copilot
// history answers users without a licence with `Forbidden` and the bare message `UnknownError`.
func forbidden(src parleyv1.Source, err *graphclient.Error) (parleyv1.SourceState, string) {
	if src == parleyv1.Source_SOURCE_COPILOT && len(err.Roles) == 0 {
		return parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER, ReasonNotLicensed
	}
	return parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED, ReasonPermissionMissing
}

// graphRequestID is Graph's id of a failed call, for the report.
func graphRequestID(err error) string {
	if graph, ok := errors.AsType[*graphclient.Error](err); ok {
		return graph.RequestID
	}
	return ""
}

// graphRequests is how many requests Graph saw for a failed call.
func graphRequests(err error) int {
	if graph, ok := errors.AsType[*graphclient.Error](err); ok {
		return graph.Requests
	}
	return 0
}
