// Package wire reads messages in their wire format without decoding them. Descriptors and bytes enter. A Message finds the top-level fields
// of a message and returns single ones; JSON returns the whole message as protojson writes it, without white space.
//
// A tenant's night has millions of events, and most of their content only passes through: decoding and protojson took six tenths of the CPU
// time of an export (docs/decisions/0041). The package works by descriptors and knows no message of the API. Each type has a schema, which is
// made once (schema.go). findValues finds the values of all fields of a message (value.go), and the writers of JSON take them field by field
// (json.go, scalar.go). The types of package google.protobuf have a JSON of their own (wellknown.go).
package wire

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var (
	errDeep = errors.New("messages are nested too deep")
	errUTF8 = errors.New("a string is not UTF-8")
)

// Message is a message whose top-level fields are found. The zero value has none. Scan may be called again, and reuses memory.
//
// A field that cannot be read is empty, and an error that Err returns.
type Message struct {
	schema *schema
	values []value // in the order of findValues
	first  []int32 // by field of the schema, the index of its first value plus one; 0 = it has none
	whole  string  // the message; the strings of its fields are parts of it, which takes one allocation for all
	err    error   // the first one
}

// Scan finds the fields of a message. The wire bytes must not change while m is used; strings that m returns stay valid.
func (m *Message) Scan(descriptor protoreflect.MessageDescriptor, wire []byte) {
	m.scan(schemaOf(descriptor), wire, string(wire))
}

// scan finds the fields of a message, which is given as a string, too.
func (m *Message) scan(s *schema, wire []byte, whole string) {
	m.schema, m.whole = s, whole
	m.values, m.err = findValues(m.values, s, wire)
	m.first = slices.Grow(m.first[:0], len(s.fields))[:len(s.fields)]
	clear(m.first)
	for i, v := range slices.Backward(m.values) {
		m.first[v.field] = int32(i + 1)
	}
}

// Err returns what was wrong with the message, or with a field that was read.
func (m *Message) Err() error { return m.err }

// valuesOf returns the values of a field; none after an error of Scan.
func (m *Message) valuesOf(number protowire.Number) []value {
	field := m.schema.index(number)
	if m.err != nil || field < 0 || m.first[field] == 0 {
		return nil
	}
	begin := int(m.first[field]) - 1
	end := begin + 1
	for end < len(m.values) && m.values[end].field == field {
		end++
	}
	return m.values[begin:end]
}

// Has reports whether there is a field.
func (m *Message) Has(number protowire.Number) bool { return len(m.valuesOf(number)) > 0 }

// Text returns the string of a field.
func (m *Message) Text(number protowire.Number) string {
	values := m.valuesOf(number)
	if len(values) == 0 {
		return ""
	}
	return m.stringOf(values[len(values)-1])
}

// Texts returns the strings of a list; nil where there are none.
func (m *Message) Texts(number protowire.Number) []string {
	values := m.valuesOf(number)
	if len(values) == 0 {
		return nil
	}
	texts := make([]string, 0, len(values))
	for _, v := range values {
		texts = append(texts, m.stringOf(v))
	}
	return texts
}

func (m *Message) stringOf(v value) string {
	text := m.whole[v.at : v.at+len(v.bytes)]
	if !utf8.ValidString(text) {
		m.err = cmp.Or(m.err, errUTF8)
	}
	return text
}

// Int returns the number of a field that is an integer (but sint), an enum or a bool.
func (m *Message) Int(number protowire.Number) int64 {
	values := m.valuesOf(number)
	if len(values) == 0 {
		return 0
	}
	return int64(values[len(values)-1].bits)
}

// Enum returns the name of the member that a field has, or its number where there is no such member; empty for zero.
func (m *Message) Enum(number protowire.Number) string {
	member := protoreflect.EnumNumber(m.Int(number))
	if member == 0 {
		return ""
	}
	if name := m.schema.fields[m.schema.index(number)].enum[member]; name != "" {
		return name[1 : len(name)-1]
	}
	return strconv.Itoa(int(member))
}

// Ints returns the numbers of a list of integers or enums, packed or not.
func (m *Message) Ints(number protowire.Number) []int64 {
	var numbers []int64
	for _, v := range m.valuesOf(number) {
		if v.wireType == protowire.VarintType {
			numbers = append(numbers, int64(v.bits))
			continue
		}
		for rest := v.bytes; len(rest) > 0; {
			var one value
			if one, rest, m.err = unpack(protowire.VarintType, rest); m.err != nil {
				return nil
			}
			numbers = append(numbers, int64(one.bits))
		}
	}
	return numbers
}

// Time returns the time of a field that is a Timestamp; ok is false where there is none.
func (m *Message) Time(number protowire.Number) (at time.Time, ok bool) {
	values := m.valuesOf(number)
	if len(values) == 0 {
		return time.Time{}, false
	}
	seconds, nanos, err := secondsAndNanos(merged(values))
	m.err = cmp.Or(m.err, err)
	return time.Unix(seconds, int64(nanos)).UTC(), true
}

// Sub finds the fields of a message in the message. It reports whether there is one; without one, into is empty.
func (m *Message) Sub(number protowire.Number, into *Message) bool {
	values := m.valuesOf(number)
	schema := m.schema.fields[m.schema.index(number)].message()
	switch len(values) {
	case 0:
		into.scan(schema, nil, "")
		return false
	case 1:
		into.scan(schema, values[0].bytes, m.whole[values[0].at:values[0].at+len(values[0].bytes)])
	default:
		wire := merged(values)
		into.scan(schema, wire, string(wire))
	}
	m.err = cmp.Or(m.err, into.err)
	return true
}

// AppendField appends the JSON of a field. It appends nothing where the message has none, or JSON has no form for it, such as for a time
// after the year 9999; that is no error.
func (m *Message) AppendField(to []byte, number protowire.Number) []byte {
	values := m.valuesOf(number)
	if len(values) == 0 {
		return to
	}
	text, written, err := appendField(to, &m.schema.fields[values[0].field], values, 0)
	if err != nil || !written {
		return to
	}
	return text
}
