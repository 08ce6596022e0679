package apierror

import (
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Info returns the ErrorInfo of this API in a status; nil when it has none.
func Info(st *status.Status) *errdetails.ErrorInfo {
	return find(st, func(info *errdetails.ErrorInfo) bool { return info.GetDomain() == Domain })
}

// Reason returns the reason in a status as it travels, or "".
func Reason(st *status.Status) string { return Info(st).GetReason() }

// RetryDelay returns how long the caller should wait before repeating; 0 = not at all, or at once.
func RetryDelay(st *status.Status) time.Duration {
	delay, _ := Retry(st)
	return delay
}

// Retry returns how long the caller should wait before repeating, and reports whether it should repeat at all.
func Retry(st *status.Status) (delay time.Duration, again bool) {
	retry := find(st, func(*errdetails.RetryInfo) bool { return true })
	return retry.GetRetryDelay().AsDuration(), retry != nil
}

// WithResumeToken returns the status with a resume token in its ErrorInfo, unless it has one or no ErrorInfo.
func WithResumeToken(st *status.Status, token string) *status.Status {
	info := Info(st)
	if token == "" || info == nil || info.GetMetadata()[MetaResumeToken] != "" {
		return st
	}
	details := make([]protoadapt.MessageV1, 0, len(st.Details()))
	for _, detail := range st.Details() {
		message, ok := detail.(protoadapt.MessageV1)
		if !ok {
			continue
		}
		if own, isInfo := detail.(*errdetails.ErrorInfo); isInfo && own.GetDomain() == Domain {
			if own.Metadata == nil {
				own.Metadata = make(map[string]string, 1)
			}
			own.Metadata[MetaResumeToken] = token
		}
		details = append(details, message)
	}
	full, err := status.New(st.Code(), st.Message()).WithDetails(details...)
	if err != nil {
		return st
	}
	return full
}

// Renamed returns the status with other names of the request fields that it is about. It asks rename for the name of each
// top-level field.
func Renamed(st *status.Status, rename func(field string) string) *status.Status {
	details, message, changed := make([]protoadapt.MessageV1, 0, len(st.Details())), st.Message(), false
	for _, detail := range st.Details() {
		known, ok := detail.(protoadapt.MessageV1)
		if !ok {
			return st
		}
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, violation := range bad.GetFieldViolations() {
				from := violation.GetField()
				top := len(from)
				if end := strings.IndexAny(from, ".["); end >= 0 {
					top = end
				}
				violation.Field = rename(from[:top]) + from[top:]
				if violation.GetField() == from {
					continue
				}
				changed = true
				if rest, ok := strings.CutPrefix(message, from+": "); ok {
					message = violation.GetField() + ": " + rest
				}
			}
		}
		details = append(details, known)
	}
	if !changed {
		return st
	}
	full, err := status.New(st.Code(), message).WithDetails(details...)
	if err != nil {
		return st
	}
	return full
}

// Complete returns the status itself when it carries an ErrorInfo of this API. Any other status comes from a library: Complete
// returns one with the reason that belongs to its code, and with a text of this package instead of the library's.
func Complete(st *status.Status) *status.Status {
	if st.Code() == codes.OK || Info(st) != nil {
		return st
	}
	reason, message := reasonForCode(st.Code())
	err := New(reason, message)
	err.RetryAfter = 0
	if st.Code() != codes.Unknown {
		err.Code = st.Code()
	}
	return err.GRPCStatus()
}

// reasonForCode returns the reason of a library's status and, where the table's text says too much of it, a text.
func reasonForCode(code codes.Code) (reason parleyv1.ErrorReason, message string) {
	switch code {
	case codes.Canceled:
		return parleyv1.ErrorReason_ERROR_REASON_CANCELLED, ""
	case codes.DeadlineExceeded:
		return parleyv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED, ""
	case codes.ResourceExhausted:
		return parleyv1.ErrorReason_ERROR_REASON_MESSAGE_TOO_LARGE, ""
	case codes.Unavailable:
		return parleyv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN, "the gateway is not reachable, it may be stopping"
	case codes.InvalidArgument:
		return parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, ""
	case codes.Unimplemented:
		return parleyv1.ErrorReason_ERROR_REASON_UNIMPLEMENTED, ""
	case codes.NotFound:
		return parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND, "there is no such resource"
	default:
		return parleyv1.ErrorReason_ERROR_REASON_INTERNAL, "the gateway failed"
	}
}

// find returns the first detail of type T that the condition accepts; nil when there is none.
func find[T any](st *status.Status, accept func(*T) bool) *T {
	if st == nil {
		return nil
	}
	for _, detail := range st.Details() {
		if found, ok := detail.(*T); ok && accept(found) {
			return found
		}
	}
	return nil
}
