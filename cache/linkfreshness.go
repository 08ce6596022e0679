package cache

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/lru"
)

// linkFreshness remembers for pages behind links when a page that carries the link was read last.
type linkFreshness struct {
	mu   sync.Mutex
	read *lru.Cache[linkDigest, int64] // Unix nanoseconds
}

// linkDigest stands for the key of the page behind a link.
type linkDigest [16]byte

// maxLinks is how many links are remembered.
const maxLinks = 1 << 15

func newLinkFreshness() *linkFreshness {
	return &linkFreshness{read: lru.New[linkDigest, int64](maxLinks, nil)}
}

func digestOf(key string) linkDigest {
	sum := sha256.Sum256([]byte(key))
	return linkDigest(sum[:16])
}

// note stores that a page which was read at the given time links to the page with this key.
func (l *linkFreshness) note(key string, read time.Time) {
	id, at := digestOf(key), read.UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	known, _ := l.read.Get(id)
	l.read.Put(id, max(at, known))
}

// allows reports whether the page that carries the link is known and was read no later than the page behind it.
func (l *linkFreshness) allows(key string, read time.Time) bool {
	id := digestOf(key)
	l.mu.Lock()
	defer l.mu.Unlock()
	at, known := l.read.Get(id)
	return known && at <= read.UnixNano()
}
