// Package eventwire reads and writes the bytes of encoded events. A source encodes each event once, and the packages above it hand the
// bytes on undecoded, so that a wrong number here is a wrong answer that no type check finds.
//
// A list of events is the bytes of the field `events` of EventBatch and of ListEventsResponse, so that the bytes with the rest
// of the message beside them are the message. This package holds the numbers of the fields that Go code encodes or reads by
// hand, and the framing of such lists. Package view leaves out of an encoded event what a view does not show, and package
// wirejson writes encoded events as JSON. None of them knows a window, a source or gRPC.
package eventwire

import (
	"errors"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrList is the error of bytes that are no list of events.
var ErrList = errors.New("eventwire: not a list of events")

// FramedSize returns the size in a list of an event of so many bytes.
func FramedSize(event int) int {
	return protowire.SizeTag(EventBatchEvents) + protowire.SizeBytes(event)
}

// AppendEvent appends an event, given in two parts, to a list. Either part may be empty.
func AppendEvent(list, basic, unmapped []byte) []byte {
	list = protowire.AppendTag(list, EventBatchEvents, protowire.BytesType)
	list = protowire.AppendVarint(list, uint64(len(basic)+len(unmapped)))
	return append(append(list, basic...), unmapped...)
}

// Events iterates over the events of a list. It ends with ErrList where the bytes are none.
func Events(list []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(list) > 0 {
			number, kind, tag := protowire.ConsumeTag(list)
			if tag < 0 || number != EventBatchEvents || kind != protowire.BytesType {
				yield(nil, ErrList)
				return
			}
			event, n := protowire.ConsumeBytes(list[tag:])
			if n < 0 {
				yield(nil, ErrList)
				return
			}
			list = list[tag+n:]
			if !yield(event, nil) {
				return
			}
		}
	}
}

// AppendBatchHead appends what precedes a batch of so many bytes in a StreamEventsResponse: the tag and the length.
func AppendBatchHead(b []byte, batch int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, StreamEventsResponseBatch, protowire.BytesType), uint64(batch))
}

// Field returns the value of a message's first field of a number that has a length; nil when there is none.
func Field(message []byte, number protowire.Number) []byte {
	value, _ := protowire.ConsumeBytes(find(message, number, protowire.BytesType))
	return value
}

// Varint returns the value of a message's first field of a number that is a varint; 0 when there is none.
func Varint(message []byte, number protowire.Number) uint64 {
	value, _ := protowire.ConsumeVarint(find(message, number, protowire.VarintType))
	return value
}

// find returns the encoded value of a message's first field of a number and a type, without its tag; nil when there is none.
func find(message []byte, number protowire.Number, wanted protowire.Type) []byte {
	for len(message) > 0 {
		n, kind, head := protowire.ConsumeTag(message)
		if head < 0 {
			return nil
		}
		size := protowire.ConsumeFieldValue(n, kind, message[head:])
		if size < 0 {
			return nil
		}
		if n == number && kind == wanted {
			return message[head : head+size]
		}
		message = message[head+size:]
	}
	return nil
}
