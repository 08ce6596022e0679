package lifetime

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// frameScanner finds the frame headers of one direction of an HTTP/2 connection (RFC 9113, section 4.1), as they pass in pieces of any
// size. It is not safe for concurrent use.
type frameScanner struct {
	untilHeader int // bytes before the next header
	header      [frameHeaderSize]byte
	headerBytes int // bytes of the header
	onFrame     func(kind http2.FrameType, flags http2.Flags, stream uint32)
}

// frameHeaderSize is the length of a frame's header.
const frameHeaderSize = 9

// scan reads the next bytes. It calls onFrame with the last byte of a frame's header.
func (f *frameScanner) scan(p []byte) {
	for len(p) > 0 {
		if f.untilHeader > 0 {
			n := min(f.untilHeader, len(p))
			f.untilHeader -= n
			p = p[n:]
			continue
		}
		n := copy(f.header[f.headerBytes:], p)
		f.headerBytes += n
		p = p[n:]
		if f.headerBytes == frameHeaderSize {
			f.headerBytes = 0
			f.untilHeader = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
			f.onFrame(http2.FrameType(f.header[3]), http2.Flags(f.header[4]), binary.BigEndian.Uint32(f.header[5:])&(1<<31-1))
		}
	}
}
