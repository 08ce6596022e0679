package tenant

import (
	"hash/maphash"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/seen"
)

// rememberedEvents is how many hashes each of the two generations of a Copies holds, in tables that are at most half full: 8 MiB
// in all, and the latest 250,000 events are known at least.
const rememberedEvents = 1 << 18

// Copies finds the events that were sent under another user. It remembers a bounded number of them.
type Copies struct {
	seed maphash.Seed
	seen seen.Set
}

// NewCopies returns a Copies that has seen nothing.
func NewCopies() *Copies {
	return &Copies{seed: maphash.MakeSeed(), seen: seen.Set{Most: rememberedEvents}}
}

// HasCopies reports whether several users may have one event of a source: a message or a call.
func HasCopies(src parleyv1.Source) bool { return src != parleyv1.Source_SOURCE_COPILOT }

// Split returns the events of a list that were not sent before, as parts of the list, and their number. The others are its copies.
func (c *Copies) Split(list []byte) (parts [][]byte, n int, copies []*parleyv1.EventCopy, err error) {
	begin, at := 0, 0 // of the part that is being collected, and of the next event
	for event, err := range eventwire.Events(list) {
		if err != nil {
			return nil, 0, nil, err
		}
		end := at + eventwire.FramedSize(len(event))
		if c.seen.AddNew(c.hash(event)) {
			n++
		} else {
			if begin < at {
				parts = append(parts, list[begin:at])
			}
			begin = end
			copies = append(copies, &parleyv1.EventCopy{
				Name: string(eventwire.Field(event, eventwire.EventName)), Uid: string(eventwire.Field(event, eventwire.EventUID)),
			})
		}
		at = end
	}
	if begin < at {
		parts = append(parts, list[begin:at])
	}
	return parts, n, copies, nil
}

// hash is the hash of an event's uid and version.
func (c *Copies) hash(event []byte) uint64 {
	var hash maphash.Hash
	hash.SetSeed(c.seed)
	_, _ = hash.Write(eventwire.Field(event, eventwire.EventUID)) // a hash takes everything
	version := eventwire.Varint(event, eventwire.EventVersion)
	for range 8 {
		_ = hash.WriteByte(byte(version))
		version >>= 8
	}
	return hash.Sum64()
}
