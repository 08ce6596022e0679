package chunk

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// MaxKey is the longest key that orders by itself; longer ones do by their digest.
const MaxKey = 64

// Entry is one event of a window.
type Entry struct {
	Time        time.Time
	Key         string
	OutOfWindow bool // exempt from order: goes out behind the window's other events
	Version     int64
	Hash        uint64 // names one version of one event
	At          int    // its place in the list of its sheet, or apart
	// Basic and unmapped are the encoded event, as those of source.Item.
	Basic, Unmapped []byte
}

// Event decodes an entry's event, view FULL.
func (e *Entry) Event() (*parleyv1.Event, error) {
	item := source.Item{Basic: e.Basic, Unmapped: e.Unmapped}
	return item.Event()
}

// Replace gives an entry another event.
func (e *Entry) Replace(event *parleyv1.Event) error {
	item, err := source.NewItem(event)
	if err != nil {
		return err
	}
	e.Basic, e.Unmapped, e.Version, e.At = item.Basic, item.Unmapped, item.Version, NotInChunk
	e.Hash = Hash(e.Key, e.Version)
	return nil
}

// Numbers of the fields that are written by hand; a test compares them with the contract.
const (
	listField       = 1 // events of EventBatch and of ListEventsResponse alike
	eventTime       = 7
	eventOutOfRange = 24
	stampSeconds    = 1
	stampNanos      = 2
)

// MarkOutOfWindow marks an entry as exempt from order; at, if given, stands in for a missing event time.
func (e *Entry) MarkOutOfWindow(at *time.Time) {
	e.OutOfWindow, e.At = true, NotInChunk
	marked := make([]byte, 0, len(e.Basic)+32)
	marked = append(marked, e.Basic...)
	if at != nil {
		seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond())
		stamp := protowire.AppendVarint(protowire.AppendTag(nil, stampSeconds, protowire.VarintType), seconds)
		if nanos > 0 {
			stamp = protowire.AppendVarint(protowire.AppendTag(stamp, stampNanos, protowire.VarintType), nanos)
		}
		marked = protowire.AppendBytes(protowire.AppendTag(marked, eventTime, protowire.BytesType), stamp)
	}
	e.Basic = protowire.AppendVarint(protowire.AppendTag(marked, eventOutOfRange, protowire.VarintType), 1)
}

// Stamp is one row: its time and its digest.
type Stamp struct {
	Time time.Time
	Hash uint64
}

// OrderKey bounds the length of a key, so that positions fit into a token.
func OrderKey(key string) string {
	if len(key) <= MaxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Hash is a 64-bit digest in the manner of FNV-1a, eight bytes at a time, equal on every replica.
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
