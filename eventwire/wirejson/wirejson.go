// Package wirejson writes the JSON of the REST API: protojson's mapping (lowerCamelCase, 64-bit numbers as strings), with
// one addition. Answers and frames (messages of answer.proto and of the service files) always have their lists, booleans and
// counts, so that `complete` is there when it is false. Their content (events, conversations, users, rows) has no unset fields.
package wirejson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const answerFile = "parley/v1/answer.proto"

// Marshal returns the JSON of a message on one line.
func Marshal(m proto.Message) ([]byte, error) { return Append(nil, m) }

// Append appends the JSON of a message, on one line, to b.
func Append(b []byte, m proto.Message) ([]byte, error) {
	if m == nil || !m.ProtoReflect().IsValid() {
		return append(b, "null"...), nil
	}
	return appendMessage(b, m.ProtoReflect())
}

// isAnswer reports whether a message is an answer or frame, or part of one, rather than content.
func isAnswer(d protoreflect.MessageDescriptor) bool {
	path := d.ParentFile().Path()
	return path == answerFile || strings.HasPrefix(path, "parley/v1/") && strings.HasSuffix(path, "_service.proto")
}

func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	if !isAnswer(m.Descriptor()) {
		return appendContent(b, m)
	}
	b = append(b, '{')
	first := true
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !m.Has(field) && !isWrittenUnset(field) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, field.JSONName()...)
		b = append(b, '"', ':')
		var err error
		if b, err = appendField(b, field, m.Get(field)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// isWrittenUnset reports whether a field of an answer is written when it is unset.
func isWrittenUnset(field protoreflect.FieldDescriptor) bool {
	if field.IsList() {
		return true
	}
	if field.HasPresence() {
		return false
	}
	switch field.Kind() {
	case protoreflect.BoolKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return true
	default:
		return false
	}
}

func appendField(b []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	if field.IsMap() {
		return nil, fmt.Errorf("wirejson: map field %s in an answer", field.FullName())
	}
	if !field.IsList() {
		return appendValue(b, field, value)
	}
	b = append(b, '[')
	list := value.List()
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendValue(b, field, list.Get(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendValue(b []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, value.Bool()), nil
	case protoreflect.Int32Kind:
		return strconv.AppendInt(b, value.Int(), 10), nil
	case protoreflect.Uint32Kind:
		return strconv.AppendUint(b, value.Uint(), 10), nil
	case protoreflect.Int64Kind:
		return append(strconv.AppendInt(append(b, '"'), value.Int(), 10), '"'), nil
	case protoreflect.Uint64Kind:
		return append(strconv.AppendUint(append(b, '"'), value.Uint(), 10), '"'), nil
	case protoreflect.StringKind:
		return appendString(b, value.String())
	case protoreflect.EnumKind:
		member := field.Enum().Values().ByNumber(value.Enum())
		if member == nil {
			return strconv.AppendInt(b, int64(value.Enum()), 10), nil
		}
		return append(append(append(b, '"'), member.Name()...), '"'), nil
	case protoreflect.MessageKind:
		return appendMessage(b, value.Message())
	default:
		return nil, fmt.Errorf("wirejson: %s field %s in an answer", field.Kind(), field.FullName())
	}
}

// appendString writes a JSON string without HTML escapes, as protojson does.
func appendString(b []byte, s string) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	encoder := json.NewEncoder(buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return nil, fmt.Errorf("wirejson: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// appendContent writes a message as protojson does, without blanks. Protojson varies its blanks from build to build on purpose.
func appendContent(b []byte, m protoreflect.Message) ([]byte, error) {
	raw, err := protojson.MarshalOptions{}.Marshal(m.Interface())
	if err != nil {
		return nil, fmt.Errorf("wirejson: %w", err)
	}
	buf := bytes.NewBuffer(b)
	if err := json.Compact(buf, raw); err != nil {
		return nil, fmt.Errorf("wirejson: %w", err)
	}
	return buf.Bytes(), nil
}
