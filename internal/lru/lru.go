// Package lru holds values whose costs add up to at most a limit, and forgets those that were used least recently. It does not lock; its
// owner does.
package lru

import "iter"

// Cache holds entries whose costs add up to at most its limit. It is not safe for concurrent use: its owner locks.
type Cache[K comparable, V any] struct {
	limit, cost int64
	evicted     func(K, V)
	entries     map[K]*entry[K, V]
	// ring closes the circle of entries: behind it is the one used last, before it the one to be forgotten next.
	ring entry[K, V]
}

type entry[K comparable, V any] struct {
	before, behind *entry[K, V]
	key            K
	value          V
	cost           int64
}

// New returns an empty Cache. evicted is told of each entry that is forgotten because of the limit; nil = nobody is told.
func New[K comparable, V any](limit int64, evicted func(key K, value V)) *Cache[K, V] {
	c := &Cache[K, V]{limit: limit, evicted: evicted, entries: map[K]*entry[K, V]{}}
	c.ring.before, c.ring.behind = &c.ring, &c.ring
	return c
}

// Get returns the value of a key, which counts as used.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	e := c.entries[key]
	if e == nil {
		return value, false
	}
	e.unlink()
	c.link(e)
	return e.value, true
}

// Put holds a value of cost 1, in place of the key's older one.
func (c *Cache[K, V]) Put(key K, value V) { c.PutCost(key, value, 1) }

// PutCost holds a value, in place of the key's older one. A value that costs more than the limit is not held.
func (c *Cache[K, V]) PutCost(key K, value V, cost int64) {
	c.Delete(key)
	if cost > c.limit {
		return
	}
	e := &entry[K, V]{key: key, value: value, cost: cost}
	c.entries[key] = e
	c.cost += cost
	c.link(e)
	c.trim()
}

// Delete forgets a key.
func (c *Cache[K, V]) Delete(key K) {
	if e := c.entries[key]; e != nil {
		c.remove(e)
	}
}

// Clear forgets all keys.
func (c *Cache[K, V]) Clear() {
	clear(c.entries)
	c.cost = 0
	c.ring.before, c.ring.behind = &c.ring, &c.ring
}

// All returns the entries, the one used last first. Each may be deleted when its turn comes.
func (c *Cache[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e := c.ring.behind; e != &c.ring; {
			next := e.behind
			if !yield(e.key, e.value) {
				return
			}
			e = next
		}
	}
}

// Oldest returns the entries, the one to be forgotten next first. Each may be deleted when its turn comes.
func (c *Cache[K, V]) Oldest() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for e := c.ring.before; e != &c.ring; {
			next := e.before
			if !yield(e.key, e.value) {
				return
			}
			e = next
		}
	}
}

// Len returns the number of entries.
func (c *Cache[K, V]) Len() int { return len(c.entries) }

// Cost returns the sum of the costs of all entries.
func (c *Cache[K, V]) Cost() int64 { return c.cost }

// Resize changes the limit and forgets what is above it.
func (c *Cache[K, V]) Resize(limit int64) {
	c.limit = limit
	c.trim()
}

func (c *Cache[K, V]) trim() {
	for c.cost > c.limit && len(c.entries) > 0 {
		oldest := c.ring.before
		c.remove(oldest)
		if c.evicted != nil {
			c.evicted(oldest.key, oldest.value)
		}
	}
}

func (c *Cache[K, V]) remove(e *entry[K, V]) {
	e.unlink()
	c.cost -= e.cost
	delete(c.entries, e.key)
}

// link makes an entry the one used last.
func (c *Cache[K, V]) link(e *entry[K, V]) {
	e.before, e.behind = &c.ring, c.ring.behind
	e.before.behind, e.behind.before = e, e
}

func (e *entry[K, V]) unlink() {
	e.before.behind, e.behind.before = e.behind, e.before
}
