package ratelimit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-gateway/parley/graphclient/graph"
)

const (
	// backgroundTurn is how many interactive requests pass before one waiting
	// background request does: streams keep a quarter.
	backgroundTurn = 3
	// probeTime is how long a probe may hold the others back after a
	// Retry-After ended.
	probeTime = 2 * time.Second
	// firstStrike is the pause after a 429 without Retry-After; it doubles.
	firstStrike = time.Second
	// maxStrike is the longest such pause.
	maxStrike = 30 * time.Second
	// maxPrecaution is how long a limit stays closed for a 429 that may have
	// been about a narrower one.
	maxPrecaution = 10 * time.Second
	// aloneTime is how long it is remembered that a 429 was about a narrow
	// limit alone.
	aloneTime = 10 * time.Minute
	// maxClosed is how long background requests wait, all together, for a limit at
	// which Graph does nothing but ask to wait.
	maxClosed = 10 * time.Minute
)

// budget is one limit for one tenant, user or resource, and its Retry-After
// gate: a token bucket that serves two queues, interactive first and within
// each the callers in turn, and serves nobody while Graph has asked to wait. When the wait ends, one request goes
// ahead as a probe and the others follow once it is answered.
type budget struct {
	limit    Limit          // zero where the API has none
	limiter  *rate.Limiter  // rate.Inf when the row has no number
	sliding  *slidingWindow // takes the limiter's place where not nil
	headroom float64        // tokens that background requests leave behind

	mu              sync.Mutex
	queues          [2]fairQueue // by Priority
	granted         int          // turns given to requests that are not sent yet: they wait for another budget
	sinceBackground int          // interactive grants since the last background one
	timer           *time.Timer
	until           time.Time // closed until then
	closedSince     time.Time // since then no request that met the gate was answered; zero = it is not in question
	halfOpen        bool      // new or closed lately, not yet proven open
	probing         bool
	probeEnd        time.Time
	strikes         int
	oneAtATime      bool          // limits are shared: one turn at a time, until it is spent
	pace            time.Duration // for which the shared limit let the last turn wait
	suspected       bool          // closed as a precaution alone
	closedUser      string        // user whose request closed it; empty where users have no limit of their own
	narrower        *budget       // the limit whose 429 closed this one as a precaution; nil = none did
	narrowerSent    time.Time     // when the request behind that 429 was sent
	aloneUntil      time.Time     // until then a 429 here says nothing about wider limits
	usage           usage
	refs            int // guarded by the registry; a budget in use is not dropped
}

// waiter is one request in a queue.
type waiter struct {
	caller   string
	priority graph.Priority
	ready    chan struct{} // closed when granted or refused
	deadline time.Time     // zero = none
	patience time.Duration // without a deadline: how long the gate may stay closed
	probe    bool
	refused  time.Duration // > 0: the gate closed for longer than the request can wait; see closedTooLong
}

func newBudget(perSecond float64, burst int) *budget {
	// Nobody knows yet whether Graph is throttling: one request goes ahead, so that a cold burst is no burst of 429s.
	b := &budget{limiter: rate.NewLimiter(rate.Inf, 1), halfOpen: true}
	if perSecond > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
		b.headroom = float64(burst / 4)
	}
	return b
}

// acquire waits for a turn. It returns the time until then, tooLong, when the turn would
// come too late: at once, or when the gate closes meanwhile. Too late is after the deadline
// or, without one, after the request's patience at a closed gate, or after more than a minute
// in all; and for a background request at a gate that was closed for maxClosed. Background requests
// without a deadline do queue for longer at a limit per second, which moves on all the
// time, but not at one counted over minutes. The error is that of the context.
// A turn ends with spend, when the request is sent, or with giveBack, when it is not.
// After spend, release follows when the request is over. giveBack and release take the
// probe that acquire returned.
func (b *budget) acquire(ctx context.Context, r *graph.Request) (probe bool, tooLong time.Duration, err error) {
	now := time.Now()
	w := waiterOf(ctx, r)
	b.mu.Lock()
	closed, queued := b.estimate(w, now)
	if wait := b.tooLong(w, closed, queued, now); wait > 0 {
		b.mu.Unlock()
		return false, wait, nil
	}
	b.queues[w.priority].push(w)
	b.pump(now)
	b.mu.Unlock()

	select {
	case <-w.ready:
		return w.probe, w.refused, nil
	case <-ctx.Done():
		b.mu.Lock()
		defer b.mu.Unlock()
		b.queues[w.priority].remove(func(other *waiter) bool { return other == w })
		select {
		case <-w.ready: // the turn came too late
			if w.refused == 0 {
				b.granted--
			}
		default:
		}
		if w.probe {
			b.probing = false
		}
		b.pump(time.Now())
		return false, 0, ctx.Err()
	}
}

func waiterOf(ctx context.Context, r *graph.Request) *waiter {
	w := &waiter{ready: make(chan struct{}), caller: CallerOf(ctx), priority: r.Priority, patience: PatienceOf(r)}
	if deadline, ok := ctx.Deadline(); ok {
		w.deadline = deadline
	}
	return w
}

// outlasts returns the wait if a turn would come too late, as acquire would say it, and takes none.
func (b *budget) outlasts(ctx context.Context, r *graph.Request) time.Duration {
	now := time.Now()
	w := waiterOf(ctx, r)
	b.mu.Lock()
	defer b.mu.Unlock()
	closed, queued := b.estimate(w, now)
	return b.tooLong(w, closed, queued, now)
}

// estimate is how long the gate stays closed, and how long the queue takes
// after that.
func (b *budget) estimate(w *waiter, now time.Time) (closed, queued time.Duration) {
	closed = max(b.until.Sub(now), 0)
	if b.limiter.Limit() == rate.Inf {
		return closed, 0
	}
	own := b.queues[w.priority].ahead(w.caller)
	ahead := float64(own + min(b.queues[graph.Background].size, own/backgroundTurn))
	if w.priority == graph.Background {
		ahead = float64(own+min(b.queues[graph.Interactive].size, backgroundTurn*(own+1))) + b.headroom
	}
	need := ahead + 1 + float64(b.granted)
	if b.sliding != nil {
		return closed, max(0, b.sliding.wait(need, now)-closed)
	}
	if b.oneAtATime {
		queued = time.Duration(ahead * float64(b.pace))
	}
	missing := need - b.limiter.TokensAt(now.Add(closed))
	if missing > 0 {
		queued = max(queued, time.Duration(missing/float64(b.limiter.Limit())*float64(time.Second)))
	}
	return closed, queued
}

// tooLong returns the wait if it would end too late, else 0.
func (b *budget) tooLong(w *waiter, closed, queued time.Duration, now time.Time) time.Duration {
	wait := closed + queued
	switch {
	case b.closedTooLong(w, closed, now):
		return wait
	case !w.deadline.IsZero():
		if !now.Add(wait).Before(w.deadline) {
			return wait
		}
	case wait > MaxWait && (w.priority == graph.Interactive || b.sliding != nil):
		return wait
	}
	return 0
}

// closedTooLong reports whether a request cannot wait for a gate that stays closed for a time.
func (b *budget) closedTooLong(w *waiter, closed time.Duration, now time.Time) bool {
	opens := now.Add(closed)
	switch {
	case closed <= 0:
		return false
	case w.priority == graph.Background && opens.Sub(b.closedSince) > maxClosed:
		return true
	case w.deadline.IsZero():
		return closed > w.patience
	default:
		return opens.After(w.deadline)
	}
}

// pump grants turns while there are any, and sets the timer for the next.
func (b *budget) pump(now time.Time) {
	for b.queues[graph.Interactive].size+b.queues[graph.Background].size > 0 {
		if now.Before(b.until) {
			b.wake(b.until.Sub(now))
			return
		}
		if b.halfOpen && b.probing && now.Before(b.probeEnd) {
			b.wake(b.probeEnd.Sub(now))
			return
		}
		if b.oneAtATime && b.granted > 0 {
			return // spend and giveBack go on
		}
		priority, need := b.next()
		if wait := b.missing(need, now); wait > 0 {
			b.wake(wait)
			return
		}
		b.grant(priority, now)
	}
	if b.timer != nil {
		b.timer.Stop()
	}
}

// next chooses the queue whose turn it is and the tokens that must be there.
func (b *budget) next() (graph.Priority, float64) {
	switch {
	case b.queues[graph.Background].size == 0:
		return graph.Interactive, 1
	case b.queues[graph.Interactive].size == 0:
		return graph.Background, 1 + b.headroom
	case b.sinceBackground >= backgroundTurn:
		return graph.Background, 1
	default:
		return graph.Interactive, 1
	}
}

// missing is the time until need tokens are there.
func (b *budget) missing(need float64, now time.Time) time.Duration {
	if b.limiter.Limit() == rate.Inf {
		return 0
	}
	if b.sliding != nil {
		return b.sliding.wait(need+float64(b.granted), now)
	}
	lack := need + float64(b.granted) - b.limiter.TokensAt(now)
	if lack <= 1e-9 {
		return 0
	}
	return time.Duration(lack/float64(b.limiter.Limit())*float64(time.Second)) + time.Microsecond
}

func (b *budget) grant(priority graph.Priority, now time.Time) {
	w := b.queues[priority].pop()
	b.granted++
	if priority == graph.Background {
		b.sinceBackground = 0
	} else if b.queues[graph.Background].size > 0 {
		b.sinceBackground++
	}
	if b.halfOpen {
		w.probe, b.probing, b.probeEnd = true, true, now.Add(probeTime)
	}
	close(w.ready)
}

// spend takes the token of a turn whose request is sent now. The token is taken when Graph counts the request, and not when the turn is
// given: requests that waited for a wider budget would else come closer together than the narrow one allows.
func (b *budget) spend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.granted--
	b.usage.add(now)
	if b.sliding != nil {
		b.sliding.take(now)
	} else {
		b.limiter.ReserveN(now, 1) // a rounding error only delays the next turn
	}
	b.pump(now)
}

// giveBack returns a turn whose request is not sent. probe is what acquire returned with it.
func (b *budget) giveBack(probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.granted--
	if probe {
		b.probing = false
	}
	b.pump(time.Now())
}

func (b *budget) wake(after time.Duration) {
	if b.timer == nil {
		b.timer = time.AfterFunc(after, b.tick)
		return
	}
	b.timer.Reset(after)
}

func (b *budget) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pump(time.Now())
}

// release ends a request: answered says that Graph did answer, and not with a
// request to wait. It opens the gate when the request was the probe, or when it
// was under way when the 429 of an earlier one closed the gate as a precaution: then
// that was about the narrower limit alone, which is returned.
func (b *budget) release(probe, answered bool, sent time.Time) (alone *budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if answered && b.narrower != nil && sent.After(b.narrowerSent) && sent.Before(b.until) {
		alone, b.narrower = b.narrower, nil
		b.until, b.halfOpen, b.probing, b.strikes, b.closedSince = time.Time{}, false, false, 0, time.Time{}
		b.pump(time.Now())
	}
	if !probe {
		return alone
	}
	b.probing = false
	if answered {
		b.halfOpen, b.strikes, b.closedSince = false, 0, time.Time{}
	}
	b.pump(time.Now())
	return alone
}

// closeAsPrecaution closes the gate because a narrower limit answered 429 to a request sent
// at that time; a gate that is closed already stays as it is. narrow is nil when another process
// got the 429: the gate then ends by time alone. The caller has asked knownAlone.
func (b *budget) closeAsPrecaution(narrow *budget, wait time.Duration, sent time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Before(b.until) {
		return
	}
	b.noteClosed(now)
	b.until = now.Add(min(wait, maxPrecaution))
	b.halfOpen, b.probing, b.suspected = true, false, true
	b.narrower, b.narrowerSent = narrow, sent
	b.pump(now)
}

// rememberAlone remembers that a 429 was about this limit alone.
func (b *budget) rememberAlone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aloneUntil = time.Now().Add(aloneTime)
}

// knownAlone reports whether it is remembered that a 429 was about this limit alone.
func (b *budget) knownAlone() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.aloneUntil)
}

// close closes the gate for the given time, or, with none given, for a growing
// one, and refuses those waiting who cannot wait that long. It returns the
// time for which the gate is closed now. user is whose request was throttled, in a row with
// limits per user.
func (b *budget) close(wait time.Duration, user string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if wait <= 0 {
		wait = min(firstStrike<<min(b.strikes, 10), maxStrike)
	}
	if !now.Before(b.until) {
		b.strikes++ // several answers to one burst are one strike
	}
	return b.closeFor(wait, user, now)
}

// closeByPool closes the gate as another process that shares the limit was asked to.
func (b *budget) closeByPool(wait time.Duration, user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeFor(wait, user, time.Now())
}

// closeFor is close for a time that is known. The lock is held.
func (b *budget) closeFor(wait time.Duration, user string, now time.Time) time.Duration {
	b.noteClosed(now)
	if until := now.Add(wait); until.After(b.until) {
		b.until = until
	}
	b.halfOpen, b.probing, b.suspected, b.narrower, b.closedUser = true, false, false, nil, user
	closed := b.until.Sub(now)
	for priority := range b.queues {
		b.queues[priority].remove(func(w *waiter) bool {
			late := b.closedTooLong(w, closed, now)
			if late {
				w.refused = closed
				close(w.ready)
			}
			return late
		})
	}
	b.pump(now)
	return closed
}

// noteClosed notes since when Graph does nothing but ask to wait. A gate that nobody met for a while begins anew.
func (b *budget) noteClosed(now time.Time) {
	if b.closedSince.IsZero() || now.Sub(b.until) > MaxWait {
		b.closedSince = now
	}
}

// closed reports whether the gate lets nobody through.
func (b *budget) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.until)
}

// isThrottled reports whether a 429 was about this limit, so that the gate is closed for more than a precaution, and for whose request.
func (b *budget) isThrottled() (user string, throttled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closedUser, time.Now().Before(b.until) && !b.suspected
}

// idle reports whether a fresh budget would behave the same.
func (b *budget) idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queues[graph.Interactive].size+b.queues[graph.Background].size+b.granted == 0 && (!b.halfOpen || b.strikes == 0 && !b.probing) && !now.Before(b.until) &&
		(b.limiter.Limit() == rate.Inf || b.limiter.TokensAt(now) >= float64(b.limiter.Burst())) &&
		(b.sliding == nil || b.sliding.tokens(now) >= float64(b.sliding.most))
}
