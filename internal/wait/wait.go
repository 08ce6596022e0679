// Package wait waits for goroutines, but not for ever.
package wait

import (
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
