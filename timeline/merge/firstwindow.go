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

// The first window of a walk may be known better than by the grid: it is planned by a walk on the other side of an anchor (SetListPage), or
// it was read before the walk began (FirstWindow).

// The first window of a walk that begins beside another one.
const (
	minPages     = 0.8            // pages of Graph that its rows fill, at least
	maxPages     = 2.5            // pages of Graph that its rows fill, at most: a window that fills four is split
	rowMargin    = 1.25           // rows to expect in it for each row of a List's page
	unknownReach = 24 * time.Hour // its length where the other walk met no event of a chat
)

// planBeside plans the first window of each source so that it holds the page of a List, by the density of another walk, which ends where
// this one begins. Graph sends the newest rows of a window first, and the page needs the oldest, so that the window must be read whole.
func (m *Merger) planBeside(other *Merger) {
	for i, r := range m.readers {
		if i < len(other.readers) && other.readers[i].src == r.src {
			r.planBeside(other.readers[i])
		}
	}
}

// planBeside plans the first window by the rows and events that the reader of the other walk has met.
func (r *sourceReader) planBeside(other *sourceReader) {
	if r.finished || !r.resumeFrom.none() {
		return // nothing is left to plan, or the token says which window is the first
	}
	hours := other.interval.End.Sub(other.last).Hours()
	switch {
	case other.counts.Events > 1 && hours > 0:
		page := float64(r.fetch.PageSize)
		rows := min(max(float64(r.pageRows)*rowMargin, page*minPages), page*maxPages)
		// Under a filter, there are fewer events than rows: the estimate by rows is the higher one.
		r.density.LimitNextByRows(rows, max(float64(other.counts.Events)/hours, other.density.RowsPerHour()))
	case r.fetch.Query.Conversation != "":
		r.density.LimitNext(unknownReach)
	default: // the other walk met nothing: one window up to the present may be empty, too
	}
}

// FirstWindow is the first window of a source, which is read before its walk begins.
type FirstWindow struct {
	packer *fetch.Packer
	began  time.Time // before the reading
	done   chan struct{}
	packed *fetch.Packed // set before done is closed; nil = the walk reads the window
}

// NewFirstWindow returns a window that is to be read. packer outlives the walk that uses it.
func NewFirstWindow(packer *fetch.Packer) *FirstWindow {
	return &FirstWindow{packer: packer, began: time.Now().UTC(), done: make(chan struct{})}
}

// Read reads the first window of a source as a new walk of the request will ask for it. The memory of the reading counts in the account, and
// size is the memory that the window keeps. A window that cannot be read is left to the walk; answered is false if that is because Graph gave no answer.
func (f *FirstWindow) Read(
	ctx context.Context, cfg *Config, sources query.Sources, req *query.Events, src parleyv1.Source, account *ledger.Account,
) (size int64, answered bool) {
	defer close(f.done)
	m, err := Open(ctx, cfg, sources, req, query.Resolved{Sources: []parleyv1.Source{src}}, "", "")
	if err != nil {
		return 0, true
	}
	defer m.Close()
	m.Limit(1, 1, account) // the rows count for the messages of one chat, and this is no such walk
	r := m.readers[0]
	if len(r.queue) == 0 || r.queue[0].plan == nil {
		return 0, true
	}
	w, ok := r.queue[0].plan.Next(&r.density)
	if !ok {
		return 0, true
	}
	if f.packed, answered = r.fetch.ReadPacked(ctx, f.packer, w); f.packed == nil {
		return 0, answered
	}
	return f.packed.Size(), true
}

// isReady reports whether there is a window that was read, or could not be.
func (f *FirstWindow) isReady() bool {
	if f == nil {
		return false
	}
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// UseFirstWindow gives a new walk the first window of a source, before the first Step. The walk waits for one that is being read. Its
// present is then the time when that began, so that nothing counts as settled that may have come since.
func (m *Merger) UseFirstWindow(src parleyv1.Source, f *FirstWindow) {
	m.present.ofWalk = window.Earlier(m.present.ofWalk, f.began)
	for _, r := range m.readers {
		if r.src == src {
			r.firstWindow = f
		}
	}
}

// takeFirstWindow returns the window that was read before the walk, if it may be the one to read; nil = it is not.
func (r *sourceReader) takeFirstWindow(p *pendingRead) *FirstWindow {
	f := r.firstWindow
	if p.chain != nil || p.unbounded || p.indivisible || p.tooSlow {
		return nil
	}
	r.firstWindow = nil // it is the first window, or of no use
	return f
}

// result waits for the window and returns its result; nil = the walk reads it.
func (f *FirstWindow) result(ctx context.Context, r *fetch.Reader, p *pendingRead) *fetch.Result {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil
	}
	if f.packed == nil || f.packed.Window() != p.window {
		return nil
	}
	return r.Unpack(f.packer, f.packed)
}
