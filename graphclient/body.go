package graphclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// maxGrowth is by how many bytes compression may make a body longer.
const maxGrowth = 256 << 10

var errTooLarge = errors.New("answer exceeds the size limit")

// maxPooled is the largest buffer that is held for other bodies.
const maxPooled = 4 << 20

// bodyPool holds buffers that bodies are read into, and readers of gzip.
type bodyPool struct {
	buffers sync.Pool // of *[]byte
	gzips   sync.Pool // of *gunzip
}

// get returns a buffer of any size; put it back when nothing refers to it any more.
func (p *bodyPool) get() *[]byte {
	if buffer, ok := p.buffers.Get().(*[]byte); ok {
		return buffer
	}
	return new([]byte)
}

func (p *bodyPool) put(buffer *[]byte) {
	if cap(*buffer) > 0 && cap(*buffer) <= maxPooled {
		p.buffers.Put(buffer)
	}
}

// gunzip decompresses from memory, which is faster than from a reader.
type gunzip struct {
	from   bytes.Reader
	reader gzip.Reader
}

// read reads and decodes a whole body of at most limit decoded bytes into buffer, which it grows if it must.
func (p *bodyPool) read(resp *http.Response, limit int64, buffer []byte) ([]byte, error) {
	r, packed, err := graph.RawBody(resp)
	switch {
	case err != nil:
		return nil, err
	case !packed && resp.ContentLength > limit:
		return nil, errTooLarge
	case !packed:
		return readInto(buffer, r, resp.ContentLength, limit)
	}
	packedBody := p.get()
	defer p.put(packedBody)
	if *packedBody, err = readInto(*packedBody, r, resp.ContentLength, limit+maxGrowth); err != nil {
		return nil, err
	}
	g, ok := p.gzips.Get().(*gunzip)
	if !ok {
		g = &gunzip{}
	}
	defer func() {
		g.from.Reset(nil)
		p.gzips.Put(g)
	}()
	g.from.Reset(*packedBody)
	if err := g.reader.Reset(&g.from); err != nil {
		return nil, err
	}
	return readInto(buffer, &g.reader, unpacked(*packedBody), limit)
}

// unpacked is the unpacked length that a gzip file states (RFC 1952, ISIZE), at most what its packed length allows.
func unpacked(packed []byte) int64 {
	const most = 1032 // times the packed length (RFC 1951)
	if len(packed) < 18 {
		return 0
	}
	return min(int64(binary.LittleEndian.Uint32(packed[len(packed)-4:])), most*int64(len(packed)))
}

// readInto reads to the end, at most limit bytes, into buffer, which it grows if it must. expected is the length if it is known.
func readInto(buffer []byte, r io.Reader, expected, limit int64) ([]byte, error) {
	b := buffer[:0]
	if expected = min(expected, limit); expected >= int64(cap(b)) {
		b = make([]byte, 0, expected+bytes.MinRead) // one byte more shows the end
	}
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, max(bytes.MinRead, len(b)))
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), max(limit+1, int64(len(b))+1))])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// bodyError names what went wrong while a body was read.
func bodyError(ctx context.Context, err error) *graph.Error {
	var own *graph.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errTooLarge):
		return &graph.Error{Kind: graph.KindTooLarge, Err: err, Final: true}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &graph.Error{Kind: graph.KindMalformed, Err: err, Reason: "broken compression"}
	default:
		return graph.TransportError(ctx, err)
	}
}
