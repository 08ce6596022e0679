package merge

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// step is a piece of the rest of a source: a window that is being read, or a plan that windows are taken from.
type step struct {
	plan *window.Plan
	slot *slot
}

// slot is a window that is being read.
type slot struct {
	window window.Window
	tail   *fetch.ReversePager
	began  time.Time
	done   chan struct{}
	wanted chan struct{} // closed when it is the next one; nil for a window that was kept
	urgent bool
	tried  bool // it did not fit into an earlier call
	whole  bool // it cannot be cut
	// unbounded says that Graph does not honour bounds.
	unbounded bool
	cancel    context.CancelFunc // of its reading; nil for a window that was kept
	block     *fetch.Result
}

// want lets the window pass every gate.
func (s *slot) want() {
	if !s.urgent {
		s.urgent = true
		if s.wanted != nil {
			close(s.wanted)
		}
	}
}

// fetcher starts the goroutines of a walk and waits for them.
type fetcher struct {
	ctx    context.Context //nolint:containedctx // lives as long as the walk
	cancel context.CancelFunc
	group  sync.WaitGroup
	woken  chan struct{} // receives after a window was read
	done   chan struct{} // closed: that of windows which were kept
}

func newFetcher(ctx context.Context) *fetcher {
	f := &fetcher{woken: make(chan struct{}, 1), done: make(chan struct{})}
	close(f.done)
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// close stops every reading and waits for it.
func (f *fetcher) close() {
	f.cancel()
	f.group.Wait()
}

// start makes a window ready that was kept, or reads it in a goroutine of its own.
func (f *fetcher) start(t *sourceReader, s *slot) {
	var kept *fetch.Result
	if s.tail == nil {
		kept = t.fetch.Cached(f.ctx, s.window)
	}
	if kept != nil && kept.Split && s.whole {
		kept = nil
	}
	if kept != nil && (kept.Split || t.filter == nil && t.readWhole == nil && t.attendance.settled(kept.Chunk)) {
		s.block, s.done = kept, f.done
		t.hold(kept)
		return
	}
	if kept == nil && s.tried && !t.fetch.UnderWay(f.ctx, s.window) {
		s.block, s.done = &fetch.Result{Window: s.window, Split: true, Halve: s.window.Level != window.Era}, f.done
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
			s.block = kept
		case s.tail != nil:
			s.block = t.fetch.NextPage(ctx, s.tail)
		default:
			s.block = t.fetch.Read(ctx, fetch.Request{Window: s.window, Wanted: s.wanted, Unbounded: s.unbounded, Whole: s.whole})
			s.block.Took = time.Since(s.began)
		}
		t.check(ctx, s.block)
		t.applyFilter(ctx, s.block)
		if t.readWhole != nil && ctx.Err() == nil {
			s.block.Entries = slices.Clone(s.block.Entries)
			t.readWhole(ctx, s.block)
		}
		if err := ctx.Err(); err != nil {
			s.block = t.fetch.Abandon(s.block, err)
		}
		t.hold(s.block)
	})
}

// hold counts what a block keeps in memory.
func (t *sourceReader) hold(b *fetch.Result) {
	t.fetch.Hold(b, t.filter != nil || t.readWhole != nil || t.attendance != nil)
}

func (s *slot) ready() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// chained tells whether one ordered chain serves the whole interval: a chat's own messages, newest first.
func (t *sourceReader) chained() bool { return t.desc && t.fetch.Query.Conversation != "" }

// enough tells whether a window is expected to hold all that a List wants, or takes so long that a second one beside it would
// only hold it up.
func (t *sourceReader) enough(w window.Window) bool {
	return t.density.Widest > 0 || float64(t.density.Rate())*w.Hours() >= 10*float64(t.pageRows)
}

// fill begins to read windows until ahead of them are being read or lie ready.
func (t *sourceReader) fill(f *fetcher, ahead int) {
	started := 0
	for i := 0; i < len(t.queue); {
		s := t.queue[i]
		if s.slot != nil && s.slot.done != nil {
			if i == 0 && s.slot.ready() && s.slot.block.BoundsIgnored {
				t.ignore(f, s.slot)
				continue
			}
			if s.slot.ready() && s.slot.block.Split {
				t.queue = slices.Replace(t.queue, i, i+1, t.pieces(s.slot)...)
				continue
			}
			if i == 0 && t.pageRows > 0 && (s.slot.ready() || t.enough(s.slot.window)) {
				return
			}
			started++
			i++
			continue
		}
		if started >= ahead || started > 0 && t.fetch.Full() {
			return
		}
		if s.slot != nil {
			f.start(t, s.slot)
			continue
		}
		w, ok := s.plan.Next(&t.density)
		if !ok {
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			continue
		}
		t.queue = append(t.queue[:i], append([]*step{{slot: &slot{window: w}}}, t.queue[i:]...)...)
	}
}
