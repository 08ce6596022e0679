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
	eachMessage(methods, func(message protoreflect.MessageDescriptor) {
		names := make([]string, message.Fields().Len())
		for i := range names {
			names[i] = message.Fields().Get(i).JSONName()
		}
		schema := asObject(schemas[string(message.FullName())])
		if properties := asObject(schema["properties"]); len(properties) > 0 {
			schema["properties"] = inOrder{names: names, members: properties}
		}
	})
}
