package ratelimit

import (
	"sync"
	"time"
)

// Days counts what each caller has sent since midnight UTC. The counts are this process's own: replicas do not share them.
type Days struct {
	limit int // requests a day; 0 = no limit

	mu   sync.Mutex
	day  time.Time // midnight UTC
	sent map[string]int
}

// NewDays counts up to limit requests a day of each caller; 0 = no limit.
func NewDays(limit int) *Days { return &Days{limit: limit, sent: map[string]int{}} }

// Take counts one request of a caller, or returns the time until the next day when there is none left.
func (d *Days) Take(caller string, now time.Time) (left time.Duration) {
	if d.limit <= 0 || caller == "" {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if today := midnight(now); !today.Equal(d.day) {
		d.day = today
		clear(d.sent)
	}
	if d.sent[caller] >= d.limit {
		return d.day.Add(24 * time.Hour).Sub(now)
	}
	d.sent[caller]++
	return 0
}

// GiveBack returns a request that was not sent after all.
func (d *Days) GiveBack(caller string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sent[caller] > 0 {
		d.sent[caller]--
	}
}

func midnight(t time.Time) time.Time {
	y, m, day := t.UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, time.UTC)
}
