package cache

import (
	"hash/maphash"
	"sync"

	"github.com/parley-gateway/parley/internal/lru"
)

// twoQueue holds the items that were put or asked for last, in two exact LRUs that are bounded in bytes (the 2Q of Johnson and
// Shasha, with ristretto as the place in between): new items pass through probation; those that are asked for again after
// they left it are protected, and a scan does not reach them.
type twoQueue[V any] struct {
	mu        sync.Mutex
	probation *lru.Cache[string, *item[V]]
	protected *lru.Cache[string, *item[V]]
	// ghosts are digests of keys that left probation.
	ghosts *lru.Cache[uint64, struct{}]
	seed   maphash.Seed
}

// maxGhosts is how many keys that left are remembered.
const maxGhosts = 1 << 14

// newTwoQueue returns an empty twoQueue that holds at most limit bytes, half of them in each LRU.
func newTwoQueue[V any](limit int64) *twoQueue[V] {
	q := &twoQueue[V]{
		protected: lru.New[string, *item[V]](limit/2, nil), ghosts: lru.New[uint64, struct{}](maxGhosts, nil), seed: maphash.MakeSeed(),
	}
	q.probation = lru.New(limit/2, func(key string, _ *item[V]) { q.ghosts.Put(q.digest(key), struct{}{}) })
	return q
}

func (q *twoQueue[V]) digest(key string) uint64 { return maphash.String(q.seed, key) }

// get returns an item and makes it the latest of its LRU; nil when neither holds it.
func (q *twoQueue[V]) get(key string) *item[V] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it, ok := q.protected.Get(key); ok {
		return it
	}
	it, _ := q.probation.Get(key)
	return it
}

// put holds a new item, in place of the key's older one.
func (q *twoQueue[V]) put(it *item[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	to := q.probation
	if _, held := q.protected.Get(it.key); held {
		to = q.protected
	} else if _, held := q.probation.Get(it.key); !held {
		if _, left := q.ghosts.Get(q.digest(it.key)); left {
			to = q.protected
		}
	}
	to.PutCost(it.key, it, it.size)
}

// promote protects an item that was asked for although it had left.
func (q *twoQueue[V]) promote(it *item[V]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probation.Delete(it.key)
	q.protected.PutCost(it.key, it, it.size)
}

// resize changes how many bytes are held at most, and drops what is above.
func (q *twoQueue[V]) resize(limit int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probation.Resize(limit / 2)
	q.protected.Resize(limit / 2)
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
