package view

import (
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// modelPackage is the package whose messages are recursed into; those of others (Timestamp, Duration) are values.
const modelPackage = "parley.v1"

// fieldSet is a set of fields of one message type: those that METADATA keeps, or those that a Mask selects.
type fieldSet struct {
	// kept maps each field of the set to the set of the fields inside it; nil where the field is kept whole.
	kept map[protoreflect.FieldNumber]*fieldSet
	// wire is how the values of these fields are encoded; lists of numbers may be packed too.
	wire map[protoreflect.FieldNumber]encoding
}

// encoding is the wire type of a field, and whether its values may be packed into one.
type encoding struct {
	kind   protowire.Type
	packed bool
}

// fits reports whether a value of the wire type is one of the field; others are unknown fields.
func (e encoding) fits(kind protowire.Type) bool {
	return kind == e.kind || e.packed && kind == protowire.BytesType
}

// encodingOf returns how a field is encoded.
func encodingOf(fd protoreflect.FieldDescriptor) encoding {
	e := encoding{packed: fd.IsList()}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return encoding{kind: protowire.BytesType}
	case protoreflect.FloatKind, protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		e.kind = protowire.Fixed32Type
	case protoreflect.DoubleKind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		e.kind = protowire.Fixed64Type
	default:
		e.kind = protowire.VarintType
	}
	return e
}

// compiled holds the set of every message type that has been seen, by its full name. Descriptors never change, so neither
// does an entry.
var compiled sync.Map

// metadataFields returns the fields of a message type that METADATA keeps.
func metadataFields(md protoreflect.MessageDescriptor) *fieldSet {
	if known, ok := compiled.Load(md.FullName()); ok {
		if m, ok := known.(*fieldSet); ok {
			return m
		}
	}
	m := compile(md, map[protoreflect.FullName]*fieldSet{})
	compiled.Store(md.FullName(), m)
	return m
}

// compile makes the set of a message type, and of the types inside its fields; known has the sets that are being made.
func compile(md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*fieldSet) *fieldSet {
	if m, ok := known[md.FullName()]; ok {
		return m
	}
	m := newFieldSet()
	known[md.FullName()] = m
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !isMarked(fd) {
			continue
		}
		m.kept[fd.Number()] = nil
		m.wire[fd.Number()] = encodingOf(fd)
		if inner := fd.Message(); inner != nil && !fd.IsMap() && inner.ParentFile().Package() == modelPackage {
			m.kept[fd.Number()] = compile(inner, known)
		}
	}
	return m
}

// isMarked reports whether a field has the option (parley.v1.metadata).
func isMarked(fd protoreflect.FieldDescriptor) bool {
	marked, _ := proto.GetExtension(fd.Options(), parleyv1.E_Metadata).(bool)
	return marked
}

// ShownInMetadata reports whether EVENT_VIEW_METADATA keeps the field at a path of proto or JSON names, such as copilot.app_class. Every field
// on the path must be marked. A path to no field is not kept.
func ShownInMetadata(md protoreflect.MessageDescriptor, path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if md == nil {
			return false
		}
		fd := md.Fields().ByTextName(part)
		if fd == nil {
			fd = md.Fields().ByJSONName(part)
		}
		if fd == nil || !isMarked(fd) {
			return false
		}
		md = fd.Message()
	}
	return true
}
