package participants

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

// A canary finds out whether Graph evaluates the filter by participant. It asks for the calls of a user who does not exist, over an
// interval in which there are calls. Rows in the answer came in spite of the filter. The answer says nothing about a single call: it
// avoids a doubt, and verifies no call.

const (
	canaryLife  = time.Hour   // time for which an answer holds
	canaryPause = time.Minute // time before a question that failed is asked again
)

// Canaries holds the canaries of all tenants.
type Canaries struct {
	nobody string
	mu     sync.Mutex
	all    map[string]*Canary
}

// NewCanaries returns canaries that have asked nothing yet.
func NewCanaries() *Canaries { return &Canaries{nobody: uuid.NewString(), all: map[string]*Canary{}} }

// Of returns the canary of a tenant.
func (c *Canaries) Of(tenant string) *Canary {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.all[tenant]
	if found == nil {
		found = &Canary{nobody: c.nobody, asking: make(chan struct{}, 1)}
		c.all[tenant] = found
	}
	return found
}

// Canary knows whether Graph evaluates the filter for one tenant.
type Canary struct {
	nobody string        // an object id that nobody has
	asking chan struct{} // full while one call asks Graph

	mu     sync.Mutex
	answer bool      // the last one: Graph honours the filter
	until  time.Time // time when Graph is to be asked again
}

// known returns the last answer; ok is false when Graph must be asked.
func (c *Canary) known() (honours, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answer, time.Now().Before(c.until)
}

// trusted reports whether Graph was found to evaluate the filter.
func (c *Canary) trusted() bool {
	honours, ok := c.known()
	return honours && ok
}

// honours reports whether Graph evaluates the filter. It asks Graph over a span with calls when that is not known. A question that Graph
// does not answer shows nothing against it.
func (c *Canary) honours(ctx context.Context, r *fetch.Reader, s window.Span) bool {
	if honours, ok := c.known(); ok {
		return honours
	}
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return true
	}
	if honours, ok := c.known(); ok {
		return honours
	}
	rows, err := r.Probe(ctx, s, c.nobody)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, cache.ErrNotCached) {
			c.found(true, canaryPause)
		}
		return true
	}
	honours := rows == 0
	c.found(honours, canaryLife)
	return honours
}

// found stores an answer for a time.
func (c *Canary) found(honours bool, life time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer, c.until = honours, time.Now().Add(life)
}
