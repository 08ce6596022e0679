package apierror

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"buf.build/go/protovalidate"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/timeline/failure"
)

// sourceError names the source of a failed Get, since one status of Graph means different things to different sources.
type sourceError struct {
	source parleyv1.Source
	err    error
}

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// WithSource marks an error with the source that failed; nil stays nil.
func WithSource(source parleyv1.Source, err error) error {
	if err == nil {
		return nil
	}
	return &sourceError{source, err}
}

// FromError is the one place where errors become errors of the contract. An error that is not known here is INTERNAL, and its
// text stays inside.
func FromError(err error) *status.Status {
	if err == nil {
		return nil
	}
	if stream, ok := errors.AsType[*failure.StreamError](err); ok {
		return WithResumeToken(FromError(stream.Err), stream.ResumeToken)
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own.GRPCStatus()
	}
	if errors.Is(err, cache.ErrNotCached) {
		return ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_CACHED).GRPCStatus()
	}
	if name, ok := errors.AsType[*resource.Error](err); ok {
		return Invalid(name.Field, name.Problem+"; "+name.Fix).GRPCStatus()
	}
	if own, ok := errors.AsType[*failure.Error](err); ok {
		return forTimeline(own).GRPCStatus()
	}
	var graphErr *graph.Error
	if errors.As(err, &graphErr) && graphErr.Kind != graph.KindCanceled {
		src := parleyv1.Source_SOURCE_UNSPECIFIED
		if marked, ok := errors.AsType[*sourceError](err); ok {
			src = marked.source
		}
		return forGraph(reasonOf(src, graphErr), graphErr).GRPCStatus()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Complete(status.New(codes.DeadlineExceeded, ""))
	case errors.Is(err, context.Canceled), graphErr != nil:
		return Complete(status.New(codes.Canceled, ""))
	}
	if st, ok := status.FromError(err); ok {
		return forValidation(st)
	}
	return ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL).GRPCStatus()
}

// forTimeline returns the error of a request that the timeline refuses, or of a call whose sources have all failed.
func forTimeline(err *failure.Error) *Error {
	f := ForReason(err.Reason)
	if graphErr, ok := errors.AsType[*graph.Error](err.Err); ok {
		f = forGraph(err.Reason, graphErr)
	}
	f.Field = err.Field
	if err.Field != "" && err.Message != "" {
		f.Message = err.Message
	}
	return f
}

// forGraph returns the error of a reason with the facts of Graph's answer.
func forGraph(reason parleyv1.ErrorReason, err *graph.Error) *Error {
	f := ForReason(reason)
	if f.RetryAfter > 0 && err.RetryAfter > 0 {
		f.RetryAfter = err.RetryAfter
	}
	if m := failure.MeaningOf(err); m.Reason == reason && reason != parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND {
		f.Message = m.Words // one reason has several causes, and each has its words
	}
	if reason == parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE && err.Requests > 1 {
		f.Message += ", repeated requests included"
	}
	if err.Kind == graph.KindTooLarge {
		f.RetryAfter = 0
	}
	f.Meta = map[string]string{
		MetaGraphCode:      err.Code,
		MetaGraphRequestID: err.RequestID,
		MetaRoles:          strings.Join(err.Roles, ","),
		MetaCause:          string(err.Cause),
	}
	if err.Kind == graph.KindUserRole {
		f.Meta[MetaUserRoles] = strings.Join(graph.ReportRoles(), ",")
	}
	if err.Claims != "" {
		f.Meta[MetaClaims] = base64.StdEncoding.EncodeToString([]byte(err.Claims))
	}
	if err.Status != 0 {
		f.Meta[MetaGraphStatus] = strconv.Itoa(err.Status)
	}
	return f
}

// reasonOf returns the reason of a failed request to Graph. A 404 of call records has a reason of its own.
func reasonOf(src parleyv1.Source, err *graph.Error) parleyv1.ErrorReason {
	if err.Kind == graph.KindNotFound && src == parleyv1.Source_SOURCE_CALL {
		return parleyv1.ErrorReason_ERROR_REASON_CALL_RECORD_UNAVAILABLE
	}
	if reason := failure.MeaningOf(err).Reason; reason != parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED {
		return reason
	}
	return parleyv1.ErrorReason_ERROR_REASON_INTERNAL
}

// forValidation returns the error of a library's status. Violations from the validation interceptor become field violations.
func forValidation(st *status.Status) *status.Status {
	for _, detail := range st.Details() {
		violations, ok := detail.(*validate.Violations)
		if !ok || len(violations.GetViolations()) == 0 {
			continue
		}
		f := ForReason(parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT)
		for _, violation := range violations.GetViolations() {
			f.Fields = append(f.Fields, Violation{
				Field:       protovalidate.FieldPathString(violation.GetField()),
				Description: violation.GetMessage(),
			})
		}
		f.Message = f.Fields[0].Field + ": " + f.Fields[0].Description
		return f.GRPCStatus()
	}
	return Complete(st)
}
