package cache

import (
	"encoding/binary"
	"time"
)

// keyed builds a key from parts, each with its length before it, so that no two requests share one.
type keyed []byte //nolint:recvcheck // with must not grow the key it is called on

func newKey(kind string, s Scope) keyed {
	k := make(keyed, 0, 256)
	k.text(kind, s.Tenant, s.Identity)
	k.number(int64(s.Source))
	return k
}

func (k *keyed) text(parts ...string) {
	for _, part := range parts {
		*k = binary.AppendUvarint(*k, uint64(len(part)))
		*k = append(*k, part...)
	}
}

func (k *keyed) list(parts []string) {
	k.number(int64(len(parts)))
	k.text(parts...)
}

func (k *keyed) number(n int64) { *k = binary.AppendVarint(*k, n) }

func (k *keyed) time(t time.Time) { k.number(t.Unix()); k.number(int64(t.Nanosecond())) }

func (k *keyed) flags(flags ...bool) {
	for _, set := range flags {
		if set {
			k.number(1)
		} else {
			k.number(0)
		}
	}
}

// with returns the key of the page behind a link of the same query.
func (k keyed) with(link string) string {
	full := append(make(keyed, 0, len(k)+len(link)+binary.MaxVarintLen64), k...)
	full.text(link)
	return string(full)
}
