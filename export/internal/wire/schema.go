package wire

import (
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// schema is what reading and writing a type of messages needs of its descriptor.
type schema struct {
	descriptor protoreflect.MessageDescriptor
	fields     []field // in the order of their declaration
	numbers    []int16 // by field number, the index in fields plus one; 0 = there is no such field

	// appendJSON appends the JSON of a message whose type has a JSON of its own; nil for all others, which are written field by field.
	appendJSON appendFunc
}

type appendFunc func(to []byte, s *schema, wire []byte, depth int) ([]byte, error)

// field is a field of a type of messages.
type field struct {
	name     string // in JSON, with quotes and a colon
	kind     protoreflect.Kind
	wireType protowire.Type // of one value; a packed list has BytesType
	list     bool
	presence bool                               // zero and unset are not the same
	oneof    int                                // index in the message; -1 = none
	enum     map[protoreflect.EnumNumber]string // names of members, with quotes; nil for other kinds
	message  func() *schema                     // nil for other kinds
}

// accepts reports whether values of the field may have a wire type.
func (f *field) accepts(wireType protowire.Type) bool {
	return wireType == f.wireType || wireType == protowire.BytesType && f.list
}

// isZero reports whether a value is the zero value of the field. Of a varint, fields of 32 bits have the lower half alone.
func (f *field) isZero(v value) bool {
	switch f.kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind, protoreflect.EnumKind:
		return uint32(v.bits) == 0
	default:
		return v.bits == 0 && len(v.bytes) == 0
	}
}

// index returns the index of the field with a number; -1 = there is none.
func (s *schema) index(number protowire.Number) int {
	if number < 0 || int(number) >= len(s.numbers) {
		return -1
	}
	return int(s.numbers[number]) - 1
}

// schemas has the schemas that were made, by descriptor.
var schemas sync.Map

// schemaOf returns the schema of a type, which is made if need be.
func schemaOf(descriptor protoreflect.MessageDescriptor) *schema {
	if known, ok := schemas.Load(descriptor); ok {
		if s, ok := known.(*schema); ok {
			return s
		}
	}
	s := newSchema(descriptor)
	schemas.Store(descriptor, s)
	return s
}

// numberLimit is above the numbers of all fields of the API. It bounds schema.numbers.
const numberLimit = 1 << 12

// newSchema makes a schema. Types with maps, groups or larger numbers are left to protojson; events have none.
func newSchema(descriptor protoreflect.MessageDescriptor) *schema {
	s := &schema{descriptor: descriptor, appendJSON: wellKnown(descriptor)}
	if s.appendJSON != nil {
		return s
	}
	declared := descriptor.Fields()
	for i := range declared.Len() {
		d := declared.Get(i)
		f := field{name: `"` + d.JSONName() + `":`, kind: d.Kind(), wireType: wireTypeOf(d.Kind()), list: d.IsList(), presence: d.HasPresence(), oneof: -1}
		if d.IsMap() || d.Kind() == protoreflect.GroupKind || d.Number() >= numberLimit {
			s.appendJSON = byProtojson
			return s
		}
		if oneof := d.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
			f.oneof = oneof.Index()
		}
		if d.Kind() == protoreflect.EnumKind {
			f.enum = memberNames(d.Enum())
		}
		if d.Kind() == protoreflect.MessageKind {
			f.message = sync.OnceValue(func() *schema { return schemaOf(d.Message()) }) // later: types may contain themselves
		}
		for len(s.numbers) <= int(d.Number()) {
			s.numbers = append(s.numbers, 0)
		}
		s.fields = append(s.fields, f)
		s.numbers[d.Number()] = int16(len(s.fields))
	}
	return s
}

// memberNames returns the names of the members of an enum, with quotes. Of aliases the first one counts.
func memberNames(enum protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	all := map[protoreflect.EnumNumber]string{}
	values := enum.Values()
	for i := range values.Len() {
		if _, alias := all[values.Get(i).Number()]; !alias {
			all[values.Get(i).Number()] = `"` + string(values.Get(i).Name()) + `"`
		}
	}
	return all
}

// wireTypeOf returns the wire type of one value of a kind.
func wireTypeOf(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return protowire.BytesType
	default:
		return protowire.VarintType
	}
}
