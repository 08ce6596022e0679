package cursor

import (
	"slices"
	"strings"
	"testing"
)

// TestTokenHoldsTheLatestDigests: a token holds the latest digests, as many as 1 KiB allows with the link, but some beside any link.
func TestTokenHoldsTheLatestDigests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name               string
		link, rows, digest int
	}{
		{"none", 100, 0, 0},
		{"a few", 100, 5, 5},
		{"many", 100, 1000, maxDelivered},
		{"beside a link", 400, 1000, 37},
		{"beside a long link", 4000, 1000, minDelivered},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := &Pages{
				Link: strings.Repeat("l", test.link), Index: 999, Last: ^uint64(0), Counts: Counts{Events: 1 << 20, Pages: 1 << 10},
			}
			all := make([]uint64, 0, test.rows)
			for i := range test.rows {
				all = append(all, uint64(i)*0x9e3779b97f4a7c15)
				p.Deliver(all[i])
			}
			plain, err := p.encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodePages(plain)
			if err != nil || !slices.Equal(got.Delivered, all[len(all)-test.digest:]) {
				t.Errorf("%d digests, want the last %d: %v", len(got.Delivered), test.digest, err)
			}
			if len(plain) > room && test.digest > minDelivered {
				t.Errorf("%d bytes, want at most %d", len(plain), room)
			}
			if free := room - len(plain); test.digest > minDelivered && test.digest < min(test.rows, maxDelivered) && free > 2*digestSize {
				t.Errorf("%d bytes are free", free)
			}
		})
	}
}
