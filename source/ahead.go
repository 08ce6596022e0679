package source

import (
	"context"
	"sync"
)

type announceKey struct{}

// announce tells whoever reads a chain where it goes on, before the rows of the page are normalized.
func announce(ctx context.Context, next string, rows int) {
	if tell, ok := ctx.Value(announceKey{}).(func(string, int)); ok && next != "" {
		tell(next, rows)
	}
}

// Ahead reads a chain of pages and asks for the next one while the records of the one before are still being normalized.
// It is used by one goroutine, which owns what is started: Stop ends it.
type Ahead struct {
	// Ask reads one page; it is called from other goroutines too, but never twice at a time.
	Ask func(ctx context.Context, link string) (*Page[Item], error)
	// Follow decides whether the page behind a link is sure to be wanted, once the page with this link is read, which has so
	// many rows. It is called only while Page runs.
	Follow func(next string, rows int) bool

	mu      sync.Mutex
	waiting context.Context //nolint:containedctx // that of the Page that runs; nil = none
	coming  *coming
	group   sync.WaitGroup
}

// coming is a page that was asked for before it was wanted.
type coming struct {
	link   string
	cancel context.CancelFunc
	ended  chan struct{}
	page   *Page[Item]
	err    error
}

// Page returns the page behind a link, "" is the first. Its errors are those of Ask.
func (a *Ahead) Page(ctx context.Context, link string) (*Page[Item], error) {
	a.mu.Lock()
	c := a.coming
	a.coming, a.waiting = nil, ctx
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.waiting = nil
		a.mu.Unlock()
	}()
	switch {
	case c == nil:
		return a.ask(ctx, link)
	case c.link != link:
		c.cancel()
		<-c.ended
		return a.ask(ctx, link)
	}
	defer c.cancel()
	<-c.ended // it ends with ctx, of which its own context is made
	return c.page, c.err
}

func (a *Ahead) ask(ctx context.Context, link string) (*Page[Item], error) {
	return a.Ask(context.WithValue(ctx, announceKey{}, a.begin), link)
}

// begin asks for the next page if it is sure to be wanted.
func (a *Ahead) begin(next string, rows int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil || a.coming != nil || !a.Follow(next, rows) {
		return
	}
	inner, cancel := context.WithCancel(a.waiting)
	c := &coming{link: next, cancel: cancel, ended: make(chan struct{})}
	a.coming = c
	a.group.Go(func() {
		defer close(c.ended)
		c.page, c.err = a.ask(inner, next)
	})
}

// Stop cancels what was begun and waits for it.
func (a *Ahead) Stop() {
	a.mu.Lock()
	if a.coming != nil {
		a.coming.cancel()
	}
	a.waiting = nil
	a.mu.Unlock()
	a.group.Wait()
}
