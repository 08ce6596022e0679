package server

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Shares of the memory limit that live data may take before new work is refused: streams hold most and go first.
const (
	streamShare = 0.75
	callShare   = 0.85
	lookAgain   = 100 * time.Millisecond // how long one look at the heap serves
)

// memory sheds new work before the process meets its memory limit. What runs already goes on and gives its memory back.
type memory struct {
	limit int64        // bytes
	live  func() int64 // bytes that the last collection found in use

	mu     sync.Mutex
	looked time.Time
	used   int64
}

// newMemory watches the limit that GOMEMLIMIT gave the process. Without one nothing is shed.
func newMemory() *memory {
	limit := debug.SetMemoryLimit(-1) // only reads
	if limit <= 0 || limit == math.MaxInt64 {
		return nil
	}
	return &memory{limit: limit, live: liveHeap}
}

// liveHeap is what the last garbage collection found in use; what may be collected does not count.
func liveHeap() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(min(sample[0].Value.Uint64(), math.MaxInt64))
}

// full tells whether new work that takes a share of the memory must be refused; a nil memory never is.
func (m *memory) full(share float64) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.looked) >= lookAgain || now.Before(m.looked) {
		m.used, m.looked = m.live(), now
	}
	return float64(m.used) > share*float64(m.limit)
}
