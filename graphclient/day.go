package graphclient

import (
	"sync"
	"time"
)

// days counts what each caller has sent since midnight UTC. The counts are this process's own: replicas do not share them.
type days struct {
	limit int // requests a day; 0 = no limit

	mu   sync.Mutex
	day  time.Time // midnight UTC
	sent map[string]int
}

func newDays(limit int) *days { return &days{limit: limit, sent: map[string]int{}} }

// take counts one request of a caller, or returns the time until the next day when there is none left.
func (d *days) take(caller string, now time.Time) (left time.Duration) {
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

// giveBack returns a request that was not sent after all.
func (d *days) giveBack(caller string) {
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
