package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// wellKnown returns the function that writes a type of protobuf's own; nil for all other types.
func wellKnown(descriptor protoreflect.MessageDescriptor) appendFunc {
	name, own := strings.CutPrefix(string(descriptor.FullName()), "google.protobuf.")
	switch {
	case !own:
		return nil
	case name == "Timestamp":
		return appendTimestamp
	case name == "Duration":
		return appendDuration
	case name == "Struct":
		return appendStruct
	case name == "Value":
		return appendValue
	case name == "ListValue":
		return appendListValue
	default:
		return byProtojson
	}
}

// byProtojson decodes the message and leaves its JSON to protojson, for types that are rare.
func byProtojson(to []byte, s *schema, wire []byte, _ int) ([]byte, error) {
	m := dynamicpb.NewMessage(s.descriptor)
	if err := proto.Unmarshal(wire, m); err != nil {
		return nil, err
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	compact := bytes.NewBuffer(to)
	err = json.Compact(compact, text)
	return compact.Bytes(), err
}

// eachField calls visit for each field of a message, in the order of the wire, until it returns an error. The values have no field and no at.
func eachField(wire []byte, visit func(number protowire.Number, v value) error) error {
	for len(wire) > 0 {
		number, wireType, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return protowire.ParseError(n)
		}
		wire = wire[n:]
		v := value{wireType: wireType}
		switch wireType { // as in findValues
		case protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type:
			v.bits, n = consumeBits(wireType, wire)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(wire)
		default: // a group
			n = protowire.ConsumeFieldValue(number, wireType, wire)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		wire = wire[n:]
		if err := visit(number, v); err != nil {
			return err
		}
	}
	return nil
}

// secondsAndNanos reads a Timestamp or a Duration.
func secondsAndNanos(wire []byte) (seconds int64, nanos int32, err error) {
	err = eachField(wire, func(number protowire.Number, v value) error {
		switch {
		case v.wireType != protowire.VarintType:
		case number == 1:
			seconds = int64(v.bits)
		case number == 2:
			nanos = int32(v.bits)
		}
		return nil
	})
	return seconds, nanos, err
}

// Seconds that JSON has a form for: the years 1 to 9999, and 10,000 years.
const (
	minTimestamp = -62135596800
	maxTimestamp = 253402300799
	maxDuration  = 315576000000
)

var errRange = errors.New("a duration is out of range")

// appendTimestamp appends null for a time that JSON has no form for. protojson refuses the whole message; one time is no reason to lose it.
func appendTimestamp(to []byte, _ *schema, wire []byte, _ int) ([]byte, error) {
	seconds, nanos, err := secondsAndNanos(wire)
	if err != nil {
		return nil, err
	}
	if seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos > 1e9 {
		return append(to, "null"...), nil
	}
	to = append(to, '"')
	to = time.Unix(seconds, int64(nanos)).UTC().AppendFormat(to, "2006-01-02T15:04:05.000000000")
	return append(trimFraction(to), 'Z', '"'), nil
}

func appendDuration(to []byte, _ *schema, wire []byte, _ int) ([]byte, error) {
	seconds, nanos, err := secondsAndNanos(wire)
	if err != nil || seconds < -maxDuration || seconds > maxDuration || nanos < -1e9 || nanos > 1e9 || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return nil, cmp.Or(err, errRange)
	}
	to = append(to, '"')
	if seconds < 0 || nanos < 0 {
		to, seconds, nanos = append(to, '-'), -seconds, -nanos
	}
	to = strconv.AppendInt(to, seconds, 10)
	to = append(to, '.')
	digits := strconv.AppendInt(nil, int64(nanos), 10)
	for range 9 - len(digits) {
		to = append(to, '0')
	}
	return append(trimFraction(append(to, digits...)), 's', '"'), nil
}

// trimFraction shortens a text that ends with a point and nine digits, so that it has 0, 3, 6 or 9 digits.
func trimFraction(to []byte) []byte {
	to = bytes.TrimSuffix(to, []byte("000"))
	to = bytes.TrimSuffix(to, []byte("000"))
	return bytes.TrimSuffix(to, []byte(".000"))
}

// member is a member of a Struct.
type member struct {
	name  []byte
	value []byte // a Value
}

// structMembers returns the members of a Struct in the order of the wire.
func structMembers(wire []byte) (members []member, err error) {
	err = eachField(wire, func(number protowire.Number, v value) error {
		if number != 1 || v.wireType != protowire.BytesType {
			return nil
		}
		var m member
		err := eachField(v.bytes, func(number protowire.Number, v value) error {
			switch {
			case v.wireType != protowire.BytesType:
			case number == 1:
				m.name = v.bytes
			case number == 2:
				m.value = append(m.value, v.bytes...)
			}
			return nil
		})
		members = append(members, m)
		return err
	})
	return members, err
}

// appendStruct appends the JSON of a Struct, its members sorted by name, as protojson sorts them.
func appendStruct(to []byte, s *schema, wire []byte, depth int) ([]byte, error) {
	members, err := structMembers(wire)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	valueSchema := schemaOf(s.descriptor.Fields().ByNumber(1).MapValue().Message())
	to = append(to, '{')
	start := len(to)
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(m.name, members[i+1].name) {
			continue // the last one counts
		}
		if len(to) > start {
			to = append(to, ',')
		}
		if to, err = appendString(to, m.name); err != nil {
			return nil, err
		}
		if to, err = appendMessage(append(to, ':'), valueSchema, m.value, depth); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

var errNoValue = errors.New("a value of a structure is not set")

// Numbers of the members of google.protobuf.Value.
const (
	nullValue protowire.Number = iota + 1
	numberValue
	stringValue
	boolValue
	structValue
	listValue
)

// lastMember returns the member of a Value that counts: the last one on the wire, with occurrences of a Struct or a list in a row merged.
// kind is 0 for a Value that is not set.
func lastMember(wire []byte) (kind protowire.Number, last value, err error) {
	err = eachField(wire, func(number protowire.Number, v value) error {
		wanted := protowire.BytesType
		switch number {
		case nullValue, boolValue:
			wanted = protowire.VarintType
		case numberValue:
			wanted = protowire.Fixed64Type
		case stringValue, structValue, listValue:
		default:
			return nil
		}
		if v.wireType != wanted {
			return nil
		}
		if number == kind && number >= structValue {
			v.bytes = slices.Concat(last.bytes, v.bytes)
		}
		kind, last = number, v
		return nil
	})
	return kind, last, err
}

// appendValue appends the JSON of a Value.
func appendValue(to []byte, s *schema, wire []byte, depth int) ([]byte, error) {
	kind, v, err := lastMember(wire)
	if err != nil {
		return nil, err
	}
	switch kind {
	case nullValue:
		return append(to, "null"...), nil
	case boolValue:
		return strconv.AppendBool(to, v.bits != 0), nil
	case numberValue:
		n := math.Float64frombits(v.bits)
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, errNoValue
		}
		return appendFloat(to, n, 64), nil
	case stringValue:
		return appendString(to, v.bytes)
	case structValue, listValue:
		return appendMessage(to, schemaOf(s.descriptor.Fields().ByNumber(kind).Message()), v.bytes, depth)
	default:
		return nil, errNoValue
	}
}

// appendListValue appends the JSON of a ListValue.
func appendListValue(to []byte, s *schema, wire []byte, depth int) ([]byte, error) {
	valueSchema := schemaOf(s.descriptor.Fields().ByNumber(1).Message())
	to = append(to, '[')
	start := len(to)
	err := eachField(wire, func(number protowire.Number, v value) (err error) {
		if number != 1 || v.wireType != protowire.BytesType {
			return nil
		}
		if len(to) > start {
			to = append(to, ',')
		}
		to, err = appendMessage(to, valueSchema, v.bytes, depth)
		return err
	})
	return append(to, ']'), err
}
