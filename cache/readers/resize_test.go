package readers_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/parley-gateway/parley/cache"
)

// TestResizeDropsWhatIsAboveTheLimit: the cache gives way. Whatever is kept is above a new limit no longer than Resize takes, what is
// read meanwhile and after it keeps to it, and a limit that grows again is used again.
func TestResizeDropsWhatIsAboveTheLimit(t *testing.T) {
	t.Parallel()
	c := open(t, cache.Config{MaxBytes: 1 << 20})
	g := &fakeGraph{}
	r := c.Events(g, scope("a"))
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			read(t, t.Context(), r, settled(fmt.Sprint("u", i)), "")
		}
	}
	fill(0, 4000)
	if n := c.Bytes(); n < 512<<10 || n > 1<<20 || c.Limit() != 1<<20 {
		t.Fatalf("%d bytes of %d are kept of 4,000 pages", n, c.Limit())
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() { fill(10_000*(i+1), 10_000*(i+1)+1000) })
	}
	for _, limit := range []int64{512 << 10, 64 << 10, 0, 100 << 10} {
		c.Resize(limit)
	}
	group.Wait()
	if n := c.Bytes(); n > 100<<10 || c.Limit() != 100<<10 {
		t.Errorf("%d bytes are kept, want at most %d", n, c.Limit())
	}
	c.Resize(0)
	if n := c.Bytes(); n != 0 {
		t.Errorf("%d bytes are kept by a cache that may keep none", n)
	}
	read(t, t.Context(), r, settled("u"), "")
	if page := read(t, t.Context(), r, settled("u"), ""); page.FromCache {
		t.Error("a page was kept by a cache that may keep none")
	}
	c.Resize(1 << 20)
	fill(0, 4000)
	if n := c.Bytes(); n < 512<<10 || n > 1<<20 {
		t.Errorf("%d bytes are kept once the cache has its size again", n)
	}
	none := open(t, cache.Config{MaxBytes: -1})
	none.Resize(1 << 20)
	if none.Limit() != 0 || none.Bytes() != 0 {
		t.Error("a cache that keeps nothing has a limit")
	}
}
