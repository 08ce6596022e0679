package graph

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a service can ask for; report limits, the longest
// known, last ten minutes.
const maxRetryAfter = time.Hour

// RetryAfter reads Retry-After (RFC 9110): seconds, with a fraction or not, or
// a date, which is compared with the answer's own Date so that a wrong local
// clock does no harm. Absent, negative or unreadable is 0; the longest is an
// hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if math.IsNaN(seconds) || seconds <= 0 {
			return 0
		}
		return time.Duration(math.Min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date := ServerDate(h); !date.IsZero() {
		now = date
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// ServerDate is the answer's Date, zero when absent or unreadable.
func ServerDate(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}
