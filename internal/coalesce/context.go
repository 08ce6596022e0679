package coalesce

import (
	"context"
	"time"
)

// callContext is the context of a call: its deadline follows those who wait.
type callContext[K comparable, V any] struct {
	context.Context //nolint:containedctx // it is one

	call *Call[K, V]
}

type callKey struct{}

// anyCall is the Call of a context, whatever its types.
type anyCall interface {
	whenUrgent() <-chan struct{}
	waiting() (contexts []context.Context, detached bool)
}

// Urgent returns a channel that is closed when somebody needs the value of this context's call next; nil = it is no call's.
func Urgent(ctx context.Context) <-chan struct{} {
	if c, ok := ctx.Value(callKey{}).(anyCall); ok {
		return c.whenUrgent()
	}
	return nil
}

// Waiters returns the contexts of all who wait for this context's call.
func Waiters(ctx context.Context) []context.Context {
	if c, ok := ctx.Value(callKey{}).(anyCall); ok {
		contexts, _ := c.waiting()
		return contexts
	}
	return nil
}

// Value implements context.Context.
func (c *callContext[K, V]) Value(key any) any {
	if _, own := key.(callKey); own {
		return anyCall(c.call)
	}
	return c.Context.Value(key)
}

// Deadline is the latest of all who wait; none if one of them has none.
func (c *callContext[K, V]) Deadline() (latest time.Time, ok bool) {
	contexts, detached := c.call.waiting()
	if detached {
		return time.Time{}, false
	}
	for _, ctx := range contexts {
		deadline, ok := ctx.Deadline()
		if !ok {
			return time.Time{}, false
		}
		if deadline.After(latest) {
			latest = deadline
		}
	}
	return latest, !latest.IsZero()
}

func (c *Call[K, V]) whenUrgent() <-chan struct{} { return c.urgent }

func (c *Call[K, V]) waiting() (contexts []context.Context, detached bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	contexts = make([]context.Context, 0, len(c.waiters))
	for w := range c.waiters {
		contexts = append(contexts, w.ctx)
	}
	return contexts, c.detached
}
