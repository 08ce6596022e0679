package graphclient

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/graphclient/ratelimit"
)

// run makes one call, unless its route asked for payment lately.
func (c *Client) run(ctx context.Context, k *call, accept func(context.Context, *http.Response) error) error {
	leave, refusal := c.payment.Enter(ctx, c.cfg.Limits.Route(k.rateLimitCall()), k.request.User)
	if refusal != nil {
		return c.completeError(ctx, k, refusal)
	}
	err := c.repeat(ctx, k, accept)
	leave(err)
	if r := k.request; r.User != "" && r.Resource == "" && !c.onBehalf {
		c.outcomes.note(ctx, r.API, r.User, err)
	}
	if err != nil {
		return c.completeError(ctx, k, err)
	}
	return nil
}

// minThrottleWait is the shortest Retry-After that is waited for by time and not by
// the number of tries, so that time bounds the requests too.
const minThrottleWait = time.Second

// throttleWait decides which throttled answers use up a try. An answer that names its wait uses up
// none while the wait ends before the deadline or, without one, within the request's patience from
// the first such answer on: time bounds these. Every other throttled answer uses up one.
type throttleWait struct {
	patience time.Duration
	until    time.Time
}

// allows reports whether an answer uses up no try, because the wait that it names ends in time.
func (p *throttleWait) allows(ctx context.Context, err *graph.Error) bool {
	if err.RetryAfter < minThrottleWait {
		return false
	}
	end, ok := ctx.Deadline()
	if !ok {
		if p.until.IsZero() {
			p.until = time.Now().Add(p.patience)
		}
		end = p.until
	}
	return !time.Now().Add(err.RetryAfter).After(end)
}

// repeat repeats one GET until accept takes an answer, the cause is final, the
// tries are used up, or the next wait would outlast the deadline or the request's
// patience; then it returns the last failure. Only temporary failures are
// repeated; accept may report one, such as a truncated body.
func (c *Client) repeat(ctx context.Context, k *call, accept func(context.Context, *http.Response) error) *graph.Error {
	var last *graph.Error
	throttled := throttleWait{patience: ratelimit.PatienceOf(k.request)}
	free := 0 // tries that are not counted
	for try := 1; ; try++ {
		err := c.try(ctx, k, accept)
		if err == nil {
			return nil
		}
		if err.Unsent && err.Kind == graph.KindThrottled && last != nil {
			// The gate that the last answer closed: that answer says more.
			last.RetryAfter = err.RetryAfter
			return last
		}
		last = err
		if !err.Retriable() || c.cfg.Retry.Tries <= 1 {
			return err
		}
		used := try - free // this one included
		if err.Kind == graph.KindLoginUnavailable && (used > 1 || err.Cause == graph.CauseTimeout) {
			return err // a login repeats itself before it fails
		}
		if err.Kind == graph.KindThrottled && graph.KindOf(err.Status) == graph.KindThrottled {
			// A 429 or 509, whose gates are closed. Other throttled answers, and the login's, back off below.
			if throttled.allows(ctx, err) {
				free++
			} else if used >= c.cfg.Retry.Tries {
				return err
			}
			continue // the gate does the waiting, for all callers alike
		}
		if used >= c.cfg.Retry.Tries {
			return err
		}
		delay := max(c.backoff(used), err.RetryAfter)
		if tooLong := c.sleep(ctx, k, delay); tooLong != nil {
			if tooLong.Kind == graph.KindCanceled {
				return tooLong
			}
			err.RetryAfter = delay
			return err
		}
	}
}

// completeError completes an error before it leaves.
func (c *Client) completeError(ctx context.Context, k *call, err *graph.Error) error {
	err.Requests = k.requests
	if err.ClientRequestID == "" && k.requests > 0 {
		err.ClientRequestID = k.clientID
	}
	if err.Kind.Temporary() && err.RetryAfter <= 0 {
		err.RetryAfter = c.cfg.Retry.Max
	}
	if !err.Kind.Temporary() && err.Kind != graph.KindCallerLimit {
		err.RetryAfter = 0
	}
	c.cfg.Logger.DebugContext(ctx, "graph call failed", "source", k.request.API, "error", err, "requests", k.requests)
	return err
}

// backoff is exponential with jitter: between a half and the whole of the step.
func (c *Client) backoff(try int) time.Duration {
	step := c.cfg.Retry.Max
	if shift := try - 1; shift < 16 {
		step = min(c.cfg.Retry.Base<<shift, c.cfg.Retry.Max)
	}
	return step/2 + time.Duration(rand.Int64N(int64(step/2)+1)) //nolint:gosec // jitter needs no secrecy
}

// sleep waits. The error is of KindThrottled, at once, when the wait would outlast the deadline or the request's patience, and of
// KindCanceled when the context ends meanwhile.
func (c *Client) sleep(ctx context.Context, k *call, delay time.Duration) *graph.Error {
	deadline, ok := ctx.Deadline()
	if ok && time.Until(deadline) < delay || !ok && delay > ratelimit.PatienceOf(k.request) {
		return &graph.Error{Kind: graph.KindThrottled, RetryAfter: delay, Unsent: true}
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.cfg.Observer.GraphWait(k.request.API, delay)
		return nil
	case <-ctx.Done():
		return graph.Canceled(ctx)
	}
}

// try sends one request through the pipeline and hands a success to accept.
// The time limit starts when the request is sent, not while it queues.
func (c *Client) try(parent context.Context, k *call, accept func(context.Context, *http.Response) error) *graph.Error {
	if parent.Err() != nil {
		return graph.Canceled(parent)
	}
	caller, before := ratelimit.CallerOf(parent), k.requests
	wait, giveBack := c.days.Take(parent, caller, time.Now())
	if wait > 0 {
		return &graph.Error{Kind: graph.KindCallerLimit, RetryAfter: wait, Reason: "no request is left of this caller's day", Unsent: true}
	}
	defer func() {
		if k.requests == before {
			giveBack()
		}
	}()
	ctx, cancel := context.WithCancelCause(parent)
	timer := time.AfterFunc(c.cfg.Retry.TryTimeout, func() { cancel(graph.ErrTryTimeout) })
	timer.Stop()
	k.stopTryTimer = func() { timer.Stop() }
	k.startTryTimer = func() { timer.Reset(c.cfg.Retry.TryTimeout) }
	k.endTry = func() { timer.Stop(); cancel(nil) }
	defer timer.Stop()

	err := c.sendOnce(ctx, k, accept)
	if err == nil && k.streaming {
		return nil // a download: its reader calls k.endTry
	}
	cancel(nil)
	return err
}

func (c *Client) sendOnce(ctx context.Context, k *call, accept func(context.Context, *http.Response) error) *graph.Error {
	req, err := c.newRequest(ctx, k)
	if err != nil {
		return graph.AsError(err)
	}
	resp, err := c.pipeline.Do(req) //nolint:bodyclose // closed below, or by accept
	if err != nil {
		if resp != nil {
			graph.Discard(resp.Body)
		}
		return graph.TransportError(ctx, err)
	}
	if !k.accepts(resp.StatusCode) {
		defer graph.Discard(resp.Body)
		fault := graph.ReadError(resp, c.situation(k))
		fault.RetryAfter = graph.RetryAfter(resp.Header, time.Now())
		return fault
	}
	if err := accept(ctx, resp); err != nil {
		return graph.AsError(err)
	}
	return nil
}
