package main

import (
	"fmt"
	"strings"
	"unicode"
)

const schemaPrefix = "#/components/schemas/"

// shortenNames gives schemas the names of their messages without the package: `Event` in place of `parley.v1.Event`.
func shortenNames(doc *document) error {
	short := object{}
	for name, schema := range doc.Components.Schemas {
		to := shortName(name)
		if short[to] != nil {
			return fmt.Errorf("two schemas are named %s without their packages", to)
		}
		short[to] = schema
	}
	doc.Components.Schemas = short
	for _, part := range []object{doc.Paths, doc.Components.Schemas, doc.Components.Responses} {
		eachObject(part, func(o object) {
			if to, refers := strings.CutPrefix(text(o["$ref"]), schemaPrefix); refers {
				o["$ref"] = schemaPrefix + shortName(to)
			}
		})
	}
	return nil
}

// shortName is the name of a message without its package.
func shortName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// operationName turns the generator's `EventService_ListEvents` into `listEvents`, which generators make a method of. An
// additional binding of an RPC is named after the resource that it reads below: `listConversationEvents`.
func operationName(id, path string) string {
	id, binding, _ := strings.Cut(id[strings.IndexByte(id, '_')+1:], "_")
	name := strings.ToLower(id[:1]) + id[1:]
	if binding == "" {
		return name
	}
	segments := strings.Split(path, "/")
	parent := ""
	for _, segment := range segments[:len(segments)-1] {
		if parameter, found := strings.CutPrefix(segment, "{"); found {
			parent, _, _ = strings.Cut(parameter, "}")
		}
	}
	if parent == "" {
		return name + "ByQuery" // the same path, with its fields as parameters in place of a body
	}
	verb := strings.IndexFunc(name, unicode.IsUpper)
	return name[:verb] + strings.ToUpper(parent[:1]) + parent[1:] + name[verb:]
}

// eachObject calls visit for every JSON object in value, the outer ones first.
func eachObject(value any, visit func(object)) {
	switch value := value.(type) {
	case inOrder:
		eachObject(value.members, visit)
	case object:
		if value == nil {
			return
		}
		visit(value)
		for _, member := range value {
			eachObject(member, visit)
		}
	case []any:
		for _, element := range value {
			eachObject(element, visit)
		}
	case []object:
		for _, element := range value {
			eachObject(element, visit)
		}
	}
}
