package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// store holds values by key up to a limit of bytes, and does not know what they are. Half of its room is the twoQueue's, for
// ristretto's Set is lossy and its admission refuses new values once it is full.
type store[V any] struct {
	queue     *twoQueue[V]
	ristretto *ristretto.Cache[string, *item[V]]
	limit     atomic.Int64
	// inRistretto counts the values that ristretto holds, evicted those that it dropped for room or age.
	inRistretto, evicted atomic.Int64

	resizing sync.Mutex
}

// item is a value with the whole key, which is compared, never only its hash. All but reads never changes.
type item[V any] struct {
	key     string
	value   V
	size    int64
	expires time.Time

	reads int // since the key was held first, up to maxReads; guarded by the twoQueue
}

// newStore returns an empty store of a size in bytes. refused is told of values that ristretto did not admit.
func newStore[V any](size int64, refused func(V)) (*store[V], error) {
	s := &store[V]{}
	s.queue = newTwoQueue(size/2, s.countReads)
	s.limit.Store(size)
	values, err := ristretto.NewCache(&ristretto.Config[string, *item[V]]{
		NumCounters: max(10_000, size/(4<<10)), // ten for each page of about 40 KB
		MaxCost:     max(size-size/2, 1),
		BufferItems: 64,
		// Sizes hold the overhead already.
		IgnoreInternalCost: true,
		OnEvict:            func(*ristretto.Item[*item[V]]) { s.evicted.Add(1) },
		OnExit:             func(*item[V]) { s.inRistretto.Add(-1) },
		OnReject: func(rejected *ristretto.Item[*item[V]]) {
			if rejected.Value != nil {
				refused(rejected.Value.value)
			}
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	s.ristretto = values
	return s, nil
}

// countReads counts in ristretto the reads of an item that has left the twoQueue, which answered them.
func (s *store[V]) countReads(it *item[V]) {
	for range min(it.reads, ristrettoReads) {
		s.ristretto.Get(it.key)
	}
}

// ristrettoReads is up to how many reads of a key ristretto counts.
const ristrettoReads = 15

// get returns the item of a key; nil = there is none. fromRistretto is true if it has left the twoQueue; promote brings it back.
func (s *store[V]) get(key string) (_ *item[V], fromRistretto bool) {
	if it := s.queue.get(key); it != nil {
		return it, false
	}
	it, _ := s.ristretto.Get(key)
	if it == nil || it.key != key {
		return nil, false
	}
	return it, true
}

// promote protects an item that is asked for after it left the twoQueue.
func (s *store[V]) promote(it *item[V]) { s.queue.promote(it) }

// put holds a value of a size for a time, and reports whether ristretto had time for it.
func (s *store[V]) put(key string, value V, size int64, life time.Duration) bool {
	it := &item[V]{key: key, value: value, size: size, expires: time.Now().Add(life)}
	s.queue.put(it)
	taken := s.ristretto.SetWithTTL(key, it, size, life)
	if taken {
		s.inRistretto.Add(1)
	}
	return taken
}

// entries returns the number of values. Both halves hold most of them, and a value counts once.
func (s *store[V]) entries() int64 { return max(s.inRistretto.Load(), s.queue.entries()) }

// largest is the size of the largest value that can be held.
func (s *store[V]) largest() int64 { return s.ristretto.MaxCost() }

// bytes returns the sizes of both halves. A value that both hold counts twice, as it does against the limit.
func (s *store[V]) bytes() int64 {
	return s.ristretto.MaxCost() - s.ristretto.RemainingCost() + s.queue.bytes()
}

// resize changes the limit and drops what is above it: of ristretto everything, for it cannot be asked for what to drop.
func (s *store[V]) resize(limit int64) {
	s.resizing.Lock()
	defer s.resizing.Unlock()
	limit = max(limit, 0)
	s.limit.Store(limit)
	s.queue.resize(limit / 2)
	s.ristretto.UpdateMaxCost(limit - limit/2)
	if s.ristretto.RemainingCost() < 0 {
		s.ristretto.Clear()
	}
}

func (s *store[V]) close() { s.ristretto.Close() }
