// Package wait waits for goroutines for a bounded time (Within), and calls a function at a fixed interval (Every).
package wait

import (
	"context"
	"sync"
	"time"
)

// Within waits until a group's tasks have ended, for at most limit, and reports whether they have. If they have not, it leaves a goroutine
// that ends with them.
func Within(tasks *sync.WaitGroup, limit time.Duration) bool {
	ended := make(chan struct{})
	go func() {
		tasks.Wait()
		close(ended)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

// Every calls a function once an interval until the context ends.
func Every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}
