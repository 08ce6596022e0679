package server

import (
	"cmp"
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
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline/failure"
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

// verdicts is the table of errors that come from below the server: what their reasons mean on the wire. An empty message is the
// timeline's own, which tells one cause of a reason from another. No text of Graph's is in it.
var verdicts = map[parleyv1.ErrorReason]verdict{
	parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT:          {codes.InvalidArgument, 0, "the request is not valid"},
	parleyv1.ErrorReason_ERROR_REASON_TOKEN_REFUSED:             {codes.InvalidArgument, 0, "the token is not of this request; begin without it"},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST:    {codes.Internal, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED: {codes.FailedPrecondition, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED:          {codes.FailedPrecondition, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED:       {codes.FailedPrecondition, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_CONSENT_REQUIRED:          {codes.PermissionDenied, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_SIGN_IN_REQUIRED:          {codes.Unauthenticated, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING:  {codes.PermissionDenied, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED:         {codes.PermissionDenied, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND:                 {codes.NotFound, 0, "there is no such resource, or the named user has no part in it"},
	parleyv1.ErrorReason_ERROR_REASON_CALL_RECORD_UNAVAILABLE: {codes.NotFound, 0, "there is no such call record, or the named user has no part in it; " +
		"records appear up to an hour or more after the call and are kept for 30 days"},
	parleyv1.ErrorReason_ERROR_REASON_CONVERSATION_HAS_NO_CHAT: {codes.NotFound, 0, "there is no chat of this id; a Copilot session or a call is known from its events only"},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED:          {codes.ResourceExhausted, retryLater, ""},
	parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT:             {codes.ResourceExhausted, retryLater, ""},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE:        {codes.Unavailable, retryLater, ""},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_REFUSED:       {codes.Internal, 0, ""},
	parleyv1.ErrorReason_ERROR_REASON_GRAPH_LINK_NOT_FOUND:     {codes.Unavailable, retryLater, ""},
	parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP:              {codes.DataLoss, 0, "Graph's pages repeat themselves; what lies behind them could not be read"},
	parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED:    {codes.DataLoss, 0, "Graph answered with rows far outside the asked interval"},
	parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED:               {codes.FailedPrecondition, 0, "only-if-cached was asked and the cache does not hold all of it"},
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD:      {codes.FailedPrecondition, 0, "the source does not exist in the configured cloud"},
	parleyv1.ErrorReason_ERROR_REASON_IDENTITIES_CONCEALED: {codes.FailedPrecondition, 0, "the tenant conceals names in reports, so nothing can be said of one user; " +
		"an administrator can change that in the Microsoft 365 admin centre"},
	parleyv1.ErrorReason_ERROR_REASON_INTERNAL: {codes.Internal, 0, "the gateway failed; the request id helps its operator"},

	parleyv1.ErrorReason_ERROR_REASON_TOO_MANY_PAGES:       {codes.DataLoss, 0, "a part of the interval did not end within the page limit"},
	parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION: {codes.DataLoss, 0, "two readings of one part of the interval differ"},
	parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS:       {codes.DataLoss, 0, "several parts of the interval could not be read"},
	parleyv1.ErrorReason_ERROR_REASON_START_BEFORE_KEPT:    {codes.FailedPrecondition, 0, "the interval lies before what the source keeps"},
	parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED:        {codes.Internal, 0, ""},
}

// toStatus is the one place where errors become the errors of the contract. Anything that is not known here is INTERNAL and
// keeps its words to itself.
func toStatus(err error) *status.Status {
	if err == nil {
		return nil
	}
	if stream, ok := errors.AsType[*failure.StreamError](err); ok {
		return apierror.WithResumeToken(toStatus(stream.Err), stream.ResumeToken)
	}
	if own, ok := errors.AsType[*apierror.Error](err); ok {
		return own.GRPCStatus()
	}
	if errors.Is(err, cache.ErrNotCached) {
		return ofReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED).GRPCStatus()
	}
	if name, ok := errors.AsType[*resource.Error](err); ok {
		return apierror.Invalid(name.Field, name.Problem+"; "+name.Fix).GRPCStatus()
	}
	if walk, ok := errors.AsType[*failure.Error](err); ok {
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
		return apierror.Complete(status.New(codes.DeadlineExceeded, ""))
	case errors.Is(err, context.Canceled), graph != nil:
		return apierror.Complete(status.New(codes.Canceled, ""))
	}
	if st, ok := status.FromError(err); ok {
		return ofValidation(st)
	}
	return ofReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL).GRPCStatus()
}

// ofReason is the fault of a row of the table.
func ofReason(reason parleyv1.ErrorReason) *apierror.Error {
	v, ok := verdicts[reason]
	if !ok {
		v = verdicts[parleyv1.ErrorReason_ERROR_REASON_INTERNAL]
	}
	return &apierror.Error{Code: v.code, Reason: reason, Message: cmp.Or(v.message, failure.Words(reason)), RetryAfter: v.retry}
}

// ofTimeline converts a refusal by the timeline, or the failure of every source.
func ofTimeline(err *failure.Error) *apierror.Error {
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
func ofGraph(reason parleyv1.ErrorReason, err *graphclient.Error) *apierror.Error {
	f := ofReason(reason)
	if f.RetryAfter > 0 && err.RetryAfter > 0 {
		f.RetryAfter = err.RetryAfter
	}
	if m := failure.MeaningOf(err); m.Reason == reason && verdicts[reason].message == "" {
		f.Message = m.Words
	}
	if reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE && err.Requests > 1 {
		f.Message += ", repeated requests included"
	}
	if err.Kind == graphclient.KindTooLarge {
		f.RetryAfter = 0
	}
	f.Meta = map[string]string{
		apierror.MetaGraphCode:      err.Code,
		apierror.MetaGraphRequestID: err.RequestID,
		apierror.MetaRoles:          strings.Join(err.Roles, ","),
		apierror.MetaCause:          string(err.Cause),
	}
	if err.Kind == graphclient.KindUserRole {
		f.Meta[apierror.MetaUserRoles] = strings.Join(graphclient.ReportRoles(), ",")
	}
	if err.Claims != "" {
		f.Meta[apierror.MetaClaims] = base64.StdEncoding.EncodeToString([]byte(err.Claims))
	}
	if err.Status != 0 {
		f.Meta[apierror.MetaGraphStatus] = strconv.Itoa(err.Status)
	}
	return f
}

// reasonOf names what a failed request to Graph means; of call records, 404 has a reason of its own.
func reasonOf(src parleyv1.Source, err *graphclient.Error) parleyv1.ErrorReason {
	if err.Kind == graphclient.KindNotFound && src == parleyv1.Source_SOURCE_CALL {
		return parleyv1.ErrorReason_ERROR_REASON_CALL_RECORD_UNAVAILABLE
	}
	if reason := failure.MeaningOf(err).Reason; reason != parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED {
		return reason
	}
	return parleyv1.ErrorReason_ERROR_REASON_INTERNAL
}

// ofValidation turns the violations that the validation interceptor attaches into field violations, and gives every other
// status of a library our own words.
func ofValidation(st *status.Status) *status.Status {
	for _, detail := range st.Details() {
		violations, ok := detail.(*validate.Violations)
		if !ok || len(violations.GetViolations()) == 0 {
			continue
		}
		f := &apierror.Error{Code: codes.InvalidArgument, Reason: parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT}
		for _, violation := range violations.GetViolations() {
			f.Fields = append(f.Fields, apierror.Violation{
				Field:       protovalidate.FieldPathString(violation.GetField()),
				Description: violation.GetMessage(),
			})
		}
		f.Message = f.Fields[0].Field + ": " + f.Fields[0].Description
		return f.GRPCStatus()
	}
	return apierror.Complete(st)
}
