package fetch

import (
	"context"
	"time"

	"github.com/klauspost/compress/zstd"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// Packer packs and unpacks the chunks of windows. It is safe for concurrent use; Close it.
type Packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// NewPacker returns a Packer.
func NewPacker() (*Packer, error) {
	const most = 64 << 20 // bytes that a chunk is unpacked to
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(most))
	if err != nil {
		return nil, err
	}
	return &Packer{encoder, decoder}, nil
}

// Close frees the memory of the Packer.
func (p *Packer) Close() { p.decoder.Close() }

// pack returns a chunk, encoded and compressed.
func (p *Packer) pack(c *chunk.Chunk) []byte { return p.encoder.EncodeAll(c.Encode(), nil) }

// unpack returns the chunk that pack was given.
func (p *Packer) unpack(packed []byte) (*chunk.Chunk, error) {
	encoded, err := p.decoder.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	return chunk.Decode(encoded)
}

// Packed is a window that was read before its walk began. It never changes.
type Packed struct {
	window     window.Window
	result     *Result // without its chunk where that is packed
	chunk      []byte  // the packed chunk; nil = the result has it
	largest    int64   // rows of the largest page that had a link
	counts     struct{ pages, fromCache, requests int64 }
	unfiltered bool
}

// packedBytes is the memory of a Packed beside its chunk, and of what its holder needs to find it.
const packedBytes = 1 << 10

// Size is the memory of the window.
func (p *Packed) Size() int64 { return packedBytes + int64(len(p.chunk)) + p.result.Chunk.Cost() }

// Window is the window that was read.
func (p *Packed) Window() window.Window { return p.window }

// ReadPacked reads a window that Unpack returns later. nil = it could not be read, or Graph does not keep its bounds: its walk reads it then. That
// it is read in pieces is a result.
// answered is false where the reading ended with GRAPH_UNAVAILABLE or GRAPH_THROTTLED, even if pages came before.
func (r *Reader) ReadPacked(ctx context.Context, with *Packer, w window.Window) (_ *Packed, answered bool) {
	began := time.Now()
	res := r.Read(ctx, Request{Window: w})
	if f := res.Failed; f != nil {
		return nil, f.Reason != parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE && f.Reason != parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED
	}
	if ctx.Err() != nil || res.Reread.Unbounded() {
		return nil, true
	}
	res.Took = time.Since(began)
	p := &Packed{window: w, result: res, largest: r.largest.Load(), unfiltered: r.unfiltered.Load()}
	p.counts.pages, p.counts.fromCache, p.counts.requests = r.Counts()
	if c := res.Chunk; c != nil && !c.Split && len(res.Gaps) == 0 && res.OutOfWindow == 0 {
		bare := *res
		bare.Chunk, bare.Entries = nil, nil
		p.result, p.chunk = &bare, with.pack(c)
	}
	return p, true
}

// Unpack returns the result of a window that was read before, as if it had been read now; nil = it must be read.
func (r *Reader) Unpack(with *Packer, p *Packed) *Result {
	res := p.result.copyForCall()
	if p.chunk != nil {
		var err error
		if res.Chunk, err = with.unpack(p.chunk); err != nil {
			return nil
		}
		res.clip(r.Desc)
	}
	r.pages.Add(p.counts.pages)
	r.fromCache.Add(p.counts.fromCache)
	r.CountRequests(int(p.counts.requests))
	storeMax(&r.largest, p.largest)
	if p.unfiltered {
		r.unfiltered.Store(true)
	}
	return res
}
