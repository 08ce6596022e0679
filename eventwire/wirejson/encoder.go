package wirejson

import (
	"errors"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Encoder writes the JSON of one type of content message from its wire bytes, without decoding a message: the same JSON that Append
// writes of the message. It is safe for concurrent use.
type Encoder struct {
	shape   *shape
	message protoreflect.MessageType
}

// errUnusual is the error of bytes that an Encoder leaves to protojson: fields out of order or unknown, and the few kinds that events
// rarely have (floating point, durations, bytes, free-form objects).
var errUnusual = errors.New("wirejson: unusual bytes")

// shape is the table of one message type.
type shape struct {
	fields []wireField // by number
}

// wireField describes how one field is written. A field of kind 0 is left to protojson.
type wireField struct {
	name     string // with quotes and colon
	kind     protoreflect.Kind
	list     bool
	presence bool
	time     bool // a Timestamp
	oneof    bool // one of several; where a message has two such groups, bytes with both are unusual
	members  map[int32]string
	inner    *shape
}

// NewEncoder compiles the table of a message type.
func NewEncoder(mt protoreflect.MessageType) *Encoder {
	return &Encoder{shape: shapeOf(mt.Descriptor(), map[protoreflect.FullName]*shape{}), message: mt}
}

// maxNumber bounds the field numbers in a table.
const maxNumber = 256

// shapeOf returns the table of a message type, and of the types below it; known has those that were made before.
func shapeOf(md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*shape) *shape {
	if s, ok := known[md.FullName()]; ok {
		return s
	}
	s := &shape{}
	known[md.FullName()] = s
	last := protoreflect.FieldNumber(0)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if fd.Number() < last || fd.Number() > maxNumber {
			s.fields = nil // written in another order than numbered
			return s
		}
		last = fd.Number()
		for len(s.fields) <= int(fd.Number()) {
			s.fields = append(s.fields, wireField{})
		}
		s.fields[fd.Number()] = fieldOf(fd, md, known)
	}
	return s
}

// fieldOf returns the entry of a field in the table of its message type md. The kind 0 stands for a field that is left to protojson.
func fieldOf(fd protoreflect.FieldDescriptor, md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*shape) wireField {
	f := wireField{name: `"` + fd.JSONName() + `":`, kind: fd.Kind(), list: fd.IsList(), presence: fd.HasPresence()}
	if of := fd.ContainingOneof(); of != nil && !of.IsSynthetic() {
		f.oneof = true
	}
	switch fd.Kind() {
	case protoreflect.EnumKind:
		f.members = map[int32]string{}
		for j := range fd.Enum().Values().Len() {
			value := fd.Enum().Values().Get(j)
			f.members[int32(value.Number())] = `"` + string(value.Name()) + `"`
		}
	case protoreflect.MessageKind:
		switch {
		case fd.Message().FullName() == "google.protobuf.Timestamp":
			f.time = true
		case fd.Message().ParentFile().Package() == md.ParentFile().Package() && !fd.IsMap():
			f.inner = shapeOf(fd.Message(), known)
		default:
			f.kind = 0
		}
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.StringKind:
	default:
		f.kind = 0
	}
	return f
}

// Append appends the JSON of an encoded message.
func (e *Encoder) Append(b, wire []byte) ([]byte, error) {
	whole, err := e.shape.append(b, wire)
	if err == nil {
		return whole, nil
	}
	message := e.message.New()
	if err := proto.Unmarshal(wire, message.Interface()); err != nil {
		return b, err
	}
	return appendContent(b, message)
}

func (s *shape) append(b, wire []byte) ([]byte, error) {
	b = append(b, '{')
	last := protowire.Number(0)
	inList, inOneof := false, false // a list is open; a member of a oneof is written
	for len(wire) > 0 {
		number, kind, n := consumeTag(wire)
		if n < 0 || int(number) >= len(s.fields) || number < last || s.fields[number].kind == 0 {
			return b, errUnusual
		}
		wire = wire[n:]
		f := &s.fields[number]
		switch {
		case number == last && !f.list:
			return b, errUnusual
		case number == last:
			b = append(b, ',')
		case f.oneof && inOneof:
			return b, errUnusual
		default:
			inOneof = inOneof || f.oneof
			if inList {
				b = append(b, ']')
			}
			if last > 0 {
				b = append(b, ',')
			}
			b = append(b, f.name...)
			if inList = f.list; inList {
				b = append(b, '[')
			}
		}
		last = number
		var err error
		if b, n, err = f.append(b, wire, kind); err != nil {
			return b, err
		}
		wire = wire[n:]
	}
	if inList {
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

// append writes the value at the beginning of wire and returns its length there.
func (f *wireField) append(b, wire []byte, kind protowire.Type) (out []byte, n int, err error) {
	if kind == protowire.VarintType {
		value, n := consumeVarint(wire)
		if n < 0 || value == 0 && !f.presence && !f.list {
			return b, 0, errUnusual
		}
		b, err = f.appendNumber(b, value)
		return b, n, err
	}
	value, n := consumeBytes(wire)
	if kind != protowire.BytesType || n < 0 {
		return b, 0, errUnusual
	}
	switch {
	case f.kind == protoreflect.StringKind:
		if len(value) == 0 && !f.presence && !f.list {
			return b, 0, errUnusual
		}
		b, err = appendText(b, value)
	case f.time:
		b, err = appendTime(b, value)
	case f.inner != nil:
		b, err = f.inner.append(b, value)
	case f.kind == protoreflect.EnumKind && f.list && len(value) > 0:
		b, err = f.appendPacked(b, value)
	default:
		err = errUnusual
	}
	return b, n, err
}

func (f *wireField) appendPacked(b, list []byte) ([]byte, error) {
	for first := true; len(list) > 0; first = false {
		value, n := protowire.ConsumeVarint(list)
		if n < 0 {
			return b, errUnusual
		}
		if !first {
			b = append(b, ',')
		}
		var err error
		if b, err = f.appendNumber(b, value); err != nil {
			return b, err
		}
		list = list[n:]
	}
	return b, nil
}

func (f *wireField) appendNumber(b []byte, value uint64) ([]byte, error) {
	switch f.kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, value != 0), nil
	case protoreflect.Int32Kind:
		return strconv.AppendInt(b, int64(int32(value)), 10), nil
	case protoreflect.Int64Kind:
		return append(strconv.AppendInt(append(b, '"'), int64(value), 10), '"'), nil
	case protoreflect.EnumKind:
		member, ok := f.members[int32(value)]
		if !ok {
			return b, errUnusual
		}
		return append(b, member...), nil
	default:
		return b, errUnusual
	}
}
