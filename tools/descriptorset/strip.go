package main

import (
	"fmt"
	"slices"

	_ "google.golang.org/genproto/googleapis/rpc/code"       // registers google/rpc/code.proto
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // registers google/rpc/error_details.proto
	_ "google.golang.org/genproto/googleapis/rpc/status"     // registers google/rpc/status.proto
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// privateFiles declare the options that the public set leaves out; the files themselves are left out too.
var privateFiles = []string{"buf/validate/validate.proto", "parley/v1/options.proto"}

// errorFiles are the files of google.rpc that errors are made of: the Status of an RPC and of a JSON body, its details, its codes.
var errorFiles = []string{"google/rpc/status.proto", "google/rpc/error_details.proto", "google/rpc/code.proto"}

// Field numbers of google.protobuf.FileDescriptorProto.
const (
	fileDependency       = 3
	filePublicDependency = 10
	fileWeakDependency   = 11
)

// parse reads a descriptor set and keeps every option as the bytes that it came in, whatever this program links.
func parse(raw []byte) (*descriptorpb.FileDescriptorSet, error) {
	set := new(descriptorpb.FileDescriptorSet)
	return set, proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}.Unmarshal(raw, set)
}

// addErrorDetails appends the files of google.rpc, after all that they import.
func addErrorDetails(set *descriptorpb.FileDescriptorSet) error {
	for _, path := range errorFiles {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		add(set, file)
	}
	return nil
}

func add(set *descriptorpb.FileDescriptorSet, file protoreflect.FileDescriptor) {
	if slices.ContainsFunc(set.GetFile(), func(f *descriptorpb.FileDescriptorProto) bool { return f.GetName() == file.Path() }) {
		return
	}
	for i := range file.Imports().Len() {
		add(set, file.Imports().Get(i))
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}

// strip removes the private files, their imports, and every option that they declare.
func strip(set *descriptorpb.FileDescriptorSet) {
	private := make(map[protoreflect.FieldNumber]bool)
	for _, file := range set.GetFile() {
		if slices.Contains(privateFiles, file.GetName()) {
			for _, extension := range file.GetExtension() {
				private[protoreflect.FieldNumber(extension.GetNumber())] = true
			}
		}
	}
	set.File = slices.DeleteFunc(set.GetFile(), func(file *descriptorpb.FileDescriptorProto) bool {
		return slices.Contains(privateFiles, file.GetName())
	})
	for _, file := range set.GetFile() {
		stripImports(file)
		stripOptions(file.ProtoReflect(), private)
		stripLocations(file.GetSourceCodeInfo(), private)
	}
}

// stripImports removes the imports of private files. No file of the contract re-exports an import, so there are no other
// indexes into the list.
func stripImports(file *descriptorpb.FileDescriptorProto) {
	file.Dependency = slices.DeleteFunc(file.GetDependency(), func(path string) bool { return slices.Contains(privateFiles, path) })
}

// stripOptions removes the private options of m and of everything in it.
func stripOptions(m protoreflect.Message, private map[protoreflect.FieldNumber]bool) {
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		m.SetUnknown(without(unknown, private))
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				stripOptions(value.List().Get(i).Message(), private)
			}
		default:
			stripOptions(value.Message(), private)
			if field.Name() == "options" && proto.Size(value.Message().Interface()) == 0 {
				m.Clear(field)
			}
		}
		return true
	})
}

// without returns the fields of raw whose numbers are not private.
func without(raw []byte, private map[protoreflect.FieldNumber]bool) []byte {
	var rest []byte
	for len(raw) > 0 {
		number, _, size := protowire.ConsumeField(raw)
		if size < 0 {
			return append(rest, raw...) // proto.Unmarshal has accepted it: this does not happen
		}
		if !private[number] {
			rest = append(rest, raw[:size]...)
		}
		raw = raw[size:]
	}
	return rest
}

// stripLocations removes the source locations of imports, whose indexes have moved, and of private options.
func stripLocations(info *descriptorpb.SourceCodeInfo, private map[protoreflect.FieldNumber]bool) {
	if info == nil {
		return
	}
	info.Location = slices.DeleteFunc(info.GetLocation(), func(location *descriptorpb.SourceCodeInfo_Location) bool {
		path := location.GetPath()
		if len(path) > 0 && (path[0] == fileDependency || path[0] == filePublicDependency || path[0] == fileWeakDependency) {
			return true
		}
		return slices.ContainsFunc(path, func(step int32) bool { return private[protoreflect.FieldNumber(step)] })
	})
}
