package wire

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// appendScalar appends the JSON of a value that is no message. Integers of 64 bits are strings, as protobuf's JSON has them.
func appendScalar(to []byte, f *field, v value) ([]byte, error) {
	switch f.kind {
	case protoreflect.BoolKind:
		return strconv.AppendBool(to, v.bits != 0), nil
	case protoreflect.StringKind:
		return appendString(to, v.bytes)
	case protoreflect.BytesKind:
		return append(base64.StdEncoding.AppendEncode(append(to, '"'), v.bytes), '"'), nil
	case protoreflect.EnumKind:
		member := protoreflect.EnumNumber(v.bits)
		if name, known := f.enum[member]; known {
			return append(to, name...), nil
		}
		return strconv.AppendInt(to, int64(member), 10), nil
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return strconv.AppendInt(to, int64(int32(v.bits)), 10), nil
	case protoreflect.Sint32Kind:
		return strconv.AppendInt(to, int64(int32(protowire.DecodeZigZag(v.bits&math.MaxUint32))), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return strconv.AppendUint(to, uint64(uint32(v.bits)), 10), nil
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return append(strconv.AppendInt(append(to, '"'), int64(v.bits), 10), '"'), nil
	case protoreflect.Sint64Kind:
		return append(strconv.AppendInt(append(to, '"'), protowire.DecodeZigZag(v.bits), 10), '"'), nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return append(strconv.AppendUint(append(to, '"'), v.bits, 10), '"'), nil
	case protoreflect.FloatKind:
		return appendFloat(to, float64(math.Float32frombits(uint32(v.bits))), 32), nil
	default: // double: messages do not come here
		return appendFloat(to, math.Float64frombits(v.bits), 64), nil
	}
}

const hex = "0123456789abcdef"

// appendString appends a JSON string. It escapes the characters that JSON strings cannot have, and no others.
func appendString(to, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errUTF8
	}
	to = append(to, '"')
	plain := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, text[plain:i]...)
		plain = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\b':
			to = append(to, `\b`...)
		case '\f':
			to = append(to, `\f`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\t':
			to = append(to, `\t`...)
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(to, text[plain:]...), '"'), nil
}

// appendFloat appends a number as encoding/json does, and the strings that protobuf's JSON has for other values.
func appendFloat(to []byte, n float64, bits int) []byte {
	switch {
	case math.IsNaN(n):
		return append(to, `"NaN"`...)
	case math.IsInf(n, 1):
		return append(to, `"Infinity"`...)
	case math.IsInf(n, -1):
		return append(to, `"-Infinity"`...)
	}
	format := byte('f')
	if size := math.Abs(n); size != 0 && (bits == 64 && (size < 1e-6 || size >= 1e21) || bits == 32 && (float32(size) < 1e-6 || float32(size) >= 1e21)) {
		format = 'e'
	}
	to = strconv.AppendFloat(to, n, format, -1, bits)
	if end := len(to); format == 'e' && end >= 4 && to[end-4] == 'e' && to[end-3] == '-' && to[end-2] == '0' {
		to[end-2] = to[end-1]
		to = to[:end-1]
	}
	return to
}
