package server

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"buf.build/go/protovalidate"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/source/names"
	"github.com/parley-gateway/parley/timeline"
)

// sourceError says which source a failed Get was about, since one Graph status means different things to different sources.
type sourceError struct {
	source parleyv1.Source
	err    error
}

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// of marks an error with its source; nil stays nil.
func of(source parleyv1.Source, err error) error {
	if err == nil {
		return nil
	}
	return &sourceError{source, err}
}

// verdict is a row of the contract's table: what a reason means on the wire. Retry is the wait to suggest when nothing
// better is known; 0 = do not repeat.
type verdict struct {
	code    codes.Code
	retry   time.Duration
	message string
}

const (
	retrySoon  = time.Second
	retryLater = 10 * time.Second
)

// verdicts is the table of errors that come from below the server. No text of Graph's is in it.
var verdicts = map[string]verdict{
	fault.ReasonInvalidArgument: {codes.InvalidArgument, 0, "the request is not valid"},
	fault.ReasonTokenRefused:    {codes.InvalidArgument, 0, "the token is not of this request; begin without it"},
	fault.ReasonGraphRejected:   {codes.Internal, 0, "Graph rejected the gateway's request; its request id helps Microsoft's support"},
	fault.ReasonGraphCredential: {codes.FailedPrecondition, 0, "Graph or Entra ID rejected the gateway's credential; the operator has to renew or consent it"},
	fault.ReasonPaymentRequired: {codes.FailedPrecondition, 0, "Graph asks for a payment set-up of the application before it serves this; it was not asked again"},
	fault.ReasonConsent: {codes.PermissionDenied, 0, "Graph is asked on behalf of the user here, and neither the user nor an administrator has consented to " +
		"the delegated permissions of the gateway's application (Chat.Read, for usage Reports.Read.All); consent in Entra ID, then call again"},
	fault.ReasonSignIn: {codes.Unauthenticated, 0, "Graph is asked on behalf of the user here, and Entra ID does not exchange this token for one of Graph; " +
		"sign in again, for the application id of the gateway itself, and with the claims in the metadata if there are any"},
	fault.ReasonPermissionMissing: {codes.PermissionDenied, 0, "the gateway's application lacks a Graph permission for this"},
	fault.ReasonUserNotLicensed:   {codes.PermissionDenied, 0, "Graph refuses this source for this user, mostly because a licence is missing"},
	fault.ReasonNotFound:          {codes.NotFound, 0, "there is no such resource, or the named user has no part in it"},
	fault.ReasonCallUnavailable: {codes.NotFound, 0, "there is no such call record, or the named user has no part in it; " +
		"records appear up to an hour or more after the call and are kept for 30 days"},
	fault.ReasonHasNoChat:        {codes.NotFound, 0, "there is no chat of this id; a Copilot session or a call is known from its events only"},
	fault.ReasonGraphThrottled:   {codes.ResourceExhausted, retryLater, "Graph asks to wait longer than this call may take"},
	fault.ReasonCallerLimit:      {codes.ResourceExhausted, retryLater, "this caller's requests to Graph are used up until midnight UTC"},
	fault.ReasonGraphUnavailable: {codes.Unavailable, retryLater, "Graph did not give a usable answer"},
	fault.ReasonGraphLinkRefused: {codes.Internal, 0, "Graph gave a link to another host; it was not followed"},
	fault.ReasonPagingLoop:       {codes.DataLoss, 0, "Graph's pages repeat themselves; what lies behind them could not be read"},
	fault.ReasonIntervalIgnored:  {codes.DataLoss, 0, "Graph answered with rows far outside the asked interval"},
	fault.ReasonNotCached:        {codes.FailedPrecondition, 0, "only-if-cached was asked and the cache does not hold all of it"},
	fault.ReasonSourceNotInCloud: {codes.FailedPrecondition, 0, "the source does not exist in the configured cloud"},
	fault.ReasonConcealed: {codes.FailedPrecondition, 0, "the tenant conceals names in reports, so nothing can be said of one user; " +
		"an administrator can change that in the Microsoft 365 admin centre"},
	fault.ReasonInternal: {codes.Internal, 0, "the gateway failed; the request id helps its operator"},

	timeline.ReasonTooManyPages: {codes.DataLoss, 0, "a part of the interval did not end within the page limit"},
	timeline.ReasonTruncated:    {codes.DataLoss, 0, "two readings of one part of the interval differ"},
	timeline.ReasonSeveral:      {codes.DataLoss, 0, "several parts of the interval could not be read"},
	timeline.ReasonBeforeKept:   {codes.FailedPrecondition, 0, "the interval lies before what the source keeps"},
	timeline.ReasonFailed:       {codes.Internal, 0, "the source failed"},
}

// toStatus is the one place where errors become the errors of the contract. Anything that is not known here is INTERNAL and
// keeps its words to itself.
func toStatus(err error) *status.Status {
	if err == nil {
		return nil
	}
	if stream, ok := errors.AsType[*timeline.StreamError](err); ok {
		return fault.WithResumeToken(toStatus(stream.Err), stream.ResumeToken)
	}
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return own.GRPCStatus()
	}
	if errors.Is(err, cache.ErrNotCached) {
		return ofReason(fault.ReasonNotCached).GRPCStatus()
	}
	if name, ok := errors.AsType[*names.Error](err); ok {
		return fault.Invalid(name.Field, name.Problem+"; "+name.Fix).GRPCStatus()
	}
	if walk, ok := errors.AsType[*timeline.Error](err); ok {
		return ofTimeline(walk).GRPCStatus()
	}
	var graph *graphclient.Error
	if errors.As(err, &graph) && graph.Kind != graphclient.KindCanceled {
		src := parleyv1.Source_SOURCE_UNSPECIFIED
		if marked, ok := errors.AsType[*sourceError](err); ok {
			src = marked.source
		}
		return ofGraph(reasonOf(src, graph), graph).GRPCStatus()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Complete(status.New(codes.DeadlineExceeded, ""))
	case errors.Is(err, context.Canceled), graph != nil:
		return fault.Complete(status.New(codes.Canceled, ""))
	}
	if st, ok := status.FromError(err); ok {
		return ofValidation(st)
	}
	return ofReason(fault.ReasonInternal).GRPCStatus()
}

// ofReason is the fault of a row of the table.
func ofReason(reason string) *fault.Error {
	v, ok := verdicts[reason]
	if !ok {
		v = verdicts[fault.ReasonInternal]
	}
	return &fault.Error{Code: v.code, Reason: reason, Message: v.message, RetryAfter: v.retry}
}

// ofTimeline converts a refusal by the timeline, or the failure of every source.
func ofTimeline(err *timeline.Error) *fault.Error {
	f := ofReason(err.Reason)
	if graph, ok := errors.AsType[*graphclient.Error](err.Err); ok {
		f = ofGraph(err.Reason, graph)
	}
	f.Field = err.Field
	if err.Field != "" && err.Message != "" {
		f.Message = err.Message
	}
	return f
}

// ofGraph adds Graph's own facts to the row of a reason.
func ofGraph(reason string, err *graphclient.Error) *fault.Error {
	f := ofReason(reason)
	if f.RetryAfter > 0 && err.RetryAfter > 0 {
		f.RetryAfter = err.RetryAfter
	}
	if reason == fault.ReasonGraphUnavailable && err.Requests > 1 {
		f.Message += ", repeated requests included"
	}
	if err.Kind == graphclient.KindTooLarge {
		f.RetryAfter = 0
		f.Message = "an answer of Graph is larger than the gateway accepts"
	}
	f.Meta = map[string]string{
		fault.MetaGraphCode:      err.Code,
		fault.MetaGraphRequestID: err.RequestID,
		fault.MetaRoles:          strings.Join(err.Roles, ","),
	}
	if err.Claims != "" {
		f.Meta[fault.MetaClaims] = base64.StdEncoding.EncodeToString([]byte(err.Claims))
	}
	if err.Status != 0 {
		f.Meta[fault.MetaGraphStatus] = strconv.Itoa(err.Status)
	}
	return f
}

// reasonOf names what a failed request to Graph means; the source matters to some statuses.
func reasonOf(src parleyv1.Source, err *graphclient.Error) string {
	switch err.Kind {
	case graphclient.KindBadRequest, graphclient.KindGone:
		return fault.ReasonGraphRejected
	case graphclient.KindCredential:
		return fault.ReasonGraphCredential
	case graphclient.KindConsent:
		return fault.ReasonConsent
	case graphclient.KindSignIn:
		return fault.ReasonSignIn
	case graphclient.KindPaymentRequired:
		return fault.ReasonPaymentRequired
	case graphclient.KindForbidden:
		if src == parleyv1.Source_SOURCE_COPILOT && len(err.Roles) == 0 {
			return fault.ReasonUserNotLicensed
		}
		return fault.ReasonPermissionMissing
	case graphclient.KindNotFound:
		if src == parleyv1.Source_SOURCE_CALL {
			return fault.ReasonCallUnavailable
		}
		return fault.ReasonNotFound
	case graphclient.KindThrottled:
		return fault.ReasonGraphThrottled
	case graphclient.KindCallerLimit:
		return fault.ReasonCallerLimit
	case graphclient.KindUnavailable, graphclient.KindMalformed, graphclient.KindTooLarge:
		return fault.ReasonGraphUnavailable
	case graphclient.KindLinkRefused:
		return fault.ReasonGraphLinkRefused
	case graphclient.KindUnexpected:
		if err.Status >= 400 {
			return fault.ReasonGraphRejected
		}
		return fault.ReasonInternal
	case graphclient.KindCanceled:
		return fault.ReasonCanceled
	default:
		return fault.ReasonInternal
	}
}

// ofValidation turns the violations that the validation interceptor attaches into field violations, and gives every other
// status of a library our own words.
func ofValidation(st *status.Status) *status.Status {
	for _, detail := range st.Details() {
		violations, ok := detail.(*validate.Violations)
		if !ok || len(violations.GetViolations()) == 0 {
			continue
		}
		f := &fault.Error{Code: codes.InvalidArgument, Reason: fault.ReasonInvalidArgument}
		for _, violation := range violations.GetViolations() {
			f.Fields = append(f.Fields, fault.Violation{
				Field:       protovalidate.FieldPathString(violation.GetField()),
				Description: violation.GetMessage(),
			})
		}
		f.Message = f.Fields[0].Field + ": " + f.Fields[0].Description
		return f.GRPCStatus()
	}
	return fault.Complete(st)
}
