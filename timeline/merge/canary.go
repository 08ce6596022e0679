package merge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// Whether Graph evaluates the filter by participant is found out by asking for somebody who does not exist, over an interval
// in which there are calls: rows in the answer are rows in spite of the filter. That tells nothing of a single call, so it
// saves a doubt and is never the proof that a call is the user's.

const (
	canaryLife  = time.Hour   // Graph does not change from one minute to the next
	canaryPause = time.Minute // before a question that failed is asked again
)

// Canaries hold what was found out, by tenant.
type Canaries struct {
	nobody string
	mu     sync.Mutex
	all    map[string]*canary
}

func NewCanaries() *Canaries { return &Canaries{nobody: uuid.NewString(), all: map[string]*canary{}} }

func (c *Canaries) of(tenant string) *canary {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.all[tenant]
	if found == nil {
		found = &canary{nobody: c.nobody, turn: make(chan struct{}, 1)}
		c.all[tenant] = found
	}
	return found
}

// canary is what was found out about one tenant.
type canary struct {
	nobody string        // an object id that nobody has
	turn   chan struct{} // whoever asks Graph fills it

	mu      sync.Mutex
	ignored bool
	until   time.Time // when it is to be asked again
}

// known returns what was found out; ok is false when Graph must be asked.
func (c *canary) known() (honours, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ignored, time.Now().Before(c.until)
}

// trusted reports whether Graph was found to evaluate the filter.
func (c *canary) trusted() bool {
	honours, ok := c.known()
	return honours && ok
}

// honours reports whether Graph evaluates the filter, asking it over an interval with calls when that is not known. A
// question that Graph does not answer shows nothing against it.
func (c *canary) honours(ctx context.Context, r *fetch.Reader, s window.Span) bool {
	if honours, ok := c.known(); ok {
		return honours
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return true
	}
	if honours, ok := c.known(); ok {
		return honours
	}
	rows, err := r.Probe(ctx, s, c.nobody)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, cache.ErrNotCached) {
			c.found(false, canaryPause)
		}
		return true
	}
	c.found(rows > 0, canaryLife)
	return rows == 0
}

func (c *canary) found(ignored bool, life time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ignored, c.until = ignored, time.Now().Add(life)
}
