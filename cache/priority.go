package cache

import (
	"context"

	"github.com/parley-gateway/parley/internal/coalesce"
	"github.com/parley-gateway/parley/source"
)

// prioritized is the context of a shared call whose priority is the highest of all who wait for it.
type prioritized struct {
	context.Context //nolint:containedctx // it is one
}

// Value implements context.Context.
func (p prioritized) Value(key any) any {
	if _, own := key.(source.PriorityKey); !own {
		return p.Context.Value(key)
	}
	priority := source.Background
	for _, ctx := range coalesce.Waiters(p.Context) {
		priority = min(priority, source.PriorityOf(ctx))
	}
	return priority
}
