package graphclient

import (
	"math"
	"slices"
	"time"
)

// recent keeps a limit that is counted over minutes: at most so many requests in
// any span of that length. It is guarded by its budget.
type recent struct {
	span time.Duration
	most int
	sent []time.Time // in ascending order
}

// tokens is how many requests may be sent at a time.
func (r *recent) tokens(now time.Time) float64 {
	r.sent = slices.DeleteFunc(r.sent, func(at time.Time) bool { return !at.After(now.Add(-r.span)) })
	return float64(r.most - len(r.sent))
}

// wait is the time until so many may be sent; more than fit into one span take
// further ones.
func (r *recent) wait(need float64, now time.Time) time.Duration {
	spans := max(0, math.Ceil(need/float64(r.most))-1)
	lack := int(math.Ceil(need - spans*float64(r.most) - r.tokens(now)))
	wait := time.Duration(spans) * r.span
	if lack > 0 {
		wait += r.sent[min(lack, len(r.sent))-1].Add(r.span).Sub(now)
	}
	return wait
}

func (r *recent) take(now time.Time) { r.sent = append(r.sent, now) }
