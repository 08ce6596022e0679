package merge

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// task is a piece of the rest of a source: a window that is being read, or a plan that windows are taken from.
type task struct {
	plan *window.Plan
	read *pendingRead
}

// pendingRead is a window that is being read.
type pendingRead struct {
	window    window.Window
	pager     *fetch.ReversePager
	began     time.Time
	done      chan struct{}
	wanted    chan struct{} // closed when it is the next one; nil for a window that was kept
	urgent    bool
	oversized bool // it did not fit into an earlier call
	whole     bool // it cannot be cut
	// unbounded says that Graph does not honour bounds.
	unbounded bool
	cancel    context.CancelFunc // of its reading; nil for a window that was kept
	result    *fetch.Result
}

// markWanted lets the window pass every gate.
func (s *pendingRead) markWanted() {
	if !s.urgent {
		s.urgent = true
		if s.wanted != nil {
			close(s.wanted)
		}
	}
}

// readPool starts the goroutines of a walk and waits for them.
type readPool struct {
	ctx    context.Context //nolint:containedctx // lives as long as the walk
	cancel context.CancelFunc
	group  sync.WaitGroup
	woken  chan struct{} // receives after a window was read
	done   chan struct{} // closed: that of windows which were kept
}

func newReadPool(ctx context.Context) *readPool {
	f := &readPool{woken: make(chan struct{}, 1), done: make(chan struct{})}
	close(f.done)
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// close stops every reading and waits for it.
func (f *readPool) close() {
	f.cancel()
	f.group.Wait()
}

// start makes a window ready that was kept, or reads it in a goroutine of its own.
func (f *readPool) start(r *sourceReader, s *pendingRead) {
	var kept *fetch.Result
	if s.pager == nil {
		kept = r.fetch.Cached(f.ctx, s.window)
	}
	if kept != nil && kept.Split && s.whole {
		kept = nil
	}
	if kept != nil && (kept.Split || r.filter == nil && r.readWhole == nil && r.participants.isDecided(kept.Chunk)) {
		s.result, s.done = kept, f.done
		r.hold(kept)
		return
	}
	if kept == nil && s.oversized && !r.fetch.UnderWay(f.ctx, s.window) {
		s.result, s.done = &fetch.Result{Window: s.window, Split: true, Halve: s.window.Level != window.Era}, f.done
		return
	}
	s.began = time.Now()
	s.done, s.wanted = make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(f.ctx)
	s.cancel = cancel
	f.group.Go(func() {
		defer func() {
			cancel()
			close(s.done)
			select {
			case f.woken <- struct{}{}:
			default:
			}
		}()
		switch {
		case kept != nil:
			s.result = kept
		case s.pager != nil:
			s.result = r.fetch.NextPage(ctx, s.pager)
		default:
			s.result = r.fetch.Read(ctx, fetch.Request{Window: s.window, Wanted: s.wanted, Unbounded: s.unbounded, Whole: s.whole})
			s.result.Took = time.Since(s.began)
		}
		r.verifyParticipants(ctx, s.result)
		r.applyFilter(ctx, s.result)
		if r.readWhole != nil && ctx.Err() == nil {
			s.result.Entries = slices.Clone(s.result.Entries)
			r.readWhole(ctx, s.result)
		}
		if err := ctx.Err(); err != nil {
			s.result = r.fetch.Abandon(s.result, err)
		}
		r.hold(s.result)
	})
}

// hold counts what a block keeps in memory.
func (r *sourceReader) hold(res *fetch.Result) {
	r.fetch.Hold(res, r.filter != nil || r.readWhole != nil || r.participants != nil)
}

func (s *pendingRead) ready() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// isChain tells whether one ordered chain serves the whole interval: a chat's own messages, newest first.
func (r *sourceReader) isChain() bool { return r.desc && r.fetch.Query.Conversation != "" }

// holdsPage tells whether a window is expected to hold all that a List wants, or takes so long that a second one beside it would
// only hold it up.
func (r *sourceReader) holdsPage(w window.Window) bool {
	return r.density.Widest > 0 || float64(r.density.Rate())*w.Hours() >= 10*float64(r.pageRows)
}

// fillQueue begins to read windows until ahead of them are being read or lie ready.
func (r *sourceReader) fillQueue(f *readPool, ahead int) {
	started := 0
	for i := 0; i < len(r.queue); {
		s := r.queue[i]
		if s.read != nil && s.read.done != nil {
			if i == 0 && s.read.ready() && s.read.result.BoundsIgnored {
				r.readUnbounded(f, s.read)
				continue
			}
			if s.read.ready() && s.read.result.Split {
				r.queue = slices.Replace(r.queue, i, i+1, r.split(s.read)...)
				continue
			}
			if i == 0 && r.pageRows > 0 && (s.read.ready() || r.holdsPage(s.read.window)) {
				return
			}
			started++
			i++
			continue
		}
		if started >= ahead || started > 0 && r.fetch.Full() {
			return
		}
		if s.read != nil {
			f.start(r, s.read)
			continue
		}
		w, ok := s.plan.Next(&r.density)
		if !ok {
			r.queue = append(r.queue[:i], r.queue[i+1:]...)
			continue
		}
		r.queue = append(r.queue[:i], append([]*task{{read: &pendingRead{window: w}}}, r.queue[i:]...)...)
	}
}
