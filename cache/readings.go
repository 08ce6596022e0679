package cache

import (
	"context"
	"time"

	"github.com/parley-gateway/parley/internal/coalesce"
)

// Readings lets callers share the reading of a window: all pages of a query, one after the other, so that the result is
// the state of one time. Readers of events that Cache.Events returned are Readings.
type Readings interface {
	// Read returns what read makes for the key of a window, starting it unless it is under way; joined is true for a caller
	// who found it so. Pages that read asks for with its context are asked of Graph, each time: they are neither taken from
	// the cache nor cached.
	// A reading whose first page has not come when the time of its last caller is up goes on for lingerTime: a later caller takes
	// part in it. Cutting the window into pieces would not help, for no page of them need be quicker.
	Read(ctx context.Context, key string, opts coalesce.Options, read func(context.Context) any) (value any, joined bool, err error)
	// UnderWay reports whether the window of the key is being read, by a reading that began at since or later.
	UnderWay(key string, since time.Time) bool
}

// lingerTime is how long a reading without a page waits for whoever comes next.
const lingerTime = time.Minute

var _ Readings = (*events)(nil)

// windowRead is the result of reading a window, and the record of its pages.
type windowRead struct {
	value any
	pages *Recorder
}

type readingKey struct{}

// inReading reports whether pages are parts of one reading.
func inReading(ctx context.Context) bool { return ctx.Value(readingKey{}) != nil }

// asReading is a context whose pages are parts of one reading. They have a Recorder of their own, because
// every caller who shares the reading has read them.
type asReading struct {
	context.Context //nolint:containedctx // it is one

	pages *Recorder
}

// Value implements context.Context.
func (a asReading) Value(key any) any {
	switch key.(type) {
	case readingKey:
		return true
	case RecorderKey:
		return a.pages
	}
	return a.Context.Value(key)
}

// Read implements Readings.
func (r *events) Read(ctx context.Context, key string, opts coalesce.Options, read func(context.Context) any) (value any, joined bool, err error) {
	if ControlOf(ctx).OnlyIfCached {
		r.c.cfg.Observer.CacheRequest(shortName(r.scope.Source), resultMiss)
		recorderOf(ctx).record(false, time.Time{})
		return nil, false, ErrNotCached
	}
	pages := &Recorder{}
	opts.Linger = func() time.Duration {
		if hits, misses := pages.LookUps(); hits+misses > 0 {
			return 0
		}
		return lingerTime
	}
	w, joined, err := r.c.windows.Do(ctx, key, opts, func(ctx context.Context) (windowRead, error) {
		return windowRead{read(asReading{prioritized{ctx}, pages}), pages}, nil
	})
	if err != nil {
		recorderOf(ctx).record(false, time.Time{})
		return nil, joined, err
	}
	if joined {
		r.c.cfg.Observer.CacheRequest(shortName(r.scope.Source), resultCoalesced)
	}
	recorderOf(ctx).add(w.pages)
	return w.value, joined, nil
}

// UnderWay implements Readings.
func (r *events) UnderWay(key string, since time.Time) bool { return r.c.windows.UnderWay(key, since) }
