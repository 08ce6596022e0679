package timeline

import (
	"slices"
	"strings"
	"testing"
)

// TestRepeatsInToken: a token holds the latest digests, as many as 1 KiB allows with the link, but some beside any link.
func TestRepeatsInToken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		link, rows, digest int
	}{
		{"none", 100, 0, 0},
		{"a few", 100, 5, 5},
		{"many", 100, 1000, mostRepeats},
		{"beside a link", 400, 1000, 38},
		{"beside a long link", 4000, 1000, leastRepeats},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := chainMark{
				link: strings.Repeat("l", test.link), index: 999, last: ^uint64(0), counts: counts{events: 1 << 20, pages: 1 << 10},
			}
			var all []uint64
			for i := range test.rows {
				all = append(all, rowDigest(strings.Repeat("r", i)))
				m.pass(all[i])
			}
			plain := m.encode()
			got, err := decodeChain(plain)
			if err != nil || !slices.Equal(got.repeats, all[len(all)-test.digest:]) {
				t.Errorf("%d digests, want the last %d: %v", len(got.repeats), test.digest, err)
			}
			if len(plain) > cursorRoom && test.digest > leastRepeats {
				t.Errorf("%d bytes, want at most %d", len(plain), cursorRoom)
			}
			got.repeats = nil
			if bare := got.encode(); !slices.Equal(bare, plain[:len(bare)]) || test.digest > 0 && len(plain) != len(bare)+1+digestSize*test.digest {
				t.Errorf("%d bytes without digests, %d with %d", len(bare), len(plain), test.digest)
			}
		})
	}
}
