package data

import (
	"slices"
	"strconv"
	"sync"
)

// indexCache keeps the sorted heads of recent queries, so that the next page of the same chain need not compute them
// again. It holds at most maxIndexed heads.
type indexCache struct {
	mu      sync.Mutex
	entries []indexEntry
	held    int
}

type indexEntry struct {
	key  string
	now  int64
	size int
	rows any
}

const (
	maxIndexed = 1 << 20
	// A large index is allowed to be this much older than the clock.
	staleLarge   = 2_000
	largeIndex   = 5_000
	maxIndexKeys = 64
)

// Indexed returns the rows that compute makes for key. What could have changed since they were computed, because hi
// (ms) is not long past, is computed anew, but for large results within two seconds.
func Indexed[T any](w *World, key string, hi, now int64, compute func() []T) []T {
	c := &w.indexes
	c.mu.Lock()
	for _, e := range slices.Backward(c.entries) {
		settled := hi < e.now-(LateDays+1)*DayMS && hi < now && now-e.now < DayMS
		fresh := now == e.now || settled || (e.size > largeIndex && now > e.now && now-e.now < staleLarge)
		if e.key == key && fresh {
			c.mu.Unlock()
			rows, _ := e.rows.([]T)
			return rows
		}
	}
	c.mu.Unlock()
	rows := compute()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	c.entries = append(c.entries, indexEntry{key: key, now: now, size: len(rows), rows: rows})
	c.held += len(rows)
	for (c.held > maxIndexed || len(c.entries) > maxIndexKeys) && len(c.entries) > 1 {
		c.held -= c.entries[0].size
		c.entries = append(c.entries[:0:0], c.entries[1:]...)
	}
	return rows
}

// DropIndexes forgets the rows of all keys: the clock was moved.
func (w *World) DropIndexes() {
	c := &w.indexes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.held = nil, 0
}

func (c *indexCache) drop(key string) {
	for i, e := range c.entries {
		if e.key == key {
			c.held -= e.size
			c.entries = append(c.entries[:i:i], c.entries[i+1:]...)
			return
		}
	}
}

// IndexKey names the rows of a query: their kind, whose they are, and the filter.
func IndexKey(kind string, u Ref, filter string) string {
	return kind + strconv.Itoa(int(u)) + " " + filter
}
