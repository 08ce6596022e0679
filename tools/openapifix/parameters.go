package main

import (
	"google.golang.org/protobuf/reflect/protoreflect"
)

// headerParameters are the request headers that operations read, by the name of their component.
func headerParameters() object {
	header := func(name, description string, schema object) object {
		return object{"name": name, "in": "header", "description": description, "schema": schema}
	}
	str := func(example string) object { return object{"type": "string", "example": example} }
	return object{
		"CacheControl": header("Cache-Control", "How fresh the answer must be: `no-cache`, `max-age=SECONDS` or `only-if-cached` (RFC 9111).", str("max-age=60")),
		"Fields": object{
			"name": "fields", "in": "query",
			"description": "Fields of each resource to return: names joined by dots, in either spelling, separated by commas; `*` or none = all of the view. " +
				"What the answer says beside its resources is always there. The header `Parley-Fields` is the same.",
			"schema": object{"type": "string", "example": "name"},
		},
		"GrpcTimeout":  header("Grpc-Timeout", "Deadline of the call: a number of up to 8 digits and a unit (`H`, `M`, `S`, `m`, `u`, `n`).", str("20S")),
		"IfNoneMatch":  header("If-None-Match", "Tags of answers that the caller holds; 304 when one of them is the answer (RFC 9110).", str(`W/"c2FtcGxl"`)),
		"LastEventID":  header("Last-Event-ID", "Token to resume a stream from, as browsers send it when they reconnect; `resumeToken` comes first.", object{"type": "string"}),
		"ParleyReason": header("Parley-Reason", "Why the data is read, for the audit record.", str("case 4711")),
		"ParleyTenant": header("Parley-Tenant", "Alias of the tenant to read, where the gateway serves several.", str("contoso")),
		"XRequestID":   header("X-Request-Id", "Id of the request in logs and audit; the answer repeats it, or names one of the gateway's own.", str("4f1c2a")),
	}
}

// addHeaders lets an operation take the request headers that it reads.
func addHeaders(operation object, method protoreflect.MethodDescriptor) {
	names := []string{"CacheControl", "GrpcTimeout", "ParleyReason", "ParleyTenant", "XRequestID"}
	switch {
	case !method.IsStreamingServer():
		names = append(names, "IfNoneMatch")
	case method.Output().FullName() != "google.api.HttpBody":
		names = append(names, "LastEventID")
	}
	if method.Output().FullName() != "google.api.HttpBody" {
		names = append(names, "Fields")
	}
	parameters, _ := operation["parameters"].([]any)
	for _, name := range names {
		parameters = append(parameters, object{"$ref": "#/components/parameters/" + name})
	}
	operation["parameters"] = parameters
}
