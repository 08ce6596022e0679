// Package frames receives the frames of StreamTenantEvents as they come: batches of events stay in their wire format, of which little is
// read before they are in the journal. A night is decoded once, when its files are made.
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

// Numbers of fields that are read from the wire format.
const (
	frameBatch   protowire.Number = 1
	batchEvents  protowire.Number = 1
	eventUID     protowire.Number = 2
	eventVersion protowire.Number = 3
	eventOwner   protowire.Number = 4
)

// Frame is a frame of the stream.
type Frame struct {
	parleyclient.TenantFrame // empty for a batch

	// Batch is the whole frame in its wire format if it is a batch, until Release; nil for all others.
	Batch []byte

	buffer mem.Buffer
}

// Release says that Batch is not needed any more.
func (f *Frame) Release() {
	if f.buffer != nil {
		f.buffer.Free()
		f.buffer, f.Batch = nil, nil
	}
}

// Open calls the method on a channel.
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

// codec is that of protobuf, but for frames.
type codec struct{ encoding.CodecV2 }

// Unmarshal reads a frame, or a message.
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
	_, size := content(frame, frameBatch)
	return size > 0 && size == len(frame)
}

// content returns what the first field of a message holds and how long the field is, if it has a number; a size of 0 = it has another one.
func content(wire []byte, number protowire.Number) ([]byte, int) {
	first, kind, n := protowire.ConsumeTag(wire)
	if n < 0 || first != number || kind != protowire.BytesType {
		return nil, 0
	}
	inner, size := protowire.ConsumeBytes(wire[n:])
	if size < 0 {
		return nil, 0
	}
	return inner, n + size
}

// Event is an event of a batch in its wire format, with what tells it apart.
type Event struct {
	Wire       []byte
	UID, Owner []byte
	Version    int64
}

// Events appends the events of a batch.
func Events(to []Event, frame []byte) ([]Event, error) {
	batch, _ := content(frame, frameBatch)
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

// AppendBatch appends a frame that has events.
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
