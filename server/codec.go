package server

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // answers calls whose client compresses
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	"github.com/parley-gateway/parley/timeline"
)

// codec is grpc's protobuf codec, except for answers whose events are encoded already: it hands their bytes to the transport as they
// are, after the encoded rest of the message, the envelope. The result is byte for byte the message that proto.Marshal writes.
//
// The transport reads the bytes after SendMsg has returned. They belong to a cached window or to one answer alone and are
// never changed; see timeline.Batch and timeline.Page.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *timeline.Batch:
		return batchFrame(m), nil
	case *timeline.Page:
		return pageAnswer(m)
	}
	return c.CodecV2.Marshal(v)
}

// countedCodec counts the bytes that a codec hands to the transport.
type countedCodec struct {
	codec

	sent func(bytes int)
}

// Marshal implements encoding.CodecV2.
func (c countedCodec) Marshal(v any) (mem.BufferSlice, error) {
	parts, err := c.codec.Marshal(v)
	if err == nil {
		c.sent(parts.Len())
	}
	return parts, err
}

// twoParts is a message in two parts, in one allocation.
type twoParts struct {
	parts      [2]mem.Buffer
	head, body mem.SliceBuffer
	room       [1 + 10]byte // a tag and a length
}

func (p *twoParts) slice(head, body []byte) mem.BufferSlice {
	p.head, p.body = head, body
	// The pointers are Buffers too, and need no memory of their own.
	p.parts = [2]mem.Buffer{&p.head, &p.body}
	return p.parts[:]
}

// batchFrame returns the frame of a batch: tag and length, then the runs of the batch. It is the same in StreamEventsResponse and
// StreamTenantEventsResponse, where the field of the batch has the same number.
func batchFrame(batch *timeline.Batch) mem.BufferSlice {
	size := 0
	for _, run := range batch.Runs {
		size += len(run)
	}
	p := &twoParts{}
	head := eventwire.AppendBatchHead(p.room[:0], size)
	if len(batch.Runs) == 1 {
		return p.slice(head, batch.Runs[0])
	}
	buffers := make([]mem.SliceBuffer, len(batch.Runs))
	parts := make(mem.BufferSlice, 0, 1+len(buffers))
	p.head = head
	parts = append(parts, &p.head)
	for i, run := range batch.Runs {
		buffers[i] = run
		parts = append(parts, &buffers[i])
	}
	return parts
}

// envelopeKey is the key of a page's envelope, the answer without its events.
type envelopeKey struct{}

func marshalEnvelope(p *timeline.Page) ([]byte, error) { return proto.Marshal(p.Message) }

// pageAnswer returns the ListEventsResponse of a page: the envelope, then the events, which is the order in which proto.Marshal writes
// fields that are unknown to the message.
func pageAnswer(p *timeline.Page) (mem.BufferSlice, error) {
	envelope, err := p.Rendition(envelopeKey{}, marshalEnvelope)
	if err != nil {
		return nil, err
	}
	return (&twoParts{}).slice(envelope, p.Events), nil
}
