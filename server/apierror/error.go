// Package apierror makes and reads the errors of the public contract: a google.rpc.Status whose ErrorInfo names a stable reason
// (AIP-193). The table (table.go) says for each reason which code, REST status, wait and text belong to it. FromError (convert.go)
// is the one place where errors of the floors below become errors of the contract.
package apierror

import (
	"cmp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
)

// Domain is the ErrorInfo domain of every error of this API.
const Domain = "parley.v1"

// Keys of the ErrorInfo metadata.
const (
	MetaGraphStatus    = "graph_status"     // HTTP status of Graph's answer
	MetaGraphCode      = "graph_code"       // Graph's error code
	MetaGraphRequestID = "graph_request_id" // Graph's id of the failed request
	MetaResumeToken    = "resume_token"     // cursor to go on from
	MetaRoles          = "roles"            // permissions, of which Graph names one as needed, separated by commas
	MetaUserRoles      = "user_roles"       // Entra roles, of which the signed-in user needs one, separated by commas
	MetaCause          = "cause"            // why a service was not reached, one of graph.Cause
	MetaClaims         = "claims"           // what to ask a new token with: a JSON object in base64
)

// Error is a failure before it is a status. Its message is for people, and quotes no input but names of fields.
type Error struct {
	Code    codes.Code
	Reason  parleyv1.ErrorReason
	Message string
	// Field names the bad request field; Fields lists several. Either adds a BadRequest.
	Field  string
	Fields []Violation
	// RetryAfter is the time to wait before repeating; 0 = do not repeat.
	RetryAfter time.Duration
	// RetryNow says that the call may be repeated at once; RetryAfter is then 0.
	RetryNow bool
	// Meta is the ErrorInfo metadata; empty values are left out.
	Meta map[string]string
}

// Violation is one bad field and what is wrong with it.
type Violation struct{ Field, Description string }

var _ error = (*Error)(nil)

// Error returns the reason and the message.
func (e *Error) Error() string { return reasons.Text(e.Reason) + ": " + e.Message }

// GRPCStatus returns the error as it travels; grpc calls it.
func (e *Error) GRPCStatus() *status.Status {
	info := &errdetails.ErrorInfo{Reason: reasons.Text(e.Reason), Domain: Domain}
	for key, value := range e.Meta {
		if value == "" {
			continue
		}
		if info.Metadata == nil {
			info.Metadata = make(map[string]string, len(e.Meta))
		}
		info.Metadata[key] = value
	}
	details := []protoadapt.MessageV1{info}
	violations := e.Fields
	if e.Field != "" {
		violations = append([]Violation{{e.Field, e.Message}}, violations...)
	}
	if len(violations) > 0 {
		bad := &errdetails.BadRequest{}
		for _, v := range violations {
			bad.FieldViolations = append(bad.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
		}
		details = append(details, bad)
	}
	if e.RetryAfter > 0 || e.RetryNow {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	message := e.Message
	if e.Field != "" && !strings.HasPrefix(message, e.Field+": ") {
		message = e.Field + ": " + message
	}
	plain := status.New(e.Code, strings.ToValidUTF8(message, "\uFFFD"))
	full, err := plain.WithDetails(details...)
	if err != nil {
		return plain
	}
	return full
}

// New returns the error of a reason with the code and the wait of its row in the table. Without a message it has the text of the row. For a
// reason of gaps alone, which ends no call, code, wait and text are those of INTERNAL.
func New(reason parleyv1.ErrorReason, message string) *Error {
	r := table[reason]
	if r.code == codes.OK {
		r = table[parleyv1.ErrorReason_ERROR_REASON_INTERNAL]
	}
	return &Error{Code: r.code, Reason: reason, Message: cmp.Or(message, r.text), RetryAfter: r.retry}
}

// ForReason returns the error of a reason as its row in the table has it.
func ForReason(reason parleyv1.ErrorReason) *Error { return New(reason, "") }

// Invalid returns an INVALID_ARGUMENT that names a request field.
func Invalid(field, message string) *Error {
	return New(parleyv1.ErrorReason_ERROR_REASON_INVALID_ARGUMENT, message).WithField(field)
}

// WithField returns the error itself, with the request field that it is about.
func (e *Error) WithField(field string) *Error {
	e.Field = field
	return e
}
