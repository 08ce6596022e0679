package wire

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// value is one occurrence of a field in a message.
type value struct {
	field    int // index in the schema
	wireType protowire.Type
	bits     uint64 // of varint, fixed32 and fixed64
	bytes    []byte // of strings, bytes, messages and packed lists
	at       int    // where bytes begin in the message
}

// findValues returns the values of the known fields of a message in the order in which the fields are declared; values of one field are in
// the order of the wire. It overwrites values, whose memory it uses. Fields with a wire type that is not theirs are unknown, as protobuf's
// decoder has it.
func findValues(values []value, s *schema, wire []byte) ([]value, error) {
	values = values[:0]
	ordered := true
	for size := len(wire); len(wire) > 0; {
		number, wireType, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		wire = wire[n:]
		index := s.index(number)
		v := value{field: index, wireType: wireType}
		switch wireType { // as in eachField: a function for both costs a twentieth of the time of a row
		case protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type:
			v.bits, n = consumeBits(wireType, wire)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(wire)
		default: // a group
			n = protowire.ConsumeFieldValue(number, wireType, wire)
		}
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		wire = wire[n:]
		if index < 0 || !s.fields[index].accepts(wireType) {
			continue
		}
		v.at = size - len(wire) - len(v.bytes)
		if oneof := s.fields[index].oneof; oneof >= 0 { // the last member on the wire counts
			values = slices.DeleteFunc(values, func(other value) bool {
				return s.fields[other.field].oneof == oneof && other.field != index
			})
		}
		ordered = ordered && (len(values) == 0 || values[len(values)-1].field <= index)
		values = append(values, v)
	}
	if !ordered {
		slices.SortStableFunc(values, func(a, b value) int { return a.field - b.field })
	}
	return values, nil
}

// consumeBits returns the bits of a varint, fixed32 or fixed64, and its length. A negative length is an error of protowire.
func consumeBits(wireType protowire.Type, from []byte) (bits uint64, length int) {
	switch wireType {
	case protowire.VarintType:
		return protowire.ConsumeVarint(from)
	case protowire.Fixed32Type:
		small, length := protowire.ConsumeFixed32(from)
		return uint64(small), length
	default:
		return protowire.ConsumeFixed64(from)
	}
}

// unpack returns the first number of a packed list, and the rest of the list.
func unpack(wireType protowire.Type, from []byte) (v value, rest []byte, err error) {
	if wireType != protowire.VarintType && wireType != protowire.Fixed32Type && wireType != protowire.Fixed64Type {
		return v, nil, fmt.Errorf("a list of wire type %d is packed", wireType)
	}
	bits, length := consumeBits(wireType, from)
	if length < 0 {
		return v, nil, protowire.ParseError(length)
	}
	return value{bits: bits}, from[length:], nil
}

// merged returns the message that several occurrences of a message field are together: protobuf merges what is written one after the other.
func merged(values []value) []byte {
	if len(values) == 1 {
		return values[0].bytes
	}
	var all []byte
	for _, v := range values {
		all = append(all, v.bytes...)
	}
	return all
}
