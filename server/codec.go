package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // answers calls whose client compresses
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

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
	case *eventFrame:
		return m.parts, nil
	case *timeline.Page:
		return pageAnswer(m)
	}
	return c.CodecV2.Marshal(v)
}

// eventFrame is a StreamEventsResponse that holds a batch of encoded events.
type eventFrame struct {
	parts mem.BufferSlice
	count int // of events
	room  [1 + 10]byte
}

// newEventFrame puts the tag and the length of the batch before its pieces.
func newEventFrame(batch timeline.Batch) *eventFrame {
	size := 0
	for _, piece := range batch.Pieces {
		size += len(piece)
	}
	f := &eventFrame{parts: make(mem.BufferSlice, 0, 1+len(batch.Pieces)), count: batch.Count}
	head := protowire.AppendTag(f.room[:0], frameBatch, protowire.BytesType)
	f.parts = append(f.parts, mem.SliceBuffer(protowire.AppendVarint(head, uint64(size))))
	for _, piece := range batch.Pieces {
		f.parts = append(f.parts, mem.SliceBuffer(piece))
	}
	return f
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
