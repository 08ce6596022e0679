package readers

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
)

// Readings coalesces the readings of a window: callers who want the same window at the same time wait for one reading. A reading asks for all
// pages of a query, one after the other, so that its result is the state of one time. Readers of events that Decorator.Events returned are
// Readings.
type Readings interface {
	// Read returns the result of read for the key of a window. It joins a reading of the key that is under way, or begins one; joined tells
	// which. Pages that read asks for with its context are neither taken from the cache nor cached; but a page of
	// calls may be made of a cached index (Decorator.Calls), and a remembered refusal answers in Graph's place (Refusals).
	// A reading whose first page has not come when the time of its last caller is up goes on for a minute: a later caller joins
	// it. Smaller windows would not help, for their first pages need not come sooner.
	// The error is cache.ErrNotCached for a caller who wants cached values only, else that of the caller's context.
	Read(ctx context.Context, key string, opts coalesce.Options, read func(context.Context) any) (value any, joined bool, err error)
	// UnderWay reports whether the window of the key is being read, by a reading that began at since or later.
	UnderWay(key string, since time.Time) bool
}

var _ Readings = (*events)(nil)

// Read implements Readings.
func (r *events) Read(ctx context.Context, key string, opts coalesce.Options, read func(context.Context) any) (value any, joined bool, err error) {
	return r.cache.Read(ctx, r.label, key, opts, func(ctx context.Context) any { return read(prioritized{ctx}) })
}

// UnderWay implements Readings.
func (r *events) UnderWay(key string, since time.Time) bool { return r.cache.UnderWay(key, since) }
