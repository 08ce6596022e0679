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
	ReasonTenantNotLicensed  = "TENANT_NOT_LICENSED"
	ReasonNotFound           = "NOT_FOUND"
	ReasonThrottled          = "GRAPH_THROTTLED"
	ReasonUnavailable        = "GRAPH_UNAVAILABLE"
	ReasonRejectedRequest    = "GRAPH_REJECTED_REQUEST"
	ReasonLinkRefused        = "GRAPH_LINK_REFUSED"
	ReasonLinkNotFound       = "GRAPH_LINK_NOT_FOUND" // Graph answers 404 to a link that it gave itself
	ReasonPagingLoop         = "PAGING_LOOP"
	ReasonNotHonoured        = "INTERVAL_NOT_HONOURED"
	ReasonBeforeKept         = "START_BEFORE_KEPT"        // the asked start lies before what the source keeps
	ReasonParticipant        = "PARTICIPANT_NOT_HONOURED" // Graph sent calls that are not of the user it was asked for
	ReasonNotProved          = "PARTICIPATION_NOT_PROVED" // calls were left out that no record proves to be the user's
	ReasonTruncated          = "SUSPECTED_TRUNCATION"     // two readings of one window differ
	ReasonTooManyPages       = "TOO_MANY_PAGES"           // a window did not end within the page limit
	ReasonSeveral            = "SEVERAL_DOUBTS"           // neighbouring gaps were joined to keep the token small
	ReasonFailed             = "SOURCE_FAILED"
	ReasonAmbiguous          = "AMBIGUOUS_ID" // rows of one uid and version say different things

	ReasonCallerLimit = "CALLER_LIMIT"
	ReasonConsent     = "CONSENT_REQUIRED"     // on behalf of a user: nobody has consented for them
	ReasonSignIn      = "SIGN_IN_REQUIRED"     // on behalf of a user: their token is not exchanged
	ReasonNotFiltered = "FILTER_NOT_EVALUATED" // neither Graph nor the gateway could evaluate the filter
	ReasonConcealed   = "IDENTITIES_CONCEALED" // names cannot be compared while the tenant conceals them

	NoticeEndCut      = "END_CUT_TO_NOW"
	NoticeRestarted   = "RESTARTED"
	NoticeNotSorted   = "ORDER_NOT_KEPT" // Graph does not order chats by their last message, and the list is too long to be sorted here
	NoticeClockSkew   = "CLOCK_SKEW"     // the gateway's clock and Graph's differ by more than the settle time
	NoticeStartRaised = "START_RAISED"   // Graph refused to be asked from 1970 on
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
	// followed is true when the page was asked for by a link: Graph has answered this source before.
	followed bool
	// again is true when the window may be read once more from its start (a link that Graph does not know any more).
	again bool
	err   error
}

// ends tells whether nothing else of the source can be read either.
func (f *failure) ends() bool {
	return f.state == parleyv1.SourceState_SOURCE_STATE_THROTTLED || f.reason == ReasonCredentialRejected ||
		f.reason == ReasonPaymentRequired || f.reason == ReasonTenantNotLicensed || f.reason == ReasonFailed
}

// classify tells what err means; followed is true when the page was asked for by a link.
func classify(err error, followed bool) failure {
	graph, ok := errors.AsType[*graphclient.Error](err)
	if !ok {
		return failure{state: failed, reason: ReasonFailed, followed: followed, err: err}
	}
	m := MeaningOf(graph)
	f := failure{state: m.State, reason: m.Reason, followed: followed, err: err}
	switch graph.Kind { //nolint:exhaustive // of a followed link, what makes it useless
	case graphclient.KindBadRequest, graphclient.KindGone, graphclient.KindLinkNotFound:
		f.again = followed
	case graphclient.KindUnavailable:
		f.again = followed && graph.Rejected()
	}
	return f
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
