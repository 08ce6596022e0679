package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// JSON returns the JSON of a message, as protojson writes it without white space; a time that JSON has no form for is null. The error is of a
// message that cannot be read, or that JSON has no form for.
func JSON(descriptor protoreflect.MessageDescriptor, wire []byte) (string, error) {
	text, err := appendMessage(make([]byte, 0, 256), schemaOf(descriptor), wire, 0)
	return string(text), err
}

// maxDepth bounds how deep messages may be nested, as protobuf's decoder does.
const maxDepth = 10000

// appendMessage appends the JSON of a message that stands in so many others.
func appendMessage(to []byte, s *schema, wire []byte, depth int) ([]byte, error) {
	if depth++; depth > maxDepth {
		return nil, errDeep
	}
	if s.appendJSON != nil {
		return s.appendJSON(to, s, wire, depth)
	}
	var stack [24]value // enough for most messages, without an allocation
	values, err := findValues(stack[:0], s, wire)
	if err != nil {
		return nil, err
	}
	return appendFields(to, s, values, depth)
}

// appendFields appends a JSON object of the fields that have values.
func appendFields(to []byte, s *schema, values []value, depth int) ([]byte, error) {
	to = append(to, '{')
	start := len(to)
	for begin := 0; begin < len(values); {
		field := &s.fields[values[begin].field]
		end := begin + 1
		for end < len(values) && values[end].field == values[begin].field {
			end++
		}
		before := len(to)
		if before > start {
			to = append(to, ',')
		}
		to = append(to, field.name...)
		next, written, err := appendField(to, field, values[begin:end], depth)
		if err != nil {
			return nil, err
		}
		if to = next; !written {
			to = to[:before]
		}
		begin = end
	}
	return append(to, '}'), nil
}

// appendField appends the JSON of a field with one value or more. written is false where JSON leaves the field out: an empty list, and the
// zero value of a field without presence.
func appendField(to []byte, f *field, values []value, depth int) (_ []byte, written bool, err error) {
	if f.list {
		return appendList(to, f, values, depth)
	}
	last := values[len(values)-1]
	if f.kind == protoreflect.MessageKind {
		to, err = appendMessage(to, f.message(), merged(values), depth)
		return to, true, err
	}
	if !f.presence && f.isZero(last) {
		return to, false, nil
	}
	to, err = appendScalar(to, f, last)
	return to, true, err
}

// appendList appends the JSON of a list. Each value is an element, or several packed ones.
func appendList(to []byte, f *field, values []value, depth int) (_ []byte, written bool, err error) {
	to = append(to, '[')
	start := len(to)
	separate := func() {
		if len(to) > start {
			to = append(to, ',')
		}
	}
	for _, v := range values {
		switch {
		case f.kind == protoreflect.MessageKind:
			separate()
			to, err = appendMessage(to, f.message(), v.bytes, depth)
		case v.wireType == protowire.BytesType && f.wireType != protowire.BytesType: // packed
			for rest := v.bytes; len(rest) > 0 && err == nil; {
				var one value
				if one, rest, err = unpack(f.wireType, rest); err == nil {
					separate()
					to, err = appendScalar(to, f, one)
				}
			}
		default:
			separate()
			to, err = appendScalar(to, f, v)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return append(to, ']'), len(to) > start, nil
}
