package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fixResponses describes the answers as the gateway gives them: one JSON object, a stream of frames, or a raw body.
func fixResponses(operation object, method protoreflect.MethodDescriptor) {
	output := method.Output()
	answer := object{}
	switch {
	case output.FullName() == "google.api.HttpBody":
		answer["description"] = "The report as Graph gives it, a line per user."
		answer["content"] = object{"text/csv": object{"schema": object{"type": "string"}}}
	case method.IsStreamingServer():
		frame := object{"$ref": schemaPath(output)}
		line := object{"oneOf": []any{frame, object{
			"type":        "object",
			"description": "The last line of a stream that failed.",
			"properties":  object{"error": object{"$ref": errorPath}},
			"required":    []any{"error"},
		}}}
		answer["description"] = "One frame per line; the last is the summary or an error."
		answer["content"] = object{"application/x-ndjson": object{"schema": line}}
	default:
		old := asObject(asObject(operation["responses"])["200"])
		answer["description"] = old["description"]
		answer["content"] = object{"application/json": object{"schema": object{"$ref": schemaPath(output)}}}
	}
	answer["headers"] = references("x-request-id", "cache-status", "age")
	responses := object{
		"200": answer,
		"default": object{
			"description": "An error: `details` holds a google.rpc.ErrorInfo, and a google.rpc.RetryInfo if a repetition may help.",
			"headers":     references("x-request-id", "retry-after"),
			"content": object{"application/json": object{
				"schema": object{"$ref": errorPath},
			}},
		},
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

// The errors of REST: a google.rpc.Status with the name of its code and its reason in the open.
const (
	errorName = "parley.v1.Error"
	errorPath = "#/components/schemas/" + errorName
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
				"items": object{"type": "object", "additionalProperties": true, "properties": object{"@type": object{"type": "string"}}},
			},
		},
	}
}

func schemaPath(message protoreflect.MessageDescriptor) string {
	return "#/components/schemas/" + string(message.FullName())
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
