//go:build !race

package cache

import (
	"sync"
	"testing"
	"time"
)

// results counts what an Observer is told.
type results struct {
	mu    sync.Mutex
	count map[string]int
}

func (r *results) CacheRequest(from, result string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil {
		r.count = map[string]int{}
	}
	r.count[from+" "+result]++
}

func (r *results) of(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[what]
}

// TestEveryFetchedPageIsCachedRefusedOrLost holds that every page that was fetched is kept, refused or lost, and counted so.
func TestEveryFetchedPageIsCachedRefusedOrLost(t *testing.T) {
	t.Parallel()
	const pages, popular = 400, 100
	seen := &results{}
	c, err := New(Config{MaxBytes: popular * ratioPage, Observer: seen})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	g := &fetcher{}
	read := func(user string, n int) {
		t.Helper()
		g.get(t, c, user, n)
	}
	// Pages that are asked for again and again fill the store; others are then refused.
	for range 20 {
		for n := range popular * 3 / 4 {
			read("popular", n)
		}
	}
	for n := range pages {
		read("others", n)
	}
	if refused := seen.of("chat refused"); refused < pages/2 {
		t.Errorf("%d of %d pages that nobody asks for again were refused", refused, pages)
	}
	if asked := seen.of("chat miss"); asked != g.fetched {
		t.Errorf("%d misses, %d requests", asked, g.fetched)
	}
	if n := seen.of("chat lost"); n != 0 {
		t.Errorf("%d pages were lost by a store that had time for each", n)
	}
	// A store that is closed takes nothing.
	c.store.close()
	c.put(&entry{key: "k", label: "chat", size: 1, expires: time.Now().Add(time.Minute)})
	if n := seen.of("chat lost"); n != 1 {
		t.Errorf("%d lost pages are counted, want 1", n)
	}
}
