package chunk

import (
	"encoding/binary"
	"errors"
	"time"
)

// codecVersion is the first byte of an encoded chunk.
const codecVersion = 1

// errEncoded is the only error of Decode.
var errEncoded = errors.New("chunk: not an encoded chunk")

// Encode returns the chunk as bytes that Decode reads, on any replica of the same build: its events and what is known of them, without what
// was made of them since.
func (c *Chunk) Encode() []byte {
	w := writer(make([]byte, 0, int(c.Cost())))
	w = append(w, codecVersion)
	for _, n := range [...]int{c.Rows, c.Duplicates, c.Pages, c.Trimmed} {
		w.number(int64(n))
	}
	w.time(c.AcceptedStart)
	w.time(c.ReadAt)
	w.flags(c.Unfiltered, c.Split, c.Participants.AllVerified.Load())
	w.number(int64(len(c.Edge)))
	for i := range c.Edge {
		w.time(c.Edge[i].Time)
		w.hash(c.Edge[i].Hash)
	}
	w.number(int64(len(c.Entries)))
	for i := range c.Entries {
		e := &c.Entries[i]
		w.time(e.Time)
		w.bytes([]byte(e.Key))
		w.flags(e.OutOfWindow)
		w.number(e.Version)
		w.hash(e.Hash)
		w.bytes(e.Basic)
		w.bytes(e.Unmapped)
	}
	return w
}

// Decode returns the chunk that Encode was given. Nothing in it refers to the bytes but events that are no part of its list.
func Decode(encoded []byte) (*Chunk, error) {
	if len(encoded) == 0 || encoded[0] != codecVersion {
		return nil, errEncoded
	}
	r := &reader{rest: encoded[1:]}
	var counts [4]int
	for i := range counts {
		counts[i] = int(r.number())
	}
	acceptedStart, read, flags := r.time(), r.time(), r.byte()
	edge := make([]Stamp, r.length(minStamp))
	for i := range edge {
		edge[i] = Stamp{r.time(), r.hash()}
	}
	entries := make([]Entry, r.length(minEntry))
	for i := range entries {
		entries[i] = Entry{
			Time: r.time(), Key: string(r.bytes()), OutOfWindow: r.byte()&1 != 0, Version: r.number(), Hash: r.hash(), Basic: r.bytes(), Unmapped: r.bytes(),
		}
	}
	if r.broken || len(r.rest) > 0 {
		return nil, errEncoded
	}
	c := New(entries)
	c.Rows, c.Duplicates, c.Pages, c.Trimmed = counts[0], counts[1], counts[2], counts[3]
	c.AcceptedStart, c.ReadAt, c.Edge = acceptedStart, read, edge
	c.Unfiltered, c.Split = flags&1 != 0, flags&2 != 0
	if flags&4 != 0 {
		c.Participants.Verify()
	}
	return c, nil
}

// The shortest encodings of a stamp and an entry, which bound how many of them so many bytes can hold.
const (
	minStamp = 2 + hashBytes
	minEntry = 2 + 1 + 1 + 1 + hashBytes + 2

	hashBytes = 8
)

// writer appends the parts of an encoded chunk.
type writer []byte

func (w *writer) number(n int64) { *w = binary.AppendVarint(*w, n) }

func (w *writer) time(t time.Time) {
	w.number(t.Unix())
	w.number(int64(t.Nanosecond()))
}

func (w *writer) hash(h uint64) { *w = binary.LittleEndian.AppendUint64(*w, h) }

func (w *writer) bytes(b []byte) {
	w.number(int64(len(b)))
	*w = append(*w, b...)
}

// flags writes up to eight flags in a byte, the first one lowest.
func (w *writer) flags(flags ...bool) {
	var b byte
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	*w = append(*w, b)
}

// reader takes the parts of an encoded chunk apart. After the first part that is not there it is broken and returns zeros.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) take(n int) []byte {
	if r.broken || n < 0 || n > len(r.rest) {
		r.broken = true
		return nil
	}
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if r.broken || size <= 0 {
		r.broken = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// length reads how many parts follow, of which each takes so many bytes at least.
func (r *reader) length(each int) int {
	n := r.number()
	if r.broken || n < 0 || n > int64(len(r.rest)/each) {
		r.broken = true
		return 0
	}
	return int(n)
}

func (r *reader) time() time.Time {
	seconds, nanos := r.number(), r.number()
	if nanos < 0 || nanos >= int64(time.Second) {
		r.broken = true
		return time.Time{}
	}
	return time.Unix(seconds, nanos).UTC()
}

func (r *reader) hash() uint64 {
	if b := r.take(hashBytes); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// bytes reads a part that may be nil when it is empty.
func (r *reader) bytes() []byte {
	if part := r.take(r.length(1)); len(part) > 0 {
		return part
	}
	return nil
}
