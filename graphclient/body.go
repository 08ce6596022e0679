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

// maxGrowth is by how many bytes a body may be longer compressed than not.
const maxGrowth = 256 << 10

var errTooLarge = errors.New("answer exceeds the size limit")

// maxLent is the largest array that is kept for other bodies.
const maxLent = 4 << 20

// lender lends arrays that bodies are read into, and readers of gzip.
type lender struct {
	arrays sync.Pool // of *[]byte
	gzips  sync.Pool // of *gunzip
}

// array is one of any size; give it back when nothing refers to it any more.
func (l *lender) array() *[]byte {
	if array, ok := l.arrays.Get().(*[]byte); ok {
		return array
	}
	return new([]byte)
}

func (l *lender) giveBack(array *[]byte) {
	if cap(*array) > 0 && cap(*array) <= maxLent {
		l.arrays.Put(array)
	}
}

// gunzip decompresses from memory, which is faster than from a reader.
type gunzip struct {
	from   bytes.Reader
	reader gzip.Reader
}

// read reads and decodes a whole body of at most limit decoded bytes into room, which it grows if it must.
func (l *lender) read(resp *http.Response, limit int64, room []byte) ([]byte, error) {
	r, packed, err := graph.Encoding(resp)
	switch {
	case err != nil:
		return nil, err
	case !packed && resp.ContentLength > limit:
		return nil, errTooLarge
	case !packed:
		return readInto(room, r, resp.ContentLength, limit)
	}
	lent := l.array()
	defer l.giveBack(lent)
	if *lent, err = readInto(*lent, r, resp.ContentLength, limit+maxGrowth); err != nil {
		return nil, err
	}
	g, ok := l.gzips.Get().(*gunzip)
	if !ok {
		g = &gunzip{}
	}
	defer func() {
		g.from.Reset(nil)
		l.gzips.Put(g)
	}()
	g.from.Reset(*lent)
	if err := g.reader.Reset(&g.from); err != nil {
		return nil, err
	}
	return readInto(room, &g.reader, unpacked(*lent), limit)
}

// unpacked is the length that a gzip file says it has unpacked (RFC 1952, ISIZE), if that is possible.
func unpacked(packed []byte) int64 {
	const most = 1032 // times the packed length (RFC 1951)
	if len(packed) < 18 {
		return 0
	}
	return min(int64(binary.LittleEndian.Uint32(packed[len(packed)-4:])), most*int64(len(packed)))
}

// readInto reads to the end, at most limit bytes, into room, which it grows if it must. expected is the length if it is known.
func readInto(room []byte, r io.Reader, expected, limit int64) ([]byte, error) {
	b := room[:0]
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
