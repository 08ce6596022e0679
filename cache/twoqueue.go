package cache

import (
	"container/list"
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"
)

// recent is what was fetched or asked for last, in two exact LRUs that are bounded in bytes: pages that were just fetched
// pass through the first one; those that are asked for again after they left it are held in the second, which a scan does
// not reach (the 2Q of Johnson and Shasha, with ristretto as the place in between).
type recent struct {
	mu    sync.Mutex
	fresh lru
	often lru
	byKey map[string]*list.Element
	// left are digests of pages that left the first LRU, in two generations.
	seed        maphash.Seed
	young, aged map[uint64]struct{}
}

// maxLeft is how many pages that left are remembered in a generation.
const maxLeft = 1 << 13

// newRecent returns an empty recent that holds so many bytes at most, half of them in each LRU.
func newRecent(limit int64) *recent {
	return &recent{
		fresh: lru{limit: limit / 2}, often: lru{limit: limit / 2}, byKey: map[string]*list.Element{},
		seed: maphash.MakeSeed(), young: map[uint64]struct{}{},
	}
}

// get returns an entry and makes it the latest of its LRU.
func (r *recent) get(key string) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.byKey[key]
	if at == nil {
		return nil
	}
	h, _ := at.Value.(*held)
	h.in.order.MoveToFront(at)
	return h.entry
}

// add keeps an entry that was just fetched, in place of an older one. An entry that takes more than an LRU is not kept.
func (r *recent) add(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := &r.fresh
	if r.hasLeft(e.key) {
		to = &r.often
	}
	if at := r.byKey[e.key]; at != nil {
		if h, ok := at.Value.(*held); ok {
			to = h.in
		}
		r.drop(at)
	}
	r.put(e, to)
}

// again keeps an entry that was asked for although it had left.
func (r *recent) again(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.byKey[e.key]; at != nil {
		r.drop(at)
	}
	r.put(e, &r.often)
}

// put makes an entry the latest of an LRU; the lock is held.
func (r *recent) put(e *entry, to *lru) {
	if e.cost > to.limit {
		return
	}
	r.byKey[e.key] = to.order.PushFront(&held{e, to})
	to.used += e.cost
	r.trim(to)
}

// resize changes how many bytes are held at most, and drops what is above.
func (r *recent) resize(limit int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range []*lru{&r.fresh, &r.often} {
		l.limit = limit / 2
		r.trim(l)
	}
}

// trim drops the last entries of an LRU while it is above its limit; the lock is held.
func (r *recent) trim(to *lru) {
	for to.used > to.limit {
		last := to.order.Back()
		if h, ok := last.Value.(*held); ok && to == &r.fresh {
			r.leave(h.entry.key)
		}
		r.drop(last)
	}
}

// drop removes an element; the lock is held.
func (r *recent) drop(at *list.Element) {
	if h, ok := at.Value.(*held); ok {
		h.in.order.Remove(at)
		h.in.used -= h.entry.cost
		delete(r.byKey, h.entry.key)
	}
}

// leave remembers a page that left; the lock is held.
func (r *recent) leave(key string) {
	if len(r.young) >= maxLeft {
		r.aged, r.young = r.young, map[uint64]struct{}{}
	}
	r.young[maphash.String(r.seed, key)] = struct{}{}
}

// hasLeft reports whether a page left not long ago; the lock is held.
func (r *recent) hasLeft(key string) bool {
	id := maphash.String(r.seed, key)
	if _, young := r.young[id]; young {
		return true
	}
	_, aged := r.aged[id]
	return aged
}

func (r *recent) bytes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh.used + r.often.used
}

// lru is a list of entries, the latest first.
type lru struct {
	limit, used int64
	order       list.List // of *held
}

// held is an entry and the LRU that holds it.
type held struct {
	entry *entry
	in    *lru
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
