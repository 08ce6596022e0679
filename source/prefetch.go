package source

import (
	"context"
	"sync"
)

type announceKey struct{}

// announce reports the link to the next page to the Prefetcher that reads the chain, before the rows of the page are normalized.
func announce(ctx context.Context, next string, rows int) {
	if prefetch, ok := ctx.Value(announceKey{}).(func(string, int)); ok && next != "" {
		prefetch(next, rows)
	}
}

// Prefetcher reads a chain of pages and asks for the next one while the records of the one before are still being normalized.
// It is used by one goroutine. Stop ends what it has started.
type Prefetcher struct {
	// ReadPage reads one page. It is called from other goroutines too, but never twice at a time.
	ReadPage func(ctx context.Context, link string) (*Page[Item], error)
	// Wanted reports whether the page behind a link will be asked for after the page with this link, which has so many rows. It is
	// called only while Page runs.
	Wanted func(next string, rows int) bool

	mu      sync.Mutex
	current context.Context //nolint:containedctx // that of the Page that runs; nil = none
	pending *prefetched
	group   sync.WaitGroup
}

// prefetched is a page that was asked for before its turn.
type prefetched struct {
	link   string
	cancel context.CancelFunc
	ended  chan struct{}
	page   *Page[Item]
	err    error
}

// Page returns the page behind a link, "" is the first. Its errors are those of ReadPage.
func (p *Prefetcher) Page(ctx context.Context, link string) (*Page[Item], error) {
	p.mu.Lock()
	pending := p.pending
	p.pending, p.current = nil, ctx
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.current = nil
		p.mu.Unlock()
	}()
	switch {
	case pending == nil:
		return p.read(ctx, link)
	case pending.link != link:
		pending.cancel()
		<-pending.ended
		return p.read(ctx, link)
	}
	defer pending.cancel()
	<-pending.ended // it ends with ctx, of which its own context is made
	return pending.page, pending.err
}

func (p *Prefetcher) read(ctx context.Context, link string) (*Page[Item], error) {
	return p.ReadPage(context.WithValue(ctx, announceKey{}, p.prefetch), link)
}

// prefetch asks for the next page if it is wanted.
func (p *Prefetcher) prefetch(next string, rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.pending != nil || !p.Wanted(next, rows) {
		return
	}
	inner, cancel := context.WithCancel(p.current)
	pending := &prefetched{link: next, cancel: cancel, ended: make(chan struct{})}
	p.pending = pending
	p.group.Go(func() {
		defer close(pending.ended)
		pending.page, pending.err = p.read(inner, next)
	})
}

// Stop cancels the page that was asked for before its turn and waits for it.
func (p *Prefetcher) Stop() {
	p.mu.Lock()
	if p.pending != nil {
		p.pending.cancel()
	}
	p.current = nil
	p.mu.Unlock()
	p.group.Wait()
}
