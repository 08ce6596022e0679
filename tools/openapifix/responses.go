package main

import (
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fixResponses describes the answers as the gateway gives them: one JSON object, a stream of frames, or a raw body.
func fixResponses(operation object, method protoreflect.MethodDescriptor) {
	output := method.Output()
	answer := object{}
	switch {
	case output.FullName() == "google.api.HttpBody":
		answer["description"], answer["content"] = rawBody(method)
	case method.IsStreamingServer():
		answer["description"] = "As `application/x-ndjson`, one frame per line; the last line is the summary or an error. As `text/event-stream`, one event " +
			"per frame, named after the frame's property (`failure` for an error), with the token of a checkpoint or summary as its id."
		answer["content"] = object{
			"application/x-ndjson": object{"schema": object{"$ref": schemaPath(output)}},
			"text/event-stream":    object{"schema": object{"type": "string"}},
		}
	default:
		old := asObject(asObject(operation["responses"])["200"])
		answer["description"] = old["description"]
		answer["content"] = object{"application/json": object{"schema": object{"$ref": schemaPath(output)}}}
	}
	answer["headers"] = references("x-request-id", "cache-status", "age")
	responses := object{"200": answer, "default": object{"$ref": "#/components/responses/Error"}}
	for code, status := range statuses {
		responses[code] = object{"$ref": "#/components/responses/" + status.name}
	}
	if !method.IsStreamingServer() {
		answer["headers"] = references("x-request-id", "cache-status", "age", "etag")
		responses["304"] = object{
			"description": "The answer is the one that If-None-Match names; there is no body.",
			"headers":     references("x-request-id", "cache-status", "age", "etag"),
		}
	}
	operation["responses"] = responses
}

// rawBody describes the body of a download.
func rawBody(method protoreflect.MethodDescriptor) (description string, content object) {
	if method.Input().Fields().ByName("period") != nil {
		return "The report as Graph gives it.", object{"text/csv": object{"schema": object{"type": "string"}}}
	}
	bytes := object{"schema": object{"type": "string", "format": "binary"}}
	return "The bytes as Graph gives them: a picture to be shown, or anything else to be saved.", object{"image/*": bytes, "application/octet-stream": bytes}
}

// statuses words the HTTP statuses of errors; the reasons of each come from the handbook. 499 and 501 are not listed: nobody
// reads the first, and no operation of the document answers the second.
var statuses = map[string]struct{ name, description string }{
	"400": {"BadRequest", "A parameter or header is wrong, or the call asks for something that does not exist here."},
	"401": {"Unauthenticated", "There is no valid access token or certificate."},
	"402": {"PaymentRequired", "Microsoft asks for a licence or a payment; a repetition does not help."},
	"403": {"Forbidden", "The policy denies the call, or Microsoft Graph refuses it."},
	"404": {"NotFound", "There is no such thing for this caller."},
	"429": {"TooManyRequests", "The limit of the caller or of Graph is used up; `Retry-After` says when to repeat."},
	"500": {"Internal", "The answer of Graph, or the gateway itself, is at fault."},
	"502": {"BadGateway", "The gateway's own credential is refused."},
	"503": {"Unavailable", "Graph or the gateway cannot answer now; `Retry-After` says when to repeat."},
	"504": {"GatewayTimeout", "There was nothing to answer before the deadline, or in the cache."},
}

// reasonRow is a row of the handbook's table of reasons: code, REST status, reason.
var reasonRow = regexp.MustCompile("(?m)^\\| [A-Z_]+ \\| (\\d{3}) \\| `([A-Z_]+)` \\|")

// errorResponses are the components of all statuses, whose bodies are alike. page is the handbook's page on errors.
func errorResponses(page []byte) (object, error) {
	reasons := map[string][]string{}
	for _, row := range reasonRow.FindAllSubmatch(page, -1) {
		reasons[string(row[1])] = append(reasons[string(row[1])], "`"+string(row[2])+"`")
	}
	responses := object{"Error": errorResponse("Any other error.")}
	for code, status := range statuses {
		if len(reasons[code]) == 0 {
			return nil, fmt.Errorf("the page on errors has no reason with status %s", code)
		}
		responses[status.name] = errorResponse(status.description + " Reasons: " + strings.Join(reasons[code], ", ") + ".")
	}
	return responses, nil
}

func errorResponse(description string) object {
	return object{
		"description": description,
		"headers":     references("x-request-id", "retry-after"),
		"content":     object{"application/json": object{"schema": object{"$ref": errorPath}}},
	}
}

// The errors of REST: a google.rpc.Status with the name of its code and its reason in the open.
const (
	errorName  = "ApiError"
	errorPath  = schemaPrefix + errorName
	detailName = "ErrorDetail"
)

func errorSchema() object {
	return object{
		"type":        "object",
		"description": "A google.rpc.Status with the name of its code and the reason of its ErrorInfo beside the code.",
		"required":    []any{"code", "status", "reason", "message", "details"},
		"properties": object{
			"code":    object{"type": "integer", "format": "int32", "description": "Number of the google.rpc.Code."},
			"status":  object{"type": "string", "description": "Name of the google.rpc.Code, such as `NOT_FOUND`."},
			"reason":  object{"type": "string", "description": "Stable reason, such as `USER_ID_REQUIRED`; branch on it."},
			"message": object{"type": "string", "description": "What happened, for people."},
			"details": object{
				"type": "array", "description": "Messages of google.rpc: ErrorInfo, and where they apply BadRequest and RetryInfo.",
				"items": object{"$ref": schemaPrefix + detailName},
			},
		},
	}
}

func detailSchema() object {
	return object{
		"type": "object", "additionalProperties": true,
		"description": "One message of google.rpc: `reason`, `domain` and `metadata` of an ErrorInfo, `fieldViolations` of a BadRequest, `retryDelay` of a RetryInfo.",
		"properties":  object{"@type": object{"type": "string", "description": "Type of the message, such as `type.googleapis.com/google.rpc.ErrorInfo`."}},
	}
}

func schemaPath(message protoreflect.MessageDescriptor) string {
	return schemaPrefix + string(message.FullName())
}

func references(names ...string) object {
	refs := object{}
	for _, name := range names {
		refs[name] = object{"$ref": "#/components/headers/" + name}
	}
	return refs
}

// headers are the answer headers that every operation has.
func headers() object {
	header := func(description, kind string) object {
		return object{"description": description, "schema": object{"type": kind}}
	}
	return object{
		"x-request-id": header("Id of the request in logs and audit, the caller's own if one was sent.", "string"),
		"cache-status": header("How the cache took part (RFC 9211).", "string"),
		"age":          header("Age of the oldest cached page in the answer, in seconds (RFC 9111).", "integer"),
		"etag":         header("Weak tag of the answer, for If-None-Match (RFC 9110).", "string"),
		"retry-after":  header("Seconds to wait before the request is repeated (RFC 9110).", "integer"),
	}
}
