package rest

import (
	"errors"
	"slices"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/wirejson"
)

// Streams of events are read as bytes, and batches are written as JSON from them: their events never become messages here.

// Numbers of the fields that are read by hand; a test compares them with the contract.
const (
	frameBatch  = 1
	batchEvents = 1
)

var errFrame = errors.New("rest: a frame that cannot be read")

// rawFrame receives the bytes of a message; each message overwrites the one before.
type rawFrame struct{ data []byte }

// rawCodec sends messages as protobuf and receives bytes.
type rawCodec struct{ encoding.CodecV2 }

func newRawCodec() rawCodec { return rawCodec{encoding.GetCodecV2("proto")} }

// Unmarshal implements encoding.CodecV2.
func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	raw, ok := v.(*rawFrame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	raw.data = slices.Grow(raw.data[:0], data.Len())[:data.Len()]
	data.CopyTo(raw.data)
	return nil
}

// batchOf returns the list of events of a frame that is a batch; ok is false for other frames.
func batchOf(data []byte) (list []byte, ok bool) {
	number, kind, n := protowire.ConsumeTag(data)
	if n < 0 || number != frameBatch || kind != protowire.BytesType {
		return nil, false
	}
	list, m := protowire.ConsumeBytes(data[n:])
	return list, m >= 0 && n+m == len(data)
}

// appendBatch writes the JSON of a frame that is a batch of events.
func appendBatch(b, list []byte, events *wirejson.Wire) ([]byte, error) {
	b = append(b, `{"batch":{"events":[`...)
	for first := true; len(list) > 0; first = false {
		number, kind, n := protowire.ConsumeTag(list)
		if n < 0 || number != batchEvents || kind != protowire.BytesType {
			return b, errFrame
		}
		event, m := protowire.ConsumeBytes(list[n:])
		if m < 0 {
			return b, errFrame
		}
		if !first {
			b = append(b, ',')
		}
		var err error
		if b, err = events.Append(b, event); err != nil {
			return b, err
		}
		list = list[n+m:]
	}
	return append(b, `]}}`...), nil
}

// nextRaw returns the next frame of a stream of events.
func (c *call) nextRaw() (frame, error) {
	if err := c.RecvMsg(c.raw); err != nil {
		return frame{}, err
	}
	if list, ok := batchOf(c.raw.data); ok {
		return frame{kind: "batch", list: list}, nil
	}
	message := &parleyv1.StreamEventsResponse{}
	if err := proto.Unmarshal(c.raw.data, message); err != nil {
		return frame{}, errFrame
	}
	return readFrame(message), nil
}
