package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// options are the contract's own marks, as the descriptor set declares them.
type options struct {
	graph, metadata, member protoreflect.ExtensionType
}

// load reads a serialized descriptor set twice: the second time with the contract's own options known.
func load(raw []byte) (*protoregistry.Files, *options, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(raw, set); err != nil {
		return nil, nil, fmt.Errorf("descriptor set: %w", err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, nil, fmt.Errorf("descriptor set: %w", err)
	}
	opts, known := &options{}, &protoregistry.Types{}
	for name, at := range map[protoreflect.FullName]*protoreflect.ExtensionType{
		"parley.v1.graph": &opts.graph, "parley.v1.metadata": &opts.metadata, "parley.v1.graph_member": &opts.member,
	} {
		found, err := files.FindDescriptorByName(name)
		if err != nil {
			return nil, nil, fmt.Errorf("option %s: %w", name, err)
		}
		extension, ok := found.(protoreflect.ExtensionDescriptor)
		if !ok {
			return nil, nil, fmt.Errorf("%s is not an option", name)
		}
		*at = dynamicpb.NewExtensionType(extension)
		if err := known.RegisterExtension(*at); err != nil {
			return nil, nil, fmt.Errorf("option %s: %w", name, err)
		}
	}
	if err := (proto.UnmarshalOptions{Resolver: known}).Unmarshal(raw, set); err != nil {
		return nil, nil, fmt.Errorf("descriptor set: %w", err)
	}
	files, err = protodesc.NewFiles(set)
	return files, opts, err
}

// properties returns the Graph properties that fill a field.
func (o *options) properties(fd protoreflect.FieldDescriptor) []string {
	v, ok := option(fd, o.graph)
	if !ok {
		return nil
	}
	list := v.List()
	names := make([]string, list.Len())
	for i := range names {
		names[i] = list.Get(i).String()
	}
	return names
}

// isMetadata reports whether EVENT_VIEW_METADATA keeps a field.
func (o *options) isMetadata(fd protoreflect.FieldDescriptor) bool {
	v, ok := option(fd, o.metadata)
	return ok && v.Bool()
}

// graphMember returns Graph's spelling of an enumeration value; empty if the value is Parley's own.
func (o *options) graphMember(value protoreflect.EnumValueDescriptor) string {
	v, ok := option(value, o.member)
	if !ok {
		return ""
	}
	return v.String()
}

// option returns the value of an option if the element has it.
func option(d protoreflect.Descriptor, of protoreflect.ExtensionType) (protoreflect.Value, bool) {
	set := d.Options().ProtoReflect()
	if !set.Has(of.TypeDescriptor()) {
		return protoreflect.Value{}, false
	}
	return set.Get(of.TypeDescriptor()), true
}
