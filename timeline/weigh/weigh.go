// Package weigh tells how long the JSON of a message is from its wire bytes, without making either: an upper bound that is
// exact for texts, their escapes included, and a little above for numbers and times. Both doors bound what they send by the
// larger of the two forms, so that the same events travel over both.
package weigh

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Lengths in JSON, quotes included, that no value exceeds.
const (
	longestBool     = 5
	longestInt      = 22 // 64 bits, as a text
	longestFloat    = 26
	longestTime     = 32
	longestDuration = 28
	longestEscape   = 6 // of one byte
)

// wellKnown is the package of the messages that have a JSON form of their own, without the names of their fields.
const wellKnown = "google.protobuf"

// Table is what must be known of a message type. It is made once and never changed: safe for concurrent use.
type Table struct {
	fields map[protowire.Number]*field
	dense  []*field // those of small numbers
	braces int
	most   int // the bytes of JSON that one byte of the wire form may become, rounded up
}

// field is one field of a message; its name is counted with quotes and colon, and with the brackets of a list.
type field struct {
	name    int
	kind    protoreflect.Kind
	list    bool
	longest int                             // of a value that is no text and no message
	members map[protoreflect.EnumNumber]int // lengths of an enum's members
	inner   *Table                          // of a message without a fixed bound
}

// New makes the table of a message type.
func New(md protoreflect.MessageDescriptor) *Table {
	known := map[protoreflect.FullName]*Table{}
	t := build(md, known)
	most := 0.0
	for _, of := range known {
		for number, f := range of.fields {
			most = max(most, f.growth(number))
		}
	}
	t.most = int(math.Ceil(most))
	return t
}

func build(md protoreflect.MessageDescriptor, known map[protoreflect.FullName]*Table) *Table {
	if t, ok := known[md.FullName()]; ok {
		return t
	}
	t := &Table{fields: map[protowire.Number]*field{}, dense: make([]*field, 64), braces: len(`{}`)}
	bare := md.IsMapEntry() || md.ParentFile().Package() == wellKnown
	if md.IsMapEntry() || md.FullName() == wellKnown+".Value" {
		t.braces = 0
	}
	known[md.FullName()] = t
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		f := &field{kind: fd.Kind(), list: fd.IsList() || fd.IsMap(), name: len(fd.JSONName()) + len(`"":`)}
		if bare {
			f.name = 0
		} else if f.list {
			f.name += len(`[]`)
		}
		switch fd.Kind() {
		case protoreflect.BoolKind:
			f.longest = longestBool
		case protoreflect.FloatKind, protoreflect.DoubleKind:
			f.longest = longestFloat
		case protoreflect.EnumKind:
			f.longest, f.members = longestInt, map[protoreflect.EnumNumber]int{}
			for j := range fd.Enum().Values().Len() {
				value := fd.Enum().Values().Get(j)
				f.members[value.Number()] = len(value.Name()) + len(`""`)
				f.longest = max(f.longest, len(value.Name())+len(`""`))
			}
		case protoreflect.MessageKind, protoreflect.GroupKind:
			switch fd.Message().FullName() {
			case wellKnown + ".Timestamp":
				f.longest = longestTime
			case wellKnown + ".Duration":
				f.longest = longestDuration
			default:
				f.inner = build(fd.Message(), known)
			}
		default:
			f.longest = longestInt
		}
		t.fields[fd.Number()] = f
		if int(fd.Number()) < len(t.dense) {
			t.dense[fd.Number()] = f
		}
	}
	return t
}

// growth is the most that the JSON of a value is longer than its wire form, without what is inside a message.
func (f *field) growth(number protowire.Number) float64 {
	least := float64(protowire.SizeTag(number) + 1)
	most := float64(f.name + 1 + max(f.longest, len(`{}`)))
	switch f.kind {
	case protoreflect.StringKind, protoreflect.BytesKind:
		return max(longestEscape, float64(f.name+1+len(`""`))/least)
	case protoreflect.DoubleKind:
		return most / (least + 7)
	case protoreflect.EnumKind:
		if f.list { // packed: one byte each
			return max(most/(least+1), float64(f.longest+1))
		}
		return most / least
	default:
		return most / least
	}
}

// Most is an upper bound of the JSON of a message whose wire form is of a size.
func (t *Table) Most(size int) int { return len(`{}`) + size*t.most }

// JSON is an upper bound of the JSON of a message. Bytes that are no message count as they are.
func (t *Table) JSON(wire []byte) int {
	total := t.braces
	last := protowire.Number(0)
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return total + len(wire)
		}
		wire = wire[n:]
		f := t.field(number)
		if n = protowire.ConsumeFieldValue(number, kind, wire); n < 0 {
			return total + len(wire)
		}
		if f != nil {
			if total++; number != last || !f.list { // a comma
				total += f.name
			}
			total += f.json(kind, wire[:n])
		}
		last, wire = number, wire[n:]
	}
	return total
}

func (t *Table) field(number protowire.Number) *field {
	if int(number) < len(t.dense) {
		return t.dense[number]
	}
	return t.fields[number]
}

// json is the length of one value.
func (f *field) json(kind protowire.Type, value []byte) int {
	if kind == protowire.VarintType && f.members != nil {
		member, _ := protowire.ConsumeVarint(value)
		return f.member(member)
	}
	if kind != protowire.BytesType {
		return f.longest
	}
	text, _ := protowire.ConsumeBytes(value)
	switch {
	case f.inner != nil:
		return f.inner.JSON(text)
	case f.kind == protoreflect.StringKind:
		return Text(text) + len(`""`)
	case f.kind == protoreflect.BytesKind:
		return (len(text)+2)/3*4 + len(`""`)
	case f.kind == protoreflect.MessageKind:
		return f.longest
	default:
		return f.packed(text)
	}
}

// packed is the length of the values of a packed list, with commas.
func (f *field) packed(list []byte) int {
	total := 0
	for len(list) > 0 {
		value, n := protowire.ConsumeVarint(list)
		if n < 0 {
			break
		}
		one := f.longest
		if f.members != nil {
			one = f.member(value)
		}
		total, list = total+one+1, list[n:]
	}
	return total
}

func (f *field) member(value uint64) int {
	if n, ok := f.members[protoreflect.EnumNumber(int32(value))]; ok {
		return n
	}
	return longestInt
}

// Text is the length of a text in JSON, without its quotes.
func Text[T ~string | ~[]byte](text T) int {
	total := len(text)
	for i := range len(text) {
		total += escapes(text[i])
	}
	return total
}

// Prefix is the length of the longest beginning of a text, in bytes, whose JSON is at most of a size.
func Prefix(text string, size int) int {
	for i := range len(text) {
		if size -= 1 + escapes(text[i]); size < 0 {
			return i
		}
	}
	return len(text)
}

// escapes is by how much a byte is longer in JSON.
func escapes(c byte) int {
	switch {
	case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f':
		return 1
	case c < ' ':
		return longestEscape - 1
	default:
		return 0
	}
}
