package cache

import (
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/parley-gateway/parley/internal/lru"
)

// twoQueue holds the items that were put or asked for last, in two exact LRUs that are bounded in bytes (the 2Q of Johnson and
// Shasha, with ristretto as the place in between). New items pass through probation. A scan does not reach those that are protected:
//
//   - items that are asked for again after they left probation;
//   - items that leave probation after more reads than the protected ones have that would have to make room.
type twoQueue[V any] struct {
	mu        sync.Mutex
	limit     int64                        // bytes of both LRUs together
	probation *lru.Cache[string, *item[V]] // takes what the protected items leave of the limit; trim bounds it
	protected *lru.Cache[string, *item[V]] // takes half of the limit at most
	ghosts    *lru.Cache[uint64, struct{}] // digests of keys that left probation and are not protected
	seed      maphash.Seed
	// left is told of an item that left probation and is not protected.
	left func(*item[V])
}

const (
	// maxGhosts is how many keys that left are remembered.
	maxGhosts = 1 << 14
	// minReads is how often an item must have been asked for on probation to be protected: once may be the retry of a caller.
	minReads = 2
	// maxReads is up to how many reads are counted, so that an item that was read often once makes room in the end.
	maxReads = 256
)

// newTwoQueue returns an empty twoQueue that holds at most limit bytes.
func newTwoQueue[V any](limit int64, left func(*item[V])) *twoQueue[V] {
	return &twoQueue[V]{
		limit:     limit,
		probation: lru.New[string, *item[V]](math.MaxInt64, nil),
		protected: lru.New[string, *item[V]](limit/2, nil),
		ghosts:    lru.New[uint64, struct{}](maxGhosts, nil),
		seed:      maphash.MakeSeed(),
		left:      left,
	}
}

func (q *twoQueue[V]) digest(key string) uint64 { return maphash.String(q.seed, key) }

// get returns an item and makes it the latest of its LRU; nil when neither holds it.
func (q *twoQueue[V]) get(key string) *item[V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	it, held := q.protected.Get(key)
	if !held {
		it, held = q.probation.Get(key)
	}
	if held {
		it.reads = min(it.reads+1, maxReads)
	}
	return it
}

// put holds a new item, in place of the key's older one.
func (q *twoQueue[V]) put(it *item[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if older, held := q.protected.Get(it.key); held {
		it.reads = older.reads
		q.protect(it)
		return
	}
	older, held := q.probation.Get(it.key)
	if held {
		it.reads = older.reads
		q.probation.Delete(it.key)
	} else if _, left := q.ghosts.Get(q.digest(it.key)); left {
		q.protect(it)
		return
	}
	if it.size <= q.limit/2 {
		q.probation.PutCost(it.key, it, it.size)
		q.trim()
	}
}

// promote protects an item that was asked for after it left.
func (q *twoQueue[V]) promote(it *item[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	it.reads = min(it.reads+1, maxReads)
	q.probation.Delete(it.key)
	q.protect(it)
}

// protect holds an item in the protected LRU, whatever it drops for that; the lock is held.
func (q *twoQueue[V]) protect(it *item[V]) {
	q.protected.PutCost(it.key, it, it.size)
	q.trim()
}

// trim has items leave probation until the limit holds; the lock is held.
func (q *twoQueue[V]) trim() {
	for key, it := range q.probation.Oldest() {
		if q.probation.Cost()+q.protected.Cost() <= q.limit {
			return
		}
		q.probation.Delete(key)
		if it.reads >= minReads && q.outweighs(it) {
			q.protected.PutCost(key, it, it.size)
		} else {
			q.ghosts.Put(q.digest(key), struct{}{})
			q.left(it)
		}
	}
}

// outweighs reports whether an item has more reads than the protected items together that would have to make room for it. If not, it takes
// as many reads from these as it has itself, and makes them the latest: an item that nobody reads any more makes room in the end. The lock
// is held.
func (q *twoQueue[V]) outweighs(it *item[V]) bool {
	now := time.Now()
	if !now.Before(it.expires) {
		return false
	}
	missing, reads := q.protected.Cost()+it.size-q.limit/2, 0
	var oldest []*item[V]
	for _, other := range q.protected.Oldest() {
		if missing <= 0 {
			break
		}
		missing -= other.size
		if now.Before(other.expires) {
			reads += other.reads
			oldest = append(oldest, other)
		}
	}
	if it.reads > reads {
		return true
	}
	price := it.reads
	for _, other := range oldest {
		paid := min(other.reads, price)
		other.reads -= paid
		price -= paid
		q.protected.Get(other.key) // it is the latest now
	}
	return false
}

// resize changes how many bytes are held at most, and drops what is above.
func (q *twoQueue[V]) resize(limit int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
	q.protected.Resize(limit / 2)
	q.trim()
}

func (q *twoQueue[V]) entries() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.probation.Len() + q.protected.Len())
}

func (q *twoQueue[V]) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.probation.Cost() + q.protected.Cost()
}
