package timeline

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// maxKey is the longest key that orders by itself; longer ones do by their digest.
const maxKey = 64

// entry is one event of a window.
type entry struct {
	time    time.Time
	key     string
	stray   bool // exempt from order: goes out behind the window's other events
	version int64
	hash    uint64 // names one version of one event
	at      int    // its place in the list of its sheet, or apart
	// basic and unmapped are the encoded event, as those of source.Item.
	basic, unmapped []byte
}

// event decodes an entry's event, view FULL.
func (e *entry) event() (*parleyv1.Event, error) {
	item := source.Item{Basic: e.basic, Unmapped: e.unmapped}
	return item.Event()
}

// replace gives an entry another event.
func (e *entry) replace(event *parleyv1.Event) error {
	item, err := source.NewItem(event)
	if err != nil {
		return err
	}
	e.basic, e.unmapped, e.version, e.at = item.Basic, item.Unmapped, item.Version, apart
	e.hash = hashOf(e.key, e.version)
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

// outside marks an entry as exempt from order; at, if given, stands in for a missing event time.
func (e *entry) outside(at *time.Time) {
	e.stray, e.at = true, apart
	marked := make([]byte, 0, len(e.basic)+32)
	marked = append(marked, e.basic...)
	if at != nil {
		seconds, nanos := uint64(at.Unix()), uint64(at.Nanosecond())
		stamp := protowire.AppendVarint(protowire.AppendTag(nil, stampSeconds, protowire.VarintType), seconds)
		if nanos > 0 {
			stamp = protowire.AppendVarint(protowire.AppendTag(stamp, stampNanos, protowire.VarintType), nanos)
		}
		marked = protowire.AppendBytes(protowire.AppendTag(marked, eventTime, protowire.BytesType), stamp)
	}
	e.basic = protowire.AppendVarint(protowire.AppendTag(marked, eventOutOfRange, protowire.VarintType), 1)
}

// stamp is one row: its time and its digest.
type stamp struct {
	time time.Time
	id   uint64
}

// orderKey bounds the length of a key, so that positions fit into a token.
func orderKey(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "~" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// hashOf is a 64-bit digest in the manner of FNV-1a, eight bytes at a time, equal on every replica.
func hashOf(key string, version int64) uint64 {
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
