package graphsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// graphError is a refusal in Graph's own shape.
type graphError struct {
	status        int
	code, message string
	header        http.Header
	inner         data.Object // additional members of innerError
}

func (e *graphError) Error() string { return e.code + ": " + e.message }

func badRequest(format string, args ...any) *graphError {
	return &graphError{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf(format, args...)}
}

func unknownSegment(name string) *graphError {
	return badRequest("Resource not found for the segment '%s'.", name)
}

func unauthorized(message string) *graphError {
	return &graphError{
		status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: message,
		header: http.Header{"Www-Authenticate": {`Bearer realm="", client_id="00000003-0000-0000-c000-000000000000"`}},
	}
}

// missingRoles is the refusal of the Teams, Copilot and call record services.
func missingRoles(want, have []string) *graphError {
	return &graphError{
		status: http.StatusForbidden, code: "Forbidden",
		message: "Missing role permissions on the request. API requires one of '" + strings.Join(want, ", ") + "'. Roles on the request '" + strings.Join(have, ", ") + "'",
	}
}

// notInDirectory is the refusal of an unknown user.
func notInDirectory(id string) *graphError {
	return &graphError{
		status: http.StatusNotFound, code: "Request_ResourceNotFound",
		message: "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present.",
	}
}

func notFound(message string) *graphError {
	return &graphError{status: http.StatusNotFound, code: "NotFound", message: message}
}

// body is the error object; Graph writes the date without an offset.
func (e *graphError) body(requestID, clientRequestID string, now time.Time) data.Object {
	inner := append(data.Object{}, e.inner...)
	inner = append(inner,
		member("date", now.UTC().Format("2006-01-02T15:04:05")),
		member("request-id", requestID),
		member("client-request-id", clientRequestID),
	)
	return data.Object{member("error", data.Object{member("code", e.code), member("message", e.message), member("innerError", inner)})}
}

// member is one member of a JSON object.
func member(name string, value any) data.Field { return data.Field{Key: name, Value: value} }
