// Package refusal has the errors of the simulated Graph, in Graph's own shape. It imports package data alone, so that every other
// package of the simulator can refuse.
package refusal

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Error is a refusal in Graph's own shape.
type Error struct {
	Status        int
	Code, Message string
	Header        http.Header
	Inner         data.Object // additional members of innerError
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// BadRequest is the refusal of a query that Graph does not understand.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf(format, args...)}
}

// UnknownSegment is the refusal of a path that is not there.
func UnknownSegment(name string) *Error {
	return BadRequest("Resource not found for the segment '%s'.", name)
}

// Unauthorized is the refusal of a token.
func Unauthorized(message string) *Error {
	return &Error{
		Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message,
		Header: http.Header{"Www-Authenticate": {`Bearer realm="", client_id="00000003-0000-0000-c000-000000000000"`}},
	}
}

// MissingRoles is the refusal of the Teams, Copilot and call record services.
func MissingRoles(want, have []string) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: "Forbidden",
		Message: "Missing role permissions on the request. API requires one of '" + strings.Join(want, ", ") + "'. Roles on the request '" + strings.Join(have, ", ") + "'",
	}
}

// NotInDirectory is the refusal of an unknown user.
func NotInDirectory(id string) *Error {
	return &Error{
		Status: http.StatusNotFound, Code: "Request_ResourceNotFound",
		Message: "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present.",
	}
}

// NotFound is the refusal of a resource that is not there.
func NotFound(message string) *Error {
	return &Error{Status: http.StatusNotFound, Code: "NotFound", Message: message}
}

// Body is the error object; Graph writes the date without an offset.
func (e *Error) Body(requestID, clientRequestID string, now time.Time) data.Object {
	inner := append(data.Object{}, e.Inner...)
	inner = append(inner,
		data.Member("date", now.UTC().Format("2006-01-02T15:04:05")),
		data.Member("request-id", requestID),
		data.Member("client-request-id", clientRequestID),
	)
	return data.Object{data.Member("error", data.Object{data.Member("code", e.Code), data.Member("message", e.Message), data.Member("innerError", inner)})}
}

// Nested is the error as some services give it: the causes one inside the other, in the other spelling.
func (e *Error) Nested(requestID string) data.Object {
	deepest := data.Object{data.Member("code", e.Code+"Cause"), data.Member("request-id", requestID)}
	middle := data.Object{data.Member("code", "generalException"), data.Member("message", "An error occurred in a service behind."), data.Member("innererror", deepest)}
	return data.Object{data.Member("error", data.Object{data.Member("code", e.Code), data.Member("message", e.Message), data.Member("innererror", middle)})}
}
