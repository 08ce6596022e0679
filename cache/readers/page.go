package readers

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/source"
)

const (
	// rowOverhead is the memory of a row beside its message, in bytes.
	rowOverhead = 160
	// residence is how many times larger a message is in memory than on the wire.
	residence = 3
)

// resident estimates the memory of a message.
func resident[M proto.Message](m M) int64 { return residence * int64(proto.Size(m)) }

// get looks a value up, or fetches it at the priority of the most urgent caller who waits for it.
func get[V any](
	ctx context.Context, s *scoped, key cache.Key, link string, fetch func(context.Context) (cache.Fetched[V], error),
) (cache.Answer[V], error) {
	return cache.Get(ctx, s.cache, cache.Request[V]{
		Label: s.label, Key: key, Link: link, Retry: concernsOneCaller,
		Fetch: func(ctx context.Context) (cache.Fetched[V], error) { return fetch(prioritized{ctx}) },
	})
}

// getPage is get for a page of a source. Cached pages share their items.
func getPage[T any](
	ctx context.Context, s *scoped, key cache.Key, link string, fetch func(context.Context) (cache.Fetched[*source.Page[T]], error),
) (*source.Page[T], error) {
	answer, err := get(ctx, s, key, link, fetch)
	if err != nil || !answer.Cached {
		return answer.Value, err
	}
	again := *answer.Value
	again.FromCache, again.Joined, again.Requests = true, answer.Joined, 0
	return &again, nil
}

// fetchedPage returns a page as the cache takes it, or err. size returns the memory of a row beside rowOverhead.
func fetchedPage[T any](
	page *source.Page[T], err error, life time.Duration, size func(T) int64,
) (cache.Fetched[*source.Page[T]], error) {
	if err != nil {
		return cache.Fetched[*source.Page[T]]{}, err
	}
	fetched := cache.Fetched[*source.Page[T]]{Value: page, Next: page.Next, ReadAt: page.ReadAt, Life: life}
	for _, row := range page.Items {
		fetched.Size += rowOverhead + size(row)
	}
	if page.Lazy != nil {
		fetched.Size += page.Lazy.Cost()
	}
	return fetched, nil
}

// concernsOneCaller reports whether an error concerns only the caller whose request it ended: a request to Graph counts against the day of
// that caller and waits for the caller's turn. Others may have requests left, or may wait for longer.
func concernsOneCaller(err error) bool {
	graphErr, ok := errors.AsType[*graph.Error](err)
	return ok && (graphErr.Kind == graph.KindCallerLimit || graphErr.Kind == graph.KindThrottled && graphErr.OwnBudget)
}

// prioritized is the context of a coalesced fetch whose priority is the highest of all who wait for it.
type prioritized struct {
	context.Context //nolint:containedctx // it is one
}

// Value implements context.Context.
func (p prioritized) Value(key any) any {
	if _, own := key.(source.PriorityKey); !own {
		return p.Context.Value(key)
	}
	priority := source.Patient
	for _, ctx := range coalesce.Waiters(p.Context) {
		priority = min(priority, source.PriorityOf(ctx))
	}
	return priority
}
