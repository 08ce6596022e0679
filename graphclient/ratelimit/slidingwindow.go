package ratelimit

import (
	"math"
	"slices"
	"time"
)

// slidingWindow keeps a limit that is counted over minutes: at most so many requests in
// any span of that length. It is guarded by its budget.
type slidingWindow struct {
	span time.Duration
	most int
	sent []time.Time // in ascending order
}

// tokens is how many requests may be sent at a time.
func (c *slidingWindow) tokens(now time.Time) float64 {
	c.sent = slices.DeleteFunc(c.sent, func(at time.Time) bool { return !at.After(now.Add(-c.span)) })
	return float64(c.most - len(c.sent))
}

// wait is the time until so many may be sent; more than fit into one span take
// further ones.
func (c *slidingWindow) wait(need float64, now time.Time) time.Duration {
	spans := max(0, math.Ceil(need/float64(c.most))-1)
	lack := int(math.Ceil(need - spans*float64(c.most) - c.tokens(now)))
	wait := time.Duration(spans) * c.span
	if lack > 0 {
		wait += c.sent[min(lack, len(c.sent))-1].Add(c.span).Sub(now)
	}
	return wait
}

func (c *slidingWindow) take(now time.Time) { c.sent = append(c.sent, now) }
