package merge

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// Ahead is the first window of a source, which is read before its walk begins.
type Ahead struct {
	packer *fetch.Packer
	began  time.Time // before the reading
	done   chan struct{}
	window *fetch.Ahead // set before done is closed; nil = the walk reads the window
}

// NewAhead returns an Ahead that is to be read. packer outlives the walk that uses it.
func NewAhead(packer *fetch.Packer) *Ahead {
	return &Ahead{packer: packer, began: time.Now().UTC(), done: make(chan struct{})}
}

// Read reads the first window of a source as a new walk of the request will ask for it. What comes on the way counts in the account, and
// size is what stays. A window that cannot be read is left to the walk.
func (a *Ahead) Read(ctx context.Context, cfg *Config, sources query.Sources, req *query.Events, src parleyv1.Source, account *ledger.Account) (size int64) {
	defer close(a.done)
	m, err := Open(ctx, cfg, sources, req, query.Resolved{Sources: []parleyv1.Source{src}}, "", "")
	if err != nil {
		return 0
	}
	defer m.Close()
	m.Limit(1, 1, account)
	r := m.readers[0]
	if len(r.queue) == 0 || r.queue[0].plan == nil {
		return 0
	}
	w, ok := r.queue[0].plan.Next(&r.density)
	if !ok {
		return 0
	}
	if a.window = r.fetch.ReadAhead(ctx, a.packer, w); a.window == nil {
		return 0
	}
	return a.window.Size()
}

// isReady reports whether there is a window that was read, or could not be.
func (a *Ahead) isReady() bool {
	if a == nil {
		return false
	}
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// UseAhead gives a new walk the first window of a source, before the first Step. The walk waits for one that is being read. Its present is
// then the time when that began, so that nothing counts as settled that may have come since.
func (m *Merger) UseAhead(src parleyv1.Source, a *Ahead) {
	m.firstNow = window.Earlier(m.firstNow, a.began)
	for _, r := range m.readers {
		if r.src == src {
			r.ahead = a
		}
	}
}

// takeAhead returns the window that was read ahead, if it is the one to read; nil = it is not.
func (r *sourceReader) takeAhead(p *pendingRead) *Ahead {
	a := r.ahead
	if p.chain != nil || p.unbounded || p.indivisible || p.oversized {
		return nil
	}
	r.ahead = nil // it is the first window, or of no use
	return a
}

// result waits for the window and returns its result; nil = the walk reads it.
func (a *Ahead) result(ctx context.Context, r *fetch.Reader, p *pendingRead) *fetch.Result {
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil
	}
	if a.window == nil || a.window.Window() != p.window {
		return nil
	}
	return r.Use(a.packer, a.window)
}
