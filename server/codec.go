package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // answers calls whose client compresses
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline"
)

// frameBatch is the number of the field `batch` of StreamEventsResponse; a test compares it with the contract.
const frameBatch = 1

// codec is grpc's protobuf codec, but for answers whose events are encoded already: their bytes are handed to the transport
// as they are, beside what is encoded of the rest. Byte for byte that is the message that proto.Marshal writes.
//
// The transport reads the bytes after SendMsg has returned. They belong to a kept window or to one answer alone and are
// never changed; see timeline.EventsRequest.Encoded.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *parleyv1.StreamEventsResponse:
		if list := encodedBatch(m); len(list) > 0 {
			return batchFrame(list), nil
		}
	case *timeline.Page:
		return pageAnswer(m)
	}
	return c.CodecV2.Marshal(v)
}

// encodedBatch is the list of events of a frame that is nothing but a batch of encoded events, else nil.
func encodedBatch(m *parleyv1.StreamEventsResponse) []byte {
	batch := m.GetBatch()
	if batch == nil || len(batch.GetEvents()) > 0 || len(m.ProtoReflect().GetUnknown()) > 0 {
		return nil
	}
	return batch.ProtoReflect().GetUnknown()
}

// frameHead has room for the tag and the length of a batch, and for the list of the frame's parts, in one allocation.
type frameHead struct {
	parts [2]mem.Buffer
	room  [1 + 10]byte
}

// batchFrame is a StreamEventsResponse around a list of events.
func batchFrame(list []byte) mem.BufferSlice {
	head := &frameHead{}
	tag := protowire.AppendTag(head.room[:0], frameBatch, protowire.BytesType)
	tag = protowire.AppendVarint(tag, uint64(len(list)))
	head.parts[0], head.parts[1] = mem.SliceBuffer(tag), mem.SliceBuffer(list)
	return head.parts[:]
}

// restKey names the form of a page that is its answer without the events.
type restKey struct{}

func marshalRest(p *timeline.Page) ([]byte, error) { return proto.Marshal(p.Message) }

// pageAnswer is the ListEventsResponse that a page is: the rest first, then the events, as Marshal orders them where they are
// unknown to the message.
func pageAnswer(p *timeline.Page) (mem.BufferSlice, error) {
	rest, err := p.Form(restKey{}, marshalRest)
	if err != nil {
		return nil, err
	}
	parts := &[2]mem.Buffer{mem.SliceBuffer(rest), mem.SliceBuffer(p.Events)}
	if len(p.Events) == 0 {
		return parts[:1], nil
	}
	return parts[:], nil
}
