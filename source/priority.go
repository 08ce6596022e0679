package source

import (
	"context"
)

// Priority says how urgently a page is wanted.
type Priority int

// Lists and gets go before streams.
const (
	Interactive Priority = iota
	Background
)

// PriorityKey is the key under which a context gives a Priority. It is for contexts that find theirs out when they are
// asked; others are made by WithPriority.
type PriorityKey struct{}

// WithPriority returns a context whose Graph requests have the given priority; without it they are Interactive.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, PriorityKey{}, p)
}

// PriorityOf returns the priority that WithPriority set.
func PriorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(PriorityKey{}).(Priority)
	return p
}
