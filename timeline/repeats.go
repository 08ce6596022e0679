package timeline

import (
	"crypto/sha256"
	"encoding/binary"
)

// A chain's cursor names the last rows by a digest each, so that the next call knows them when Graph sends them again.
const (
	leastRepeats = 16            // digests that a token has room for, however long the link
	mostRepeats  = 64            // digests that a token holds at most
	digestSize   = 8             // bytes
	cursorRoom   = 1024*3/4 - 33 // plain bytes in a token of 1 KiB: sealing adds 33 bytes, base64 a third
)

// rowDigest names a row by its key, the same on every replica. Two keys share one in 2^64 pairs.
func rowDigest(key string) uint64 {
	sum := sha256.Sum256([]byte(key))
	return binary.BigEndian.Uint64(sum[:digestSize])
}

// pass notes a row that the cursor has passed.
func (m *chainMark) pass(digest uint64) {
	if len(m.repeats) >= 2*mostRepeats {
		m.repeats = append(m.repeats[:0], m.repeats[len(m.repeats)-mostRepeats:]...)
	}
	m.repeats = append(m.repeats, digest)
}

// repeats writes as many of the latest digests as a token of 1 KiB has room for behind what is there, but leastRepeats in
// any case. None are written as nothing at all.
func (e *encoder) repeats(digests []uint64) {
	most := min(max((cursorRoom-len(*e)-1)/digestSize, leastRepeats), mostRepeats)
	digests = digests[max(0, len(digests)-most):]
	if len(digests) == 0 {
		return
	}
	e.uint(uint64(len(digests)))
	for _, digest := range digests {
		*e = binary.BigEndian.AppendUint64(*e, digest)
	}
}

// repeats reads what is left of a cursor over a chain.
func (d *decoder) repeats() (digests []uint64) {
	if len(d.data) == 0 {
		return nil
	}
	for range d.count(mostRepeats) {
		digests = append(digests, d.fixed())
	}
	return digests
}
