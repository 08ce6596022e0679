package cache

import (
	"encoding/binary"
	"time"
)

// Key names the query that a value answers. It is built of parts, each with its length before it, so that no two queries share
// one.
type Key []byte //nolint:recvcheck // Page must not grow the key that it is called on

// NewKey returns a key that begins with the kind of the value. Values of one kind have one type.
func NewKey(kind string) Key {
	k := make(Key, 0, 256)
	k.Text(kind)
	return k
}

// Text appends texts.
func (k *Key) Text(parts ...string) {
	for _, part := range parts {
		*k = binary.AppendUvarint(*k, uint64(len(part)))
		*k = append(*k, part...)
	}
}

// List appends texts and how many they are.
func (k *Key) List(parts []string) {
	k.Number(int64(len(parts)))
	k.Text(parts...)
}

// Number appends a number.
func (k *Key) Number(n int64) { *k = binary.AppendVarint(*k, n) }

// Time appends an instant.
func (k *Key) Time(t time.Time) { k.Number(t.Unix()); k.Number(int64(t.Nanosecond())) }

// Flags appends yes or no for each flag.
func (k *Key) Flags(flags ...bool) {
	for _, set := range flags {
		if set {
			k.Number(1)
		} else {
			k.Number(0)
		}
	}
}

// Page returns the key of the page behind a link of the same query; an empty link is that of the first page.
func (k Key) Page(link string) string {
	full := append(make(Key, 0, len(k)+len(link)+binary.MaxVarintLen64), k...)
	full.Text(link)
	return string(full)
}
