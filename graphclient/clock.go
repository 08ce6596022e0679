package graphclient

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
)

// dateStep is the resolution of a Date header.
const dateStep = time.Second

// clock learns from the Date of Graph's answers how far this machine's clock is ahead of Graph's.
type clock struct{ ahead atomic.Int64 } // nanoseconds

// observe takes note of one answer. Graph set its Date between sent and received, and truncated it to whole seconds. As long as
// both clocks may be equal within these bounds, they count as equal. Else the skew is counted from the Date, the earliest time that
// Graph's clock may have shown.
func (c *clock) observe(h http.Header, sent, received time.Time) {
	date := graph.ServerDate(h)
	if date.IsZero() {
		return
	}
	ahead := received.Sub(date)
	if !date.After(received) && sent.Before(date.Add(dateStep)) {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// Skew is how far this machine's clock was ahead of Graph's at the last answer, negative when it was behind; 0 while both
// agree within the second that a Date resolves and the time that the answer took, and before the first answer. Clients of
// Delegates share it with the application's.
func (c *Client) Skew() time.Duration { return time.Duration(c.clock.ahead.Load()) }
