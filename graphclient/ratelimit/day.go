package ratelimit

import (
	"context"
	"sync"
	"time"
)

// DayPool counts the days of callers for several processes, by a clock of its own. After an error a process counts by itself.
type DayPool interface {
	// TakeDay counts one request of a caller whose day has so many, and returns how many remain; without one that remains it counts
	// nothing and returns the time until the next day.
	TakeDay(ctx context.Context, caller string, limit int) (remain int, wait time.Duration, err error)
	// GiveDayBack returns a request that was not sent after all.
	GiveDayBack(ctx context.Context, caller string) error
	Presence
}

// Days counts what each caller has sent since midnight UTC: in a DayPool while there is one, else what this process has sent.
type Days struct {
	limit int     // requests a day; 0 = no limit
	pool  DayPool // nil = none

	mu   sync.Mutex
	day  time.Time      // midnight UTC
	left map[string]int // what this process may still send by itself
}

// NewDays counts up to limit requests a day of each caller; 0 = no limit.
func NewDays(limit int) *Days { return &Days{limit: limit, left: map[string]int{}} }

// UsePool makes the days those of a pool. It is called before the first request. While the pool is not there, each process allows a caller
// its part of what remained when the pool was last asked: one of as many as there are processes.
func (d *Days) UsePool(pool DayPool) { d.pool = pool }

// Take counts one request of a caller, or returns the time until the next day when there is none left. giveBack returns the request, if it
// is not sent after all, to where it was counted.
func (d *Days) Take(ctx context.Context, caller string, now time.Time) (wait time.Duration, giveBack func()) {
	if d.limit <= 0 || caller == "" {
		return 0, func() {}
	}
	if d.pool != nil && d.pool.Up() {
		if remain, wait, err := d.pool.TakeDay(ctx, caller, max(1, int(float64(d.limit)*d.pool.Part()))); err == nil {
			d.learn(caller, now, remain)
			return wait, func() { _ = d.pool.GiveDayBack(context.WithoutCancel(ctx), caller) } // one too many counts until the next day
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin(now)
	left, known := d.left[caller]
	if !known {
		left = d.part(d.limit)
	}
	if left <= 0 {
		return d.day.Add(24 * time.Hour).Sub(now), func() {}
	}
	d.left[caller] = left - 1
	return 0, func() { d.giveBack(caller) }
}

// giveBack returns a request that this process has counted by itself.
func (d *Days) giveBack(caller string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if left, known := d.left[caller]; known {
		d.left[caller] = min(left+1, d.limit)
	}
}

// learn takes over what remains of a caller's day.
func (d *Days) learn(caller string, now time.Time, remain int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin(now)
	d.left[caller] = d.part(remain)
}

// part is this process's part of a number of requests.
func (d *Days) part(of int) int {
	if d.pool == nil {
		return of
	}
	n := max(1, d.pool.Replicas())
	return (of + n - 1) / n
}

// begin forgets the day before. The lock is held.
func (d *Days) begin(now time.Time) {
	if today := midnight(now); !today.Equal(d.day) {
		d.day = today
		clear(d.left)
	}
}

func midnight(t time.Time) time.Time {
	y, m, day := t.UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, time.UTC)
}
