package cache

import (
	"hash/maphash"
	"sync"

	"github.com/parley-gateway/parley/internal/lru"
)

// twoQueue holds what was fetched or asked for last, in two exact LRUs that are bounded in bytes (the 2Q of Johnson and
// Shasha, with ristretto as the place in between): pages that were just fetched pass through the first one; those that are
// asked for again after they left it are held in the second, which a scan does not reach.
type twoQueue struct {
	mu        sync.Mutex
	probation *lru.Cache[string, *entry]
	protected *lru.Cache[string, *entry]
	// ghosts are digests of pages that left probation.
	ghosts *lru.Cache[uint64, struct{}]
	seed   maphash.Seed
}

// maxGhosts is how many pages that left are remembered.
const maxGhosts = 1 << 14

// newTwoQueue returns an empty twoQueue that holds at most limit bytes, half of them in each LRU.
func newTwoQueue(limit int64) *twoQueue {
	q := &twoQueue{
		protected: lru.New[string, *entry](limit/2, nil), ghosts: lru.New[uint64, struct{}](maxGhosts, nil), seed: maphash.MakeSeed(),
	}
	q.probation = lru.New(limit/2, func(key string, _ *entry) { q.ghosts.Put(q.digest(key), struct{}{}) })
	return q
}

func (q *twoQueue) digest(key string) uint64 { return maphash.String(q.seed, key) }

// get returns an entry and makes it the latest of its LRU; nil when neither holds it.
func (q *twoQueue) get(key string) *entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e, ok := q.protected.Get(key); ok {
		return e
	}
	e, _ := q.probation.Get(key)
	return e
}

// put holds an entry that was just fetched, in place of an older one.
func (q *twoQueue) put(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	to := q.probation
	if _, held := q.protected.Get(e.key); held {
		to = q.protected
	} else if _, held := q.probation.Get(e.key); !held {
		if _, left := q.ghosts.Get(q.digest(e.key)); left {
			to = q.protected
		}
	}
	to.PutCost(e.key, e, e.cost)
}

// promote protects an entry that was asked for although it had left.
func (q *twoQueue) promote(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probation.Delete(e.key)
	q.protected.PutCost(e.key, e, e.cost)
}

// resize changes how many bytes are held at most, and drops what is above.
func (q *twoQueue) resize(limit int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probation.Resize(limit / 2)
	q.protected.Resize(limit / 2)
}

func (q *twoQueue) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.probation.Cost() + q.protected.Cost()
}
