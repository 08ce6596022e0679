package redisstore

import (
	"sync"
	"time"
)

const (
	// maxFailures is how many operations fail in a row before the store is left alone.
	maxFailures = 3
	// openTime is how long the store is left alone; then one operation tries it.
	openTime = time.Second
)

// breaker leaves the store alone after failures in a row.
type breaker struct {
	mu     sync.Mutex
	failed int       // operations that failed in a row
	until  time.Time // the store is left alone until then
}

// enter reports whether an operation may go ahead. After a rest the first one may, and the others once it has succeeded.
func (b *breaker) enter(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < maxFailures {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(openTime)
	return true
}

// leave learns from an operation that is over.
func (b *breaker) leave(ok bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failed = 0
		return
	}
	if b.failed++; b.failed >= maxFailures {
		b.until = now.Add(openTime)
	}
}

// answering reports whether the last operation succeeded.
func (b *breaker) answering() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed == 0
}
