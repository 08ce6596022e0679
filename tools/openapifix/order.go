package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// inOrder is a JSON object that is written with its members in the order of names; members without a name come last.
type inOrder struct {
	names   []string
	members object
}

// MarshalJSON implements json.Marshaler.
func (o inOrder) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	separator := byte('{')
	write := func(name string) error {
		out.WriteByte(separator)
		separator = ','
		if err := encoder.Encode(name); err != nil {
			return err
		}
		out.WriteByte(':')
		return encoder.Encode(o.members[name])
	}
	rest := maps.Clone(o.members)
	for _, name := range o.names {
		if _, there := rest[name]; !there {
			continue
		}
		delete(rest, name)
		if err := write(name); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		if err := write(name); err != nil {
			return nil, err
		}
	}
	if separator == '{' {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// orderProperties gives the properties of every message that the methods use the order of its fields, which is the order
// in which the contract explains them.
func orderProperties(schemas object, methods map[string]protoreflect.MethodDescriptor) {
	seen := map[protoreflect.FullName]bool{}
	var visit func(md protoreflect.MessageDescriptor)
	visit = func(md protoreflect.MessageDescriptor) {
		if seen[md.FullName()] {
			return
		}
		seen[md.FullName()] = true
		names := make([]string, md.Fields().Len())
		for i := range names {
			field := md.Fields().Get(i)
			names[i] = field.JSONName()
			if field.Message() != nil {
				visit(field.Message())
			}
		}
		schema := asObject(schemas[string(md.FullName())])
		if properties := asObject(schema["properties"]); len(properties) > 0 {
			schema["properties"] = inOrder{names: names, members: properties}
		}
	}
	for _, method := range methods {
		visit(method.Input())
		visit(method.Output())
	}
}
