package fetch

import (
	"context"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/window"
)

// Ahead is a window that was read before its walk was begun. It never changes.
type Ahead struct {
	window  window.Window
	result  *Result // without its chunk if that is packed
	packed  []byte  // the chunk, encoded and compressed
	largest int64   // rows of the largest page that had a link
	counts  struct{ pages, fromCache, requests int64 }

	unfiltered bool
}

// aheadBytes is the memory of an Ahead beside its chunk, and of what its holder needs to find it.
const aheadBytes = 1 << 10

// Size is the memory of the window.
func (a *Ahead) Size() int64 { return aheadBytes + int64(len(a.packed)) + a.result.Chunk.Cost() }

// Window is the window that was read.
func (a *Ahead) Window() window.Window { return a.window }

// Packer packs the windows that are read ahead. It is safe for concurrent use; Close it.
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

// ReadAhead reads a window that Use returns later. nil = it could not be read, or must be read in another way: its walk reads it then.
func (r *Reader) ReadAhead(ctx context.Context, p *Packer, w window.Window) *Ahead {
	began := time.Now()
	res := r.Read(ctx, Request{Window: w})
	if ctx.Err() != nil || res.Failed != nil || res.BoundsIgnored || res.Halve {
		return nil
	}
	res.Took = time.Since(began)
	a := &Ahead{window: w, result: res, largest: r.largest.Load(), unfiltered: r.unfiltered.Load()}
	a.counts.pages, a.counts.fromCache, a.counts.requests = r.Counts()
	if c := res.Chunk; c != nil && !c.Split && len(res.Gaps) == 0 && res.OutOfWindow == 0 {
		bare := *res
		bare.Chunk, bare.Entries = nil, nil
		a.result, a.packed = &bare, p.encoder.EncodeAll(c.Encode(), nil)
	}
	return a
}

// Use returns the result of a window that was read ahead, as if it had been read now; nil = it must be read.
func (r *Reader) Use(p *Packer, a *Ahead) *Result {
	res := a.result.share()
	if a.packed != nil {
		encoded, err := p.decoder.DecodeAll(a.packed, nil)
		if err != nil {
			return nil
		}
		if res.Chunk, err = chunk.Decode(encoded); err != nil {
			return nil
		}
		res.clip(r.Desc)
	}
	r.pages.Add(a.counts.pages)
	r.fromCache.Add(a.counts.fromCache)
	r.CountRequests(int(a.counts.requests))
	raise(&r.largest, a.largest)
	if a.unfiltered {
		r.unfiltered.Store(true)
	}
	return res
}
