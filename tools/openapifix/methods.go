package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
)

// readMethods returns the RPCs of a descriptor set by the operation id that the generator gives them: Service_Method.
func readMethods(path string) (map[string]protoreflect.MethodDescriptor, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	methods := map[string]protoreflect.MethodDescriptor{}
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for s := range file.Services().Len() {
			service := file.Services().Get(s)
			for m := range service.Methods().Len() {
				method := service.Methods().Get(m)
				methods[string(service.Name())+"_"+string(method.Name())] = method
			}
		}
		return true
	})
	return methods, nil
}

// addRules writes the validation rules of a request field into the schema of its parameter.
func addRules(schema object, field protoreflect.FieldDescriptor) {
	rules, ok := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	if !ok || rules == nil {
		return
	}
	if text := rules.GetString(); text != nil {
		if text.HasMaxLen() {
			schema["maxLength"] = text.GetMaxLen()
		} else if text.HasMaxBytes() {
			// A text has at most as many characters as bytes.
			schema["maxLength"] = text.GetMaxBytes()
		}
		if in := withoutEmpty(text.GetIn()); len(in) > 0 {
			schema["enum"] = in
		}
	}
	if number := rules.GetInt32(); number != nil {
		if number.HasGte() {
			schema["minimum"] = number.GetGte()
		}
		if number.HasLte() {
			schema["maximum"] = number.GetLte()
		}
	}
	if list := rules.GetRepeated(); list != nil {
		if list.HasMaxItems() {
			schema["maxItems"] = list.GetMaxItems()
		}
		if list.GetUnique() {
			schema["uniqueItems"] = true
		}
	}
	if items, isList := schema["items"].(object); isList && field.Enum() != nil {
		keepNumbers(items, field.Enum(), rules.GetRepeated().GetItems().GetEnum().GetIn())
	}
}

// keepNumbers narrows an enum's schema to the values that the rules allow; no numbers = all.
func keepNumbers(schema object, enum protoreflect.EnumDescriptor, numbers []int32) {
	if len(numbers) == 0 {
		return
	}
	names := make([]any, 0, len(numbers))
	for _, number := range numbers {
		if value := enum.Values().ByNumber(protoreflect.EnumNumber(number)); value != nil {
			names = append(names, string(value.Name()))
		}
	}
	schema["enum"] = names
}

// withoutEmpty drops the empty string, which stands for an absent parameter.
func withoutEmpty(values []string) []string {
	var kept []string
	for _, value := range values {
		if value != "" {
			kept = append(kept, value)
		}
	}
	return kept
}
