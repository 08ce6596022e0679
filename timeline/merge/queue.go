package merge

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// task is a part of the rest of a source: a window that is read, or a plan that windows are taken from.
type task struct {
	plan *window.Plan
	read *pendingRead
}

// pendingRead is the reading of one window, or of one page of a chain.
type pendingRead struct {
	window      window.Window
	chain       *fetch.ReverseChain // nil = a window is read
	tooSlow     bool                // the window could not be read within an earlier call
	indivisible bool                // the window cannot be split
	unbounded   bool                // Graph does not honour bounds

	began    time.Time
	cancel   context.CancelFunc // of the reading; nil where none was needed
	done     chan struct{}      // closed after the window was read; nil = the reading has not begun
	urgent   chan struct{}      // closed after the window has become the next one; nil where no reading was needed
	isUrgent bool               // urgent is closed
	result   *fetch.Result      // set before done is closed
}

// readWindow is the task to read a window.
func readWindow(w window.Window) *task { return &task{read: &pendingRead{window: w}} }

// hasBegun reports whether the reading has begun.
func (p *pendingRead) hasBegun() bool { return p.done != nil }

// ready reports whether the window was read.
func (p *pendingRead) ready() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// resultAsNext makes the window the one that is delivered next, so that its reading waits for memory no longer, unless the walk yields
// memory. It returns the result; nil = it is not there yet, fillQueue puts other readings in its place, or the call has ended.
func (p *pendingRead) resultAsNext(pool *readPool) *fetch.Result {
	if p == nil || !p.hasBegun() {
		return nil
	}
	if !p.isUrgent && !pool.yields.Load() {
		p.isUrgent = true
		if p.urgent != nil {
			close(p.urgent)
		}
	}
	if !p.ready() || p.result.Reread != fetch.NoReread {
		return nil
	}
	if failed := p.result.Failed; failed != nil && pool.ctx.Err() != nil && failure.IsContext(failed.Err) {
		return nil // the call has ended
	}
	return p.result
}

// readPool runs the readings of a Merger in goroutines, and waits for their end.
type readPool struct {
	ctx    context.Context //nolint:containedctx // lives as long as the Merger
	cancel context.CancelFunc
	group  sync.WaitGroup
	yields atomic.Bool   // see Merger.YieldMemory
	woken  chan struct{} // receives when the walk may have more to do: a window was read, or memory was claimed (ClaimMemory)
	done   chan struct{} // closed from the beginning: done of windows that need no reading
}

func newReadPool(ctx context.Context) *readPool {
	pool := &readPool{woken: make(chan struct{}, 1), done: make(chan struct{})}
	close(pool.done)
	pool.ctx, pool.cancel = context.WithCancel(ctx)
	return pool
}

// close stops all readings and waits for their end.
func (pool *readPool) close() {
	pool.cancel()
	pool.group.Wait()
}

// wake has the walk look for what it can deliver.
func (pool *readPool) wake() {
	select {
	case pool.woken <- struct{}{}:
	default:
	}
}

// start begins to read a window in a goroutine of its own. A window that was read before is ready at once if nothing is left to do with it.
// One that was too slow for an earlier call, and that nobody is reading, is not read but split.
func (pool *readPool) start(r *sourceReader, p *pendingRead) {
	known, first := r.knownResult(pool.ctx, p)
	switch {
	case known != nil && (known.Reread.Split() || !r.changesEntries() && r.participants.IsDecided(known.Chunk)):
		p.result, p.done = known, pool.done
		r.hold(known)
		return
	case known == nil && p.tooSlow && !r.fetch.UnderWay(pool.ctx, p.window):
		p.result, p.done = &fetch.Result{Window: p.window, Reread: fetch.InHalves}, pool.done
		if p.window.Level == window.Era {
			p.result.Reread = fetch.InPieces
		}
		return
	}
	p.began = time.Now()
	p.done, p.urgent = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(pool.ctx)
	p.cancel = cancel
	pool.group.Go(func() {
		defer func() {
			cancel()
			close(p.done)
			pool.wake()
		}()
		if known == nil {
			known = first.result(ctx, r.fetch, p)
		}
		p.result = r.read(ctx, p, known)
		r.hold(p.result)
	})
}

// knownResult returns the result of a window that was read before, by the cache or before the walk began; nil = there is none. first is then
// the first window if that is still being read before the walk.
func (r *sourceReader) knownResult(ctx context.Context, p *pendingRead) (known *fetch.Result, first *FirstWindow) {
	first = r.takeFirstWindow(p)
	if first.isReady() {
		known, first = first.result(ctx, r.fetch, p), nil
	}
	if known == nil && first == nil && p.chain == nil {
		known = r.fetch.Cached(ctx, p.window)
	}
	if known != nil && known.Reread.Split() && p.indivisible {
		known = nil
	}
	return known, first
}

// read reads a window, unless its result is known, and leaves out the events that do not belong into the answer.
func (r *sourceReader) read(ctx context.Context, p *pendingRead, known *fetch.Result) *fetch.Result {
	res := known
	switch {
	case known != nil:
	case p.chain != nil:
		res = r.fetch.NextPage(ctx, p.chain)
	default:
		res = r.fetch.Read(ctx, fetch.Request{Window: p.window, Urgent: p.urgent, Unbounded: p.unbounded, Indivisible: p.indivisible})
		res.Took = time.Since(p.began)
	}
	r.keepConversation(res)
	if r.participants.Verify(ctx, r.fetch, res, r.readWhole != nil) {
		r.contradicted.Store(true)
	}
	r.applyFilter(ctx, res)
	if r.readWhole != nil && ctx.Err() == nil {
		res.Entries = slices.Clone(res.Entries)
		r.readWhole(ctx, res)
	}
	if err := ctx.Err(); err != nil {
		return r.fetch.Abandon(res, err)
	}
	return res
}

// hold counts the memory of a result.
func (r *sourceReader) hold(res *fetch.Result) {
	r.fetch.Hold(res)
	if r.changesEntries() || r.participants != nil {
		r.fetch.HoldEntries(res)
	}
}

// readsReverseChain reports whether one ordered chain of pages serves the whole interval: a chat's own messages, newest first.
func (r *sourceReader) readsReverseChain() bool { return r.desc && r.fetch.Query.Conversation != "" }

// readsAlone reports whether nothing is read beyond a window of a List: it is expected to hold the rows of the page, or windows are bounded
// (Density.Longest), so that a second reading would take time and memory from the first one.
func (r *sourceReader) readsAlone(w window.Window) bool {
	return r.density.Longest > 0 || r.density.RowsPerHour()*w.Hours() >= float64(r.pageRows)
}

// fillQueue begins to read windows until windowsAtOnce of them are ready or being read.
func (r *sourceReader) fillQueue(pool *readPool, windowsAtOnce int) {
	started := 0
	for i := 0; i < len(r.queue); {
		t := r.queue[i]
		switch {
		case t.read != nil && t.read.hasBegun():
			if r.replace(pool, i) {
				continue
			}
			if i == 0 && r.pageRows > 0 && (t.read.ready() || r.readsAlone(t.read.window)) {
				return
			}
			started++
			i++
		case started >= windowsAtOnce || started > 0 && r.fetch.Full():
			return
		case t.read != nil:
			pool.start(r, t.read)
		default:
			if w, ok := t.plan.Next(&r.density); ok {
				r.queue = slices.Insert(r.queue, i, readWindow(w))
			} else {
				r.queue = slices.Delete(r.queue, i, i+1)
			}
		}
	}
}

// replace puts other tasks in place of a window that must be read another way, and reports whether it did.
func (r *sourceReader) replace(pool *readPool, i int) bool {
	switch read := r.queue[i].read; {
	case !read.ready():
		return false
	case i == 0 && read.result.Reread.Unbounded(): // not before its turn: the whole queue is replaced
		r.readUnbounded(pool, read)
		return true
	case read.result.Reread.Split():
		r.queue = slices.Replace(r.queue, i, i+1, r.split(read)...)
		return true
	default:
		return false
	}
}
