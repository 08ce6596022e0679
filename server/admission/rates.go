package admission

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-gateway/parley/internal/lru"
)

// maxCallers bounds the callers that are remembered; each takes about 200 bytes.
const maxCallers = 10_000

// Rates bounds how often each caller may begin a call. It remembers the callers seen last; one who was forgotten begins
// anew with a full allowance. It is safe for concurrent use.
type Rates struct {
	perSecond rate.Limit
	burst     int
	now       func() time.Time

	mu         sync.Mutex
	allowances *lru.Cache[string, *rate.Limiter]
}

// NewRates allows each caller so many calls a second on average and a burst of so many at once; 0 a second = no bound.
// Now nil = time.Now.
func NewRates(perSecond float64, burst int, now func() time.Time) *Rates {
	if now == nil {
		now = time.Now
	}
	return &Rates{
		perSecond: rate.Limit(perSecond), burst: max(burst, 1), now: now,
		allowances: lru.New[string, *rate.Limiter](maxCallers, nil),
	}
}

// Take counts a call of a caller. It returns 0 if the call may be made, else how long the caller should wait.
func (r *Rates) Take(id string) time.Duration {
	if r == nil || r.perSecond <= 0 {
		return 0
	}
	now := r.now()
	reservation := r.limiter(id).ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		// The call is refused, so it takes nothing of the allowance.
		reservation.CancelAt(now)
	}
	return wait
}

func (r *Rates) limiter(id string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.allowances.Get(id)
	if !ok {
		known = rate.NewLimiter(r.perSecond, r.burst)
		r.allowances.Put(id, known)
	}
	return known
}
