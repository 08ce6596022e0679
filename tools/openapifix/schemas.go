package main

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fixSchemas makes the schemas of messages ones that generators of clients read: no `oneOf` beside the properties that it
// chooses from, and `required` for what is always sent.
func fixSchemas(schemas object, methods map[string]protoreflect.MethodDescriptor) {
	eachMessage(methods, func(message protoreflect.MessageDescriptor) {
		schema := asObject(schemas[string(message.FullName())])
		if schema == nil {
			return
		}
		flattenOneof(schema, message)
		if names := alwaysSent(message); len(names) > 0 {
			schema["required"] = names
		}
	})
	for _, method := range methods {
		if frame := asObject(schemas[string(method.Output().FullName())]); method.IsStreamingServer() && frame != nil {
			addErrorLine(frame)
		}
	}
}

// eachMessage calls visit once for every message that methods receive or send.
func eachMessage(methods map[string]protoreflect.MethodDescriptor, visit func(protoreflect.MessageDescriptor)) {
	seen := map[protoreflect.FullName]bool{}
	var walk func(message protoreflect.MessageDescriptor)
	walk = func(message protoreflect.MessageDescriptor) {
		if seen[message.FullName()] {
			return
		}
		seen[message.FullName()] = true
		visit(message)
		for i := range message.Fields().Len() {
			if field := message.Fields().Get(i); field.Message() != nil {
				walk(field.Message())
			}
		}
	}
	for _, method := range methods {
		walk(method.Input())
		walk(method.Output())
	}
}

// flattenOneof removes the generator's `oneOf`, whose branches repeat the properties, and says in words that at most one of
// them is set. Generators make a class for each branch and lose the rest of the message.
func flattenOneof(schema object, message protoreflect.MessageDescriptor) {
	properties := asObject(schema["properties"])
	branches, _ := schema["oneOf"].([]any)
	for _, branch := range branches {
		for name, property := range asObject(asObject(branch)["properties"]) {
			if properties[name] == nil {
				properties[name] = property
			}
		}
	}
	delete(schema, "oneOf")
	for i := range message.Oneofs().Len() {
		oneof := message.Oneofs().Get(i)
		if oneof.IsSynthetic() {
			continue
		}
		names := make([]string, oneof.Fields().Len())
		for j := range names {
			names[j] = "`" + oneof.Fields().Get(j).JSONName() + "`"
		}
		schema["description"] = strings.TrimSpace(text(schema["description"]) + " At most one of " + strings.Join(names, ", ") + " is set.")
	}
}

// alwaysSent names the properties that every JSON object of the message has. In answers and frames these are lists, booleans and
// numbers; in resources, the name.
func alwaysSent(message protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if isAnswer(message) && writtenEmpty(field) || isIdentifier(field) {
			names = append(names, field.JSONName())
		}
	}
	return names
}

// isAnswer reports whether the gateway writes the message's empty lists, false and zero: those of the service files and of
// answer.proto.
func isAnswer(message protoreflect.MessageDescriptor) bool {
	path := message.ParentFile().Path()
	return path == "parley/v1/answer.proto" || strings.HasPrefix(path, "parley/v1/") && strings.HasSuffix(path, "_service.proto")
}

func writtenEmpty(field protoreflect.FieldDescriptor) bool {
	number := []protoreflect.Kind{
		protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
	}
	return field.IsList() || !field.HasPresence() && slices.Contains(number, field.Kind())
}

func isIdentifier(field protoreflect.FieldDescriptor) bool {
	behaviors, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behaviors, annotations.FieldBehavior_IDENTIFIER)
}

// addErrorLine adds the property of the line that ends a failed stream over REST.
func addErrorLine(schema object) {
	properties := asObject(schema["properties"])
	if properties == nil {
		properties = object{}
		schema["properties"] = properties
	}
	properties["error"] = object{
		"$ref":        errorPath,
		"description": "Over REST, the last line of a stream that failed, alone in its line. It is no frame of gRPC.",
	}
}
