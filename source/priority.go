package source

import (
	"context"
	"time"
)

// Priority says how urgently a page is wanted.
type Priority int

// Lists and gets go before streams.
const (
	Interactive Priority = iota
	Background
	// Patient is Background for a stream over many users: it waits for a Retry-After of minutes, which would otherwise fail each user of it.
	// At limits that are counted over minutes it waits no longer than others.
	Patient
)

// patience is the longest Retry-After that Patient requests wait for.
const patience = 10 * time.Minute

// PriorityKey is the key under which a context gives a Priority. It is for contexts that find theirs out when they are
// asked; others are made by WithPriority.
type PriorityKey struct{}

// WithPriority returns a context whose Graph requests have the given priority; without it they are Interactive.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, PriorityKey{}, p)
}

// PriorityOf returns the priority of a context; Interactive if it has none.
func PriorityOf(ctx context.Context) Priority {
	p, _ := ctx.Value(PriorityKey{}).(Priority)
	return p
}
