package cache

import (
	"context"
	"time"
)

// Control holds the directives of a caller's cache-control header (RFC 9111, section 5.2.1).
type Control struct {
	// NoCache fetches again, each value at most once per 10 seconds.
	NoCache bool
	// MaxAge is the oldest value that is accepted; nil = any that is fresh.
	MaxAge *time.Duration
	// OnlyIfCached never fetches: a value that is not there is ErrNotCached.
	OnlyIfCached bool
	// OnlyUnderWay begins no fetch, as OnlyIfCached, but takes part in one that another call has begun.
	OnlyUnderWay bool
}

// Accepts reports whether a value that was true at read and may be served until expires is fresh enough.
func (c Control) Accepts(read, expires time.Time) bool {
	now := time.Now()
	age := now.Sub(read)
	switch {
	case !now.Before(expires), age < -time.Second, // a clock that went back must not make values immortal
		c.NoCache && age >= rereadAfter, c.MaxAge != nil && age > *c.MaxAge:
		return false
	}
	return true
}

// Since is the earliest beginning of a fetch that is fresh enough; zero = any.
func (c Control) Since() time.Time {
	switch {
	case c.NoCache:
		return time.Now().Add(-rereadAfter)
	case c.MaxAge != nil:
		return time.Now().Add(-*c.MaxAge)
	default:
		return time.Time{}
	}
}

type controlKey struct{}

// WithControl returns a context whose look-ups obey c.
func WithControl(ctx context.Context, c Control) context.Context {
	return context.WithValue(ctx, controlKey{}, c)
}

// ControlOf returns the Control of a context; the zero one accepts every value that is fresh.
func ControlOf(ctx context.Context) Control {
	c, _ := ctx.Value(controlKey{}).(Control)
	return c
}

// WithoutCached returns a context whose look-ups fetch in place of taking cached values, unless the caller wants cached values only.
func WithoutCached(ctx context.Context) context.Context {
	control := ControlOf(ctx)
	if control.OnlyIfCached {
		return ctx
	}
	control.NoCache = true
	return WithControl(ctx, control)
}
