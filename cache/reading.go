package cache

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/internal/spans"
)

// reading is a value that was made of several others, and the record of their look-ups.
type reading struct {
	value any
	parts *Recorder
	span  spans.Place // that the reading was made in
}

// lingerTime is how long a reading without a part waits for the next caller.
const lingerTime = time.Minute

type readingKey struct{}

// InReading reports whether a context is that of a reading's parts, which are neither taken from the cache nor cached.
func InReading(ctx context.Context) bool { return ctx.Value(readingKey{}) != nil }

// readingContext is the context of a reading's parts. They have a Recorder of their own, because every caller who shares the reading
// has read them.
type readingContext struct {
	context.Context //nolint:containedctx // it is one

	parts *Recorder
}

// Value implements context.Context.
func (r readingContext) Value(key any) any {
	switch key.(type) {
	case readingKey:
		return true
	case RecorderKey:
		return r.parts
	}
	return r.Context.Value(key)
}

// Read returns the value that read makes of several others, the parts, for a key. It joins a reading of the key that is under way, or
// begins one; joined tells which. The look-ups of the parts go past the cache (InReading), so that the value is of one time. The error is
// ErrNotCached for a caller who wants cached values only, else that of the caller's context.
//
// A reading whose first part has not come when the time of its last caller is up goes on for lingerTime: a later caller joins it.
func (c *Cache) Read(
	ctx context.Context, label, key string, opts coalesce.Options, read func(context.Context) any,
) (value any, joined bool, err error) {
	if ControlOf(ctx).OnlyIfCached {
		c.miss(ctx, label, resultMiss, time.Time{})
		return nil, false, ErrNotCached
	}
	parts := &Recorder{}
	opts.Linger = func() time.Duration {
		if hits, misses := parts.LookUps(); hits+misses > 0 {
			return 0
		}
		return lingerTime
	}
	ctx, span := spans.Start(ctx, "reading", spans.Internal)
	defer span.End("")
	span.Text("parley.source", label)
	own := span.Place()
	done, joined, err := c.readings.Do(ctx, key, opts, func(ctx context.Context) (reading, error) {
		return reading{read(readingContext{ctx, parts}), parts, own}, nil
	})
	if err != nil {
		recorderOf(ctx).miss(time.Time{})
		return nil, joined, err
	}
	if joined {
		c.cfg.Observer.CacheRequest(label, resultCoalesced)
		span.Text("parley.cache", resultCoalesced)
		span.Link(done.span)
	}
	recorderOf(ctx).add(done.parts)
	return done.value, joined, nil
}

// UnderWay reports whether a reading for the key is under way that began at since or later.
func (c *Cache) UnderWay(key string, since time.Time) bool { return c.readings.UnderWay(key, since) }
