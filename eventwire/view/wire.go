package view

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrWire is returned for bytes that are no message.
var ErrWire = errors.New("view: not the bytes of a message")

// Metadata appends the fields of an encoded message that EVENT_VIEW_METADATA keeps: the same ones that Apply keeps of the message.
// The error is ErrWire.
func Metadata(dst, wire []byte, md protoreflect.MessageDescriptor) ([]byte, error) {
	return metadataFields(md).pruneWire(dst, wire)
}

// pruneWire appends the fields of an encoded message that are in the set.
func (s *fieldSet) pruneWire(dst, wire []byte) ([]byte, error) {
	for len(wire) > 0 {
		number, kind, head := protowire.ConsumeTag(wire)
		if head < 0 {
			return dst, fmt.Errorf("%w: %w", ErrWire, protowire.ParseError(head))
		}
		size := protowire.ConsumeFieldValue(number, kind, wire[head:])
		if size < 0 {
			return dst, fmt.Errorf("%w: %w", ErrWire, protowire.ParseError(size))
		}
		field, value := wire[:head+size], wire[head:head+size]
		wire = wire[head+size:]
		inner, kept := s.kept[number]
		switch {
		case !kept || !s.wire[number].fits(kind):
			continue
		case inner == nil:
			dst = append(dst, field...)
			continue
		}
		payload, _ := protowire.ConsumeBytes(value)
		pruned, err := inner.pruneWire(make([]byte, 0, len(payload)), payload)
		if err != nil {
			return dst, err
		}
		dst = protowire.AppendBytes(append(dst, field[:head]...), pruned)
	}
	return dst, nil
}
