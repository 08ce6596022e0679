package lifetime

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// frames reads the frame headers of one direction of an HTTP/2 connection (RFC 9113, section 4.1), as they pass in pieces of any
// size. It is not safe for concurrent use.
type frames struct {
	skip   int // bytes before the next header
	header [frameHeader]byte
	have   int // bytes of the header
	seen   func(kind http2.FrameType, flags http2.Flags, stream uint32)
}

// frameHeader is the length of a frame's header.
const frameHeader = 9

// pass reads on. A frame is seen with the last byte of its header.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		n := copy(f.header[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have == frameHeader {
			f.have = 0
			f.skip = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
			f.seen(http2.FrameType(f.header[3]), http2.Flags(f.header[4]), binary.BigEndian.Uint32(f.header[5:])&(1<<31-1))
		}
	}
}
