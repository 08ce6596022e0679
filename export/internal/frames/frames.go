// Package frames receives the frames of StreamTenantEvents. A batch of events stays in its wire format: of each event, Events reads the
// owner, uid and version, and nothing is decoded. All other frames are decoded.
package frames

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"

	parleyclient "github.com/parley-gateway/parley/clients/go"
)

// Numbers of the fields that are read from the wire format, as in the contract.
const (
	frameBatch   protowire.Number = 1
	batchEvents  protowire.Number = 1
	eventUID     protowire.Number = 2
	eventVersion protowire.Number = 3
	eventOwner   protowire.Number = 4
)

// Frame is a frame of the stream: a batch in its wire format, or a decoded frame.
type Frame struct {
	parleyclient.TenantFrame // empty for a batch

	// Batch is the whole frame in its wire format if the frame is a batch and nothing else; nil for all others. It is valid until Release.
	Batch []byte

	buffer mem.Buffer
}

// Release gives the memory of Batch back.
func (f *Frame) Release() {
	if f.buffer != nil {
		f.buffer.Free()
		f.buffer, f.Batch = nil, nil
	}
}

// Open calls StreamTenantEvents on a channel, and returns a receiver of its frames.
func Open(ctx context.Context, conn grpc.ClientConnInterface, request *parleyv1.StreamTenantEventsRequest) (parleyclient.Receiver[*Frame], error) {
	description := &grpc.StreamDesc{StreamName: "StreamTenantEvents", ServerStreams: true}
	stream, err := conn.NewStream(ctx, description, parleyv1.EventService_StreamTenantEvents_FullMethodName, grpc.ForceCodecV2(codec{encoding.GetCodecV2(grpcproto.Name)}))
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil {
		return nil, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return receiver{stream}, nil
}

type receiver struct{ stream grpc.ClientStream }

// Recv returns the next frame.
func (r receiver) Recv() (*Frame, error) {
	frame := &Frame{TenantFrame: parleyclient.TenantFrame{StreamTenantEventsResponse: new(parleyv1.StreamTenantEventsResponse)}}
	if err := r.stream.RecvMsg(frame); err != nil {
		return nil, err
	}
	return frame, nil
}

// codec is the codec of protobuf, but for frames, which it reads as Frame says.
type codec struct{ encoding.CodecV2 }

// Unmarshal reads a frame, or any other message.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	frame, ok := v.(*Frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	if IsBatch(buffer.ReadOnlyData()) {
		frame.buffer, frame.Batch = buffer, buffer.ReadOnlyData()
		return nil
	}
	defer buffer.Free()
	return proto.Unmarshal(buffer.ReadOnlyData(), frame.StreamTenantEventsResponse)
}

// IsBatch reports whether a frame is a batch and nothing else.
func IsBatch(frame []byte) bool {
	_, size := firstField(frame, frameBatch)
	return size > 0 && size == len(frame)
}

// firstField returns the content of the first field of a message, and the size of the field with its tag. The size is 0 if the field has another
// number or no content of bytes.
func firstField(wire []byte, number protowire.Number) (content []byte, size int) {
	first, kind, n := protowire.ConsumeTag(wire)
	if n < 0 || first != number || kind != protowire.BytesType {
		return nil, 0
	}
	content, size = protowire.ConsumeBytes(wire[n:])
	if size < 0 {
		return nil, 0
	}
	return content, n + size
}

// Event is an event of a batch in its wire format, with the fields that identify it.
type Event struct {
	Wire       []byte
	UID, Owner []byte
	Version    int64
}

// Events appends the events of a frame that is a batch. They are parts of the frame's memory. The error says that the frame is damaged.
func Events(to []Event, frame []byte) ([]Event, error) {
	batch, _ := firstField(frame, frameBatch)
	for len(batch) > 0 {
		number, kind, n := protowire.ConsumeTag(batch)
		if n < 0 {
			return nil, fmt.Errorf("a batch of events: %w", protowire.ParseError(n))
		}
		size := protowire.ConsumeFieldValue(number, kind, batch[n:])
		if size < 0 {
			return nil, fmt.Errorf("a batch of events: %w", protowire.ParseError(size))
		}
		if number == batchEvents && kind == protowire.BytesType {
			wire, _ := protowire.ConsumeBytes(batch[n:])
			event, err := eventOf(wire)
			if err != nil {
				return nil, fmt.Errorf("an event: %w", err)
			}
			to = append(to, event)
		}
		batch = batch[n+size:]
	}
	return to, nil
}

// eventOf reads the identifying fields of an event; of several occurrences the last one counts.
func eventOf(wire []byte) (Event, error) {
	event := Event{Wire: wire}
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return Event{}, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, wire[n:])
		if size < 0 {
			return Event{}, protowire.ParseError(size)
		}
		value := wire[n : n+size]
		wire = wire[n+size:]
		switch {
		case number == eventUID && kind == protowire.BytesType:
			event.UID, _ = protowire.ConsumeBytes(value)
		case number == eventOwner && kind == protowire.BytesType:
			event.Owner, _ = protowire.ConsumeBytes(value)
		case number == eventVersion && kind == protowire.VarintType:
			version, _ := protowire.ConsumeVarint(value)
			event.Version = int64(version)
		}
	}
	return event, nil
}

// AppendBatch appends a frame, in its wire format, that is a batch of events.
func AppendBatch(to []byte, events [][]byte) []byte {
	size := 0
	for _, event := range events {
		size += protowire.SizeTag(batchEvents) + protowire.SizeBytes(len(event))
	}
	to = protowire.AppendTag(to, frameBatch, protowire.BytesType)
	to = protowire.AppendVarint(to, uint64(size))
	for _, event := range events {
		to = protowire.AppendTag(to, batchEvents, protowire.BytesType)
		to = protowire.AppendBytes(to, event)
	}
	return to
}
