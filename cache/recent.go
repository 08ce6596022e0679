package cache

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// recent is a small exact LRU, bounded in bytes.
type recent struct {
	mu    sync.Mutex
	limit int64
	used  int64
	order *list.List // of *entry, latest first
	byKey map[string]*list.Element
}

func newRecent(limit int64) *recent {
	return &recent{limit: limit, order: list.New(), byKey: map[string]*list.Element{}}
}

func (r *recent) get(key string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.byKey[key]
	if at == nil {
		return nil
	}
	e, _ := at.Value.(*entry)
	return e
}

// add makes e the latest. An entry that takes more than the limit is not kept.
func (r *recent) add(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.byKey[e.key]; at != nil {
		if at.Value == any(e) {
			r.order.MoveToFront(at)
			return
		}
		r.drop(at)
	}
	if e.cost > r.limit {
		return
	}
	r.byKey[e.key] = r.order.PushFront(e)
	r.used += e.cost
	for r.used > r.limit {
		r.drop(r.order.Back())
	}
}

// drop removes an element; the lock is held.
func (r *recent) drop(at *list.Element) {
	if e, ok := r.order.Remove(at).(*entry); ok {
		delete(r.byKey, e.key)
		r.used -= e.cost
	}
}

func (r *recent) bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// carriers remembers for pages behind links when the page that carries the link was read last, by digest of their keys.
type carriers struct {
	mu          sync.Mutex
	young, aged map[[16]byte]int64
}

const maxCarriers = 1 << 14 // in each of two generations

func newCarriers() *carriers { return &carriers{young: map[[16]byte]int64{}} }

func digest(key string) [16]byte {
	sum := sha256.Sum256([]byte(key))
	return [16]byte(sum[:16])
}

// carry notes that the page with this key is linked to by a page that was read at the given time.
func (c *carriers) carry(key string, read time.Time) {
	id, at := digest(key), read.UnixNano()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= maxCarriers {
		c.aged, c.young = c.young, make(map[[16]byte]int64)
	}
	c.young[id] = max(at, c.young[id], c.aged[id])
}

// before reports whether the carrier of a page is known and was read no later than the page.
func (c *carriers) before(key string, read time.Time) bool {
	id := digest(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	at, known := c.young[id]
	if !known {
		at, known = c.aged[id]
	}
	return known && at <= read.UnixNano()
}
