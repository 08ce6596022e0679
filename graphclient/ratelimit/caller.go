package ratelimit

import (
	"context"
)

// CallerKey is the key under which a context gives a *string, the key of its caller. It is for contexts that hold one
// themselves; others are made by WithCaller.
type CallerKey struct{}

// WithCaller returns a context whose requests are made for the given caller: they take turns with other callers' requests
// at every budget, and count against the caller's day (Config.CallerDay). The key is never sent and never logged. Requests
// without one count as one more caller that has no day.
func WithCaller(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, CallerKey{}, &key)
}

// CallerOf returns the key that WithCaller set.
func CallerOf(ctx context.Context) string {
	if key, ok := ctx.Value(CallerKey{}).(*string); ok {
		return *key
	}
	return ""
}
