package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const description = `One API over the conversation data of Microsoft 365 tenants: Teams chats and messages, Copilot interactions,
call records and the Copilot usage report.

JSON is protojson's: lowerCamelCase names, 64-bit integers as strings, enums by name. Query parameters take lowerCamelCase or
snake_case. A stream answers one JSON frame per line and ends with a summary frame or an error line; a stream without either was cut.`

// finish turns the joined document into the one that is served.
func finish(doc *document, methods map[string]protoreflect.MethodDescriptor, errorPage []byte, examples object) error {
	if err := describe(doc, errorPage); err != nil {
		return err
	}
	if err := finishPaths(doc, methods, examples); err != nil {
		return err
	}
	fixSchemas(doc.Components.Schemas, methods)
	doc.Components.Schemas = usedSchemas(doc.Paths, doc.Components.Responses, doc.Components.Schemas)
	orderProperties(doc.Components.Schemas, methods)
	return shortenNames(doc)
}

// describe fills in what the document says beside its paths: who speaks, how callers are known, headers, errors and their reasons.
func describe(doc *document, errorPage []byte) error {
	doc.Info = object{
		"title": "Parley", "version": "v1", "description": description,
		"contact": object{"name": "Parley", "url": "https://github.com/parley-gateway/parley"},
	}
	doc.Servers = []object{{"url": "/", "description": "The gateway that serves this document."}}
	doc.Security = []object{{"bearer": []string{}}, {}}
	doc.Components.SecuritySchemes = object{
		"bearer": object{
			"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
			"description": "Access token of the caller's identity provider. A gateway may take a client certificate (mutual TLS) in its place.",
		},
	}
	doc.Components.Headers = headers()
	doc.Components.Parameters = headerParameters()
	responses, err := errorResponses(errorPage)
	if err != nil {
		return err
	}
	doc.Components.Responses = responses
	doc.Reasons = reasons(errorPage)
	doc.Components.Schemas[errorName] = errorSchema()
	doc.Components.Schemas[detailName] = detailSchema()
	slices.SortFunc(doc.Tags, func(a, b object) int { return strings.Compare(text(a["name"]), text(b["name"])) })
	return nil
}

// finishPaths gives each path and operation its final name, parameters, headers, answers and example.
func finishPaths(doc *document, methods map[string]protoreflect.MethodDescriptor, examples object) error {
	paths := object{}
	for path, item := range doc.Paths {
		newPath, renamed := renameParameters(path)
		for verb, op := range asObject(item) {
			operation := asObject(op)
			id := operationSuffix.ReplaceAllString(text(operation["operationId"]), "")
			method, known := methods[id]
			if !known {
				return fmt.Errorf("%s %s: no RPC for operation %q", verb, path, id)
			}
			operation["operationId"] = operationName(text(operation["operationId"]), newPath)
			operation[rpcExtension] = rpc(method, newPath)
			fixSummary(operation)
			fixParameters(operation, method, renamed, doc.Components.Schemas)
			addHeaders(operation, method)
			fixResponses(operation, method)
			addExample(operation, examples)
		}
		if _, twice := paths[newPath]; twice {
			return fmt.Errorf("path %s comes twice", newPath)
		}
		paths[newPath] = item
	}
	doc.Paths = paths
	return nil
}

// fixSummary leaves the first sentence of an RPC's comment as its summary and moves the whole to the description.
func fixSummary(operation object) {
	comment := text(operation["summary"])
	if more := text(operation["description"]); more != "" {
		comment += "\n\n" + more
	}
	operation["description"] = comment
	flat := strings.Join(strings.Fields(comment), " ")
	if first, rest, several := strings.Cut(flat, ". "); several && rest != "" {
		operation["summary"] = first + "."
	}
}

// usedSchemas returns the schemas that paths and responses refer to, directly or through other schemas.
func usedSchemas(paths, responses, schemas object) object {
	used := object{}
	var visit func(value any)
	visit = func(value any) {
		switch value := value.(type) {
		case object:
			if name := strings.TrimPrefix(text(value["$ref"]), "#/components/schemas/"); schemas[name] != nil && used[name] == nil {
				used[name] = schemas[name]
				visit(schemas[name])
			}
			for _, member := range value {
				visit(member)
			}
		case []any:
			for _, element := range value {
				visit(element)
			}
		}
	}
	visit(paths)
	visit(responses)
	return used
}

// operationSuffix numbers the additional bindings of an RPC.
var operationSuffix = regexp.MustCompile(`_\d+$`)

// resources names and describes the path parameter that follows a collection's segment.
var resources = map[string]struct{ name, description string }{
	"users":         {"user", "Entra object id, user principal name, or `me`. For events also `-`, the whole tenant (call records only)."},
	"conversations": {"conversation", "Last segment of a conversation's name, or a raw chat id, percent-encoded or not."},
	"events":        {"event", "Last segment of an event's name."},
}

var pathParameter = regexp.MustCompile(`^\{(.*)\}(:[a-z]+)?$`)

// renameParameters gives each path parameter the name of its resource and returns the old names' new ones.
func renameParameters(path string) (newPath string, renamed map[string]string) {
	renamed = map[string]string{}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		match := pathParameter.FindStringSubmatch(segment)
		if match == nil || i == 0 {
			continue
		}
		if resource, known := resources[segments[i-1]]; known {
			renamed[match[1]] = resource.name
			segments[i] = "{" + resource.name + "}" + match[2]
		}
	}
	return strings.Join(segments, "/"), renamed
}

// fixParameters corrects the parameters of an operation: the names of path parameters, and the values and limits of query parameters.
func fixParameters(operation object, method protoreflect.MethodDescriptor, renamed map[string]string, schemas object) {
	parameters, _ := operation["parameters"].([]any)
	for _, p := range parameters {
		parameter := asObject(p)
		name := text(parameter["name"])
		if parameter["in"] == "path" {
			if newName, known := renamed[name]; known {
				parameter["name"] = newName
				parameter["schema"] = object{"type": "string", "minLength": 1}
				for _, resource := range resources {
					if resource.name == newName {
						parameter["description"] = resource.description
					}
				}
			}
			continue
		}
		schema := namedEnum(asObject(parameter["schema"]), schemas)
		if items, isList := schema["items"].(object); isList {
			schema["items"] = namedEnum(items, schemas)
		}
		if field := method.Input().Fields().ByJSONName(name); field != nil {
			addRules(schema, field)
		}
		parameter["schema"] = schema
	}
}

// namedEnum replaces a reference to an enum by its values without the zero value: a query leaves the parameter out instead.
func namedEnum(schema, schemas object) object {
	target := asObject(schemas[strings.TrimPrefix(text(schema["$ref"]), "#/components/schemas/")])
	values, isEnum := target["enum"].([]any)
	if !isEnum {
		return schema
	}
	copied := maps.Clone(target)
	delete(copied, "description")
	copied["enum"] = slices.DeleteFunc(slices.Clone(values), func(value any) bool {
		return strings.HasSuffix(text(value), "_UNSPECIFIED")
	})
	return copied
}

func asObject(value any) object {
	o, _ := value.(object)
	return o
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
