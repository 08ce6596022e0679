// Package wait waits: for goroutines, but not for ever, and for the next time to do something.
package wait

import (
	"context"
	"sync"
	"time"
)

// Within waits for a group's tasks, for at most a time, and reports whether all of them have ended. The goroutine that it
// leaves behind when they have not ends with them.
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
