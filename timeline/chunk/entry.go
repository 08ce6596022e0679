package chunk

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// MaxKey is the length of the longest key that orders by itself. A longer key orders by its digest.
const MaxKey = 64

// NotInChunk is the index of an entry that is not in the list of its chunk: it was changed for one call, it is out of its window,
// or it is larger than an answer may be.
const NotInChunk = -1

// Entry is one event of a window.
type Entry struct {
	// Time and Key order the events.
	Time time.Time
	Key  string
	// OutOfWindow says that the event is exempt from the order: it is delivered after the other events of its window.
	OutOfWindow bool
	// Version is larger for a newer version of the event.
	Version int64
	// Hash identifies one version of one event.
	Hash uint64
	// At is the index of the event in the list of its chunk, or NotInChunk.
	At int
	// Basic and Unmapped are the encoded event, as in source.Item.
	Basic, Unmapped []byte
}

// fits reports whether the event goes into the list of its chunk.
func (e *Entry) fits() bool { return !e.OutOfWindow && e.Size() <= MaxFrameEvents }

// Size is the size of the event, view FULL, in a list field.
func (e *Entry) Size() int { return eventwire.FramedSize(len(e.Basic) + len(e.Unmapped)) }

// Event decodes the event, view FULL.
func (e *Entry) Event() (*parleyv1.Event, error) {
	item := source.Item{Basic: e.Basic, Unmapped: e.Unmapped}
	return item.Event()
}

// Replace puts another event in place of the entry's.
func (e *Entry) Replace(event *parleyv1.Event) error {
	item, err := source.NewItem(event)
	if err != nil {
		return err
	}
	e.Basic, e.Unmapped, e.Version, e.At = item.Basic, item.Unmapped, item.Version, NotInChunk
	e.Hash = Hash(e.Key, e.Version)
	return nil
}

// MarkOutOfWindow exempts the entry from the order and marks its event. A given time stands in for a missing event time.
func (e *Entry) MarkOutOfWindow(at *time.Time) {
	e.OutOfWindow, e.At = true, NotInChunk
	marked := make([]byte, 0, len(e.Basic)+32)
	marked = append(marked, e.Basic...)
	if at != nil {
		seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond())
		stamp := protowire.AppendVarint(protowire.AppendTag(nil, eventwire.TimestampSeconds, protowire.VarintType), seconds)
		if nanos > 0 {
			stamp = protowire.AppendVarint(protowire.AppendTag(stamp, eventwire.TimestampNanos, protowire.VarintType), nanos)
		}
		marked = protowire.AppendBytes(protowire.AppendTag(marked, eventwire.EventEventTime, protowire.BytesType), stamp)
	}
	e.Basic = protowire.AppendVarint(protowire.AppendTag(marked, eventwire.EventOutOfWindow, protowire.VarintType), 1)
	e.Unmapped = bytes.Clone(e.Unmapped) // both were slices of one array, which is not kept for a part of it
}

// Stamp identifies one row by its time and its hash.
type Stamp struct {
	Time time.Time
	Hash uint64
}

// OrderKey returns the key that an event is ordered by: the key itself, or its digest when it is too long for a token.
func OrderKey(key string) string {
	if len(key) <= MaxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Hash returns a 64-bit hash of a key and a version, in the manner of FNV-1a, eight bytes at a time. It is equal on every replica.
func Hash(key string, version int64) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	mix := func(word uint64) {
		h = (h ^ word) * prime
		h ^= h >> 32
	}
	for ; len(key) >= 8; key = key[8:] {
		mix(uint64(key[0]) | uint64(key[1])<<8 | uint64(key[2])<<16 | uint64(key[3])<<24 |
			uint64(key[4])<<32 | uint64(key[5])<<40 | uint64(key[6])<<48 | uint64(key[7])<<56)
	}
	last := uint64(len(key)) << 56 // no more than seven bytes are left
	for i := range len(key) {
		last |= uint64(key[i]) << (8 * i)
	}
	mix(last)
	mix(uint64(version))
	return h
}
