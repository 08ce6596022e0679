// Package wire reads messages in their wire format without making them, and writes their JSON: a tenant's night has millions of events, and
// most of what they hold only passes through. The JSON is that of protojson without white space.
package wire

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Of returns the text of a message.
func Of(descriptor protoreflect.MessageDescriptor, wire []byte) (string, error) {
	text, err := appendMessage(make([]byte, 0, 256), planOf(descriptor), wire, 0)
	return string(text), err
}

// Message is a message whose top-level fields are found. Its zero value has none; Scan may be called again, which reuses memory.
type Message struct {
	plan   *plan
	values []value
	first  []int16 // of each field, where its values begin, plus one; 0 = there is none
	text   string  // of the whole message, which its strings are parts of
	err    error
}

// value is one occurrence of a field.
type value struct {
	field  int // index in the plan
	wire   protowire.Type
	number uint64 // of varint, fixed32 and fixed64
	bytes  []byte // of what has a length
	at     int    // where bytes begin in the message
}

// maxDepth bounds how deep messages may be nested, as protobuf's decoder does.
const maxDepth = 10000

var (
	errDeep = errors.New("messages are nested too deep")
	errUTF8 = errors.New("a string is not UTF-8")
)

// Scan finds the fields of a message. What wire holds must not change while m is used.
func (m *Message) Scan(descriptor protoreflect.MessageDescriptor, wire []byte) {
	m.scan(planOf(descriptor), wire, string(wire))
}

func (m *Message) scan(p *plan, wire []byte, text string) {
	m.plan, m.text = p, text
	m.values, m.err = scan(m.values[:0], m.plan, wire)
	m.first = slices.Grow(m.first[:0], len(m.plan.fields))[:len(m.plan.fields)]
	clear(m.first)
	for i, v := range slices.Backward(m.values) {
		m.first[v.field] = int16(min(i+1, math.MaxInt16))
	}
}

// Err returns what was wrong with the message, or with a part of it that was asked for.
func (m *Message) Err() error { return m.err }

// find returns the occurrences of a field.
func (m *Message) find(number protowire.Number) []value {
	field := m.plan.index(number)
	if m.err != nil || field < 0 || m.first[field] == 0 {
		return nil
	}
	begin := int(m.first[field]) - 1
	for m.values[begin].field != field {
		begin++ // behind the largest int16
	}
	end := begin + 1
	for end < len(m.values) && m.values[end].field == field {
		end++
	}
	return m.values[begin:end]
}

// Has reports whether there is a field.
func (m *Message) Has(number protowire.Number) bool { return len(m.find(number)) > 0 }

// Text is the string of a field.
func (m *Message) Text(number protowire.Number) string {
	found := m.find(number)
	if len(found) == 0 {
		return ""
	}
	return m.part(found[len(found)-1])
}

// Texts are the strings of a list; nil where there are none.
func (m *Message) Texts(number protowire.Number) []string {
	found := m.find(number)
	if len(found) == 0 {
		return nil
	}
	texts := make([]string, 0, len(found))
	for _, v := range found {
		texts = append(texts, m.part(v))
	}
	return texts
}

func (m *Message) part(v value) string {
	text := m.text[v.at : v.at+len(v.bytes)]
	if !utf8.ValidString(text) {
		m.err = cmp.Or(m.err, errUTF8)
	}
	return text
}

// Int is the number of a field that is an integer, an enum or a truth value.
func (m *Message) Int(number protowire.Number) int64 {
	found := m.find(number)
	if len(found) == 0 {
		return 0
	}
	return int64(found[len(found)-1].number)
}

// Enum is the name of the member that a field has, or its number where there is no such member; empty for zero.
func (m *Message) Enum(number protowire.Number) string {
	member := protoreflect.EnumNumber(m.Int(number))
	if member == 0 {
		return ""
	}
	if name := m.plan.fields[m.plan.index(number)].enum[member]; name != "" {
		return name[1 : len(name)-1]
	}
	return strconv.Itoa(int(member))
}

// Ints are the numbers of a list of integers or enums.
func (m *Message) Ints(number protowire.Number) []int64 {
	var numbers []int64
	for _, v := range m.find(number) {
		if v.wire == protowire.VarintType {
			numbers = append(numbers, int64(v.number))
			continue
		}
		for rest := v.bytes; len(rest) > 0; {
			var one value
			if one, rest, m.err = unpack(protowire.VarintType, rest); m.err != nil {
				return nil
			}
			numbers = append(numbers, int64(one.number))
		}
	}
	return numbers
}

// Time is the time of a field; false = there is none.
func (m *Message) Time(number protowire.Number) (time.Time, bool) {
	found := m.find(number)
	if len(found) == 0 {
		return time.Time{}, false
	}
	seconds, nanos, err := secondsAndNanos(joined(found))
	m.err = cmp.Or(m.err, err)
	return time.Unix(seconds, int64(nanos)).UTC(), true
}

// Sub finds the fields of a message in the message. It reports whether there is one; without one, into is empty.
func (m *Message) Sub(number protowire.Number, into *Message) bool {
	found := m.find(number)
	inner := m.plan.fields[m.plan.index(number)].message()
	switch len(found) {
	case 0:
		into.scan(inner, nil, "")
		return false
	case 1:
		into.scan(inner, found[0].bytes, m.text[found[0].at:found[0].at+len(found[0].bytes)])
	default:
		into.scan(inner, joined(found), string(joined(found)))
	}
	m.err = cmp.Or(m.err, into.err)
	return true
}

// AppendField appends the JSON of a field; nothing where the message has none, or JSON has no form for it, such as for a time of another
// millennium.
func (m *Message) AppendField(to []byte, number protowire.Number) []byte {
	found := m.find(number)
	if len(found) == 0 {
		return to
	}
	text, written, err := appendField(to, &m.plan.fields[found[0].field], found, 0)
	if err != nil || !written {
		return to
	}
	return text
}

// joined is what several occurrences of one message are together: the format merges what is written one after the other.
func joined(values []value) []byte {
	switch len(values) {
	case 0:
		return nil
	case 1:
		return values[0].bytes
	}
	var all []byte
	for _, v := range values {
		all = append(all, v.bytes...)
	}
	return all
}

// scan appends the known fields of a message in the order of their declaration, those of a list in the order of the wire.
func scan(values []value, p *plan, wire []byte) ([]value, error) {
	first, ordered, whole := len(values), true, len(wire)
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		wire = wire[n:]
		v := value{field: p.index(number), wire: kind}
		switch kind {
		case protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type:
			v.number, n = consumeNumber(kind, wire)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(wire)
			v.at = whole - len(wire) + n - len(v.bytes)
		default:
			v.field = -1
			n = protowire.ConsumeFieldValue(number, kind, wire)
		}
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		wire = wire[n:]
		if v.field < 0 || !p.fields[v.field].takes(kind) {
			continue // a field that is not known, here or in this type
		}
		if oneof := p.fields[v.field].oneof; oneof >= 0 {
			values = slices.Delete(values, first, first+dropOthers(values[first:], p, oneof, v.field))
		}
		if len(values) > first && values[len(values)-1].field > v.field {
			ordered = false
		}
		values = append(values, v)
	}
	if !ordered {
		slices.SortStableFunc(values[first:], func(a, b value) int { return a.field - b.field })
	}
	return values, nil
}

// dropOthers moves the other members of a oneof to the front, of which the last one on the wire counts, and returns how many they are.
func dropOthers(values []value, p *plan, oneof, field int) int {
	others := 0
	for i, v := range values {
		if p.fields[v.field].oneof == oneof && v.field != field {
			copy(values[others+1:i+1], values[others:i])
			values[others] = v
			others++
		}
	}
	return others
}

// appendMessage appends the text of a message.
func appendMessage(to []byte, p *plan, wire []byte, depth int) ([]byte, error) {
	if depth++; depth > maxDepth {
		return nil, errDeep
	}
	if p.special != nil {
		return p.special(to, p, wire, depth)
	}
	var few [24]value
	values, err := scan(few[:0], p, wire)
	if err != nil {
		return nil, err
	}
	return appendFields(to, p, values, depth)
}

func appendFields(to []byte, p *plan, values []value, depth int) ([]byte, error) {
	to = append(to, '{')
	before := len(to)
	for begin := 0; begin < len(values); {
		field := &p.fields[values[begin].field]
		end := begin + 1
		for end < len(values) && values[end].field == values[begin].field {
			end++
		}
		start := len(to)
		if start > before {
			to = append(to, ',')
		}
		to = append(to, field.name...)
		next, written, err := appendField(to, field, values[begin:end], depth)
		if err != nil {
			return nil, err
		}
		if to = next; !written {
			to = to[:start]
		}
		begin = end
	}
	return append(to, '}'), nil
}

// appendField appends the value of a field. It reports whether there is one: an empty list is none, and neither is the zero value of a field
// that does not know whether it is set.
func appendField(to []byte, f *field, values []value, depth int) (_ []byte, written bool, err error) {
	if f.list {
		return appendList(to, f, values, depth)
	}
	last := values[len(values)-1]
	if f.kind == protoreflect.MessageKind {
		to, err = appendMessage(to, f.message(), joined(values), depth)
		return to, true, err
	}
	if !f.presence && f.significant(last.number) == 0 && len(last.bytes) == 0 {
		return to, false, nil
	}
	to, err = appendScalar(to, f, last)
	return to, true, err
}

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
		case v.wire == protowire.BytesType && f.wire != protowire.BytesType: // packed
			for rest := v.bytes; len(rest) > 0 && err == nil; {
				var one value
				if one, rest, err = unpack(f.wire, rest); err == nil {
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

// consumeNumber returns what a varint, fixed32 or fixed64 has, and its length; a negative one is an error of protowire.
func consumeNumber(kind protowire.Type, from []byte) (number uint64, n int) {
	switch kind {
	case protowire.VarintType:
		return protowire.ConsumeVarint(from)
	case protowire.Fixed32Type:
		small, n := protowire.ConsumeFixed32(from)
		return uint64(small), n
	default:
		return protowire.ConsumeFixed64(from)
	}
}

func unpack(kind protowire.Type, from []byte) (v value, rest []byte, err error) {
	if kind != protowire.VarintType && kind != protowire.Fixed32Type && kind != protowire.Fixed64Type {
		return v, nil, fmt.Errorf("a list of wire type %d is packed", kind)
	}
	number, n := consumeNumber(kind, from)
	if n < 0 {
		return v, nil, protowire.ParseError(n)
	}
	return value{number: number}, from[n:], nil
}
