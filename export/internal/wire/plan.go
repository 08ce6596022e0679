package wire

import (
	"math"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is what is to be known of a type of messages.
type plan struct {
	descriptor protoreflect.MessageDescriptor
	fields     []field
	numbers    []int16 // index of the field of a number, plus one; 0 = none
	special    func(to []byte, p *plan, wire []byte, depth int) ([]byte, error)
}

// field is a field of a type of messages.
type field struct {
	name     string // with quotes and a colon
	kind     protoreflect.Kind
	wire     protowire.Type
	list     bool
	presence bool
	oneof    int // index in the message; -1 = none
	enum     map[protoreflect.EnumNumber]string
	message  func() *plan
}

// takes reports whether values of the field have a wire type.
func (f *field) takes(kind protowire.Type) bool {
	return kind == f.wire || kind == protowire.BytesType && f.list
}

// significant are the bits of a number that count for the field.
func (f *field) significant(number uint64) uint64 {
	switch f.kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Uint32Kind, protoreflect.EnumKind:
		return number & math.MaxUint32
	default:
		return number
	}
}

func (p *plan) index(number protowire.Number) int {
	if number < 0 || int(number) >= len(p.numbers) {
		return -1
	}
	return int(p.numbers[number]) - 1
}

// plans are by the descriptors of messages.
var plans sync.Map

func planOf(descriptor protoreflect.MessageDescriptor) *plan {
	if known, ok := plans.Load(descriptor); ok {
		if p, ok := known.(*plan); ok {
			return p
		}
	}
	p := newPlan(descriptor)
	plans.Store(descriptor, p)
	return p
}

// largestNumber is above the numbers of fields in the API.
const largestNumber = 1 << 12

func newPlan(descriptor protoreflect.MessageDescriptor) *plan {
	p := &plan{descriptor: descriptor, special: specialOf(descriptor)}
	if p.special != nil {
		return p
	}
	declared := descriptor.Fields()
	for i := range declared.Len() {
		d := declared.Get(i)
		f := field{name: `"` + d.JSONName() + `":`, kind: d.Kind(), wire: wireOf(d.Kind()), list: d.IsList(), presence: d.HasPresence(), oneof: -1}
		if d.IsMap() || d.Kind() == protoreflect.GroupKind || d.Number() >= largestNumber {
			p.special = byProtojson
			return p
		}
		if oneof := d.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
			f.oneof = oneof.Index()
		}
		if d.Kind() == protoreflect.EnumKind {
			f.enum = names(d.Enum())
		}
		if d.Kind() == protoreflect.MessageKind {
			f.message = sync.OnceValue(func() *plan { return planOf(d.Message()) }) // later: types may contain themselves
		}
		for len(p.numbers) <= int(d.Number()) {
			p.numbers = append(p.numbers, 0)
		}
		p.fields = append(p.fields, f)
		p.numbers[d.Number()] = int16(len(p.fields))
	}
	return p
}

func names(enum protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	all := map[protoreflect.EnumNumber]string{}
	values := enum.Values()
	for i := range values.Len() {
		if _, alias := all[values.Get(i).Number()]; !alias {
			all[values.Get(i).Number()] = `"` + string(values.Get(i).Name()) + `"`
		}
	}
	return all
}

func wireOf(kind protoreflect.Kind) protowire.Type {
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
