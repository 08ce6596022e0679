package merge

import (
	"context"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/window"
)

// maxFailures is how many windows in a row may fail before a source that has answered before is given up.
const maxFailures = 3

// track is one source's part of a walk. Its methods are called by one goroutine; windows are read by others.
type track struct {
	src   parleyv1.Source
	read  *fetch.Reader
	desc  bool
	whole window.Span // what is read of this source
	open  bool        // nothing bounds it below: rows from before 1970 belong to its first window
	marks []time.Time // where it is cut when it reaches back far

	// What the cursor keeps.
	state     parleyv1.SourceState
	reason    parleyv1.ErrorReason
	answered  bool // Graph has answered this source before
	finished  bool
	cut       bool      // it stopped: the rest is a gap
	begun     time.Time // Graph refused to be asked from further back; zero = it did not
	reached   time.Time // everything before it (behind it when descending) has been handed over
	place     position  // what at points to once an entry was handed over
	at        *position // place inside the window that begins at reached; nil at its beginning
	tried     bool      // that window did not fit into an earlier call
	resume    *position // where the cursor stood
	trace     trace
	gaps      []window.Gap
	counts    cursor.Counts // without what the reading counts itself; pages, from cache and requests of earlier calls
	failures  int           // windows that failed in a row
	density   window.Density
	pivot     time.Time // where the present begins: before it, a window may be an era
	requestID []string

	queue   []*step
	active  *fetch.Result
	next    int          // index in active.entries
	frugal  int          // rows that are wanted at most, of a List: nothing is read ahead of a window that holds them; 0 = all
	entered []UsedWindow // the windows of a List, as they were entered
	stopped *failure.Failure
	cause   error // of the stop

	filter  *filter.Filter
	getter  source.EventGetter                         // reads whole what the filter cannot judge; may be nil
	pushed  []string                                   // fields of the filter that Graph was given
	clipped []string                                   // fields of the filter that the interval was narrowed by
	enrich  func(ctx context.Context, b *fetch.Result) // reads events whole and leaves out what does not belong here; nil = none

	attendance *attendance // nil = whatever Graph sends belongs here

	refuted  atomic.Bool   // Graph sent rows that its clause excludes
	unproven []window.Span // windows with rows that are taken on Graph's word although rows are read whole
}

// position is a place inside a window.
type position struct {
	window window.Window
	time   time.Time
	key    string
	stray  bool
	any    bool // false: no entry of the window has been handed over
}

// begin lays out what is left to read, from the cursor's place on.
func (t *track) begin() {
	if t.finished || t.whole.Empty() || t.state != parleyv1.SourceState_SOURCE_STATE_READ {
		t.finished = true
		return
	}
	if t.chained() {
		t.resume = t.at
		t.queue = []*step{{slot: &slot{tail: t.newTail()}}}
		return
	}
	rest := t.whole
	from := t.reached
	if t.at != nil {
		// The window that was begun is read again as it was, so that its pages are found in the cache.
		if t.at.any || !t.tried { // else nobody has been in it yet
			t.resume = t.at
		}
		t.queue = append(t.queue, &step{slot: &slot{window: t.at.window, tried: t.tried}})
		from = t.at.window.End
		if t.desc {
			from = t.at.window.Start
		}
	}
	if t.desc {
		rest.End = from
	} else {
		rest.Start = from
	}
	rest.Start = window.Later(rest.Start, t.begun)
	t.queue = append(t.queue, &step{plan: t.plan(rest, window.Era)})
}

// newTail begins at the cursor's place: messages of the same instant are asked for again and skipped.
func (t *track) newTail() *fetch.ReversePager {
	rest := t.whole
	rest.Start = window.Later(rest.Start, t.begun)
	rest.End = t.reached
	if t.at != nil && t.at.any && !t.at.stray {
		rest.End = t.at.time.Add(1)
	}
	return t.read.NewPager(rest, window.Span{Start: rest.End, End: t.whole.End})
}

// plan cuts a span into windows of at most a width.
func (t *track) plan(rest window.Span, widest window.Level) *window.Plan {
	return &window.Plan{Rest: rest, Widest: widest, Desc: t.desc, Pivot: t.pivot}
}

// poll makes the next entry available if it can without waiting, and reports whether it is or nothing is left.
func (t *track) poll(f *fetcher, ahead int) bool {
	for {
		if t.finished {
			return true
		}
		if t.active != nil {
			if t.next < len(t.active.Entries) {
				return true
			}
			t.leave()
			continue
		}
		if t.stopped != nil {
			return true
		}
		t.fill(f, ahead)
		if len(t.queue) == 0 {
			t.finish()
			return true
		}
		head := t.queue[0].slot
		if head == nil || head.done == nil {
			return false
		}
		head.want()
		if !head.ready() || head.block.Split || head.block.BoundsIgnored {
			return false
		}
		if failed := head.block.Failed; failed != nil && f.ctx.Err() != nil && failure.IsContext(failed.Err) {
			return false // nobody waits for it any more
		}
		t.queue[0] = nil // the array behind the queue lives on
		t.queue = t.queue[1:]
		t.enter(head.block)
		if t.stopped != nil {
			t.forsake(f) // a token names the window that the source stopped at, not one behind it
		}
	}
}

// head is the next entry; nil when nothing is left.
func (t *track) head() *chunk.Entry {
	if t.active == nil || t.next >= len(t.active.Entries) {
		return nil
	}
	return &t.active.Entries[t.next]
}

// enter makes a block the active one and takes over what it says.
func (t *track) enter(b *fetch.Result) {
	again := t.resume != nil && !b.Start.Before(t.resume.window.Start) && !b.End.After(t.resume.window.End)
	if !again {
		t.counts.Duplicates += int64(b.Duplicates)
		t.counts.OutOfWindow += int64(b.OutOfWindow)
		t.counts.LeftOut += int64(b.Trimmed + t.beside(b))
	}
	for _, g := range b.Gaps {
		t.doubt(g)
	}
	t.prove(b)
	t.raise(b)
	t.active, t.next = b, 0
	if t.frugal > 0 {
		t.entered = append(t.entered, UsedWindow{Store: t.read.Store, Key: b.CacheKey, Chunk: b.Chunk})
	}
	t.at = &position{window: b.Window}
	if t.resume != nil && t.resume.any {
		t.next = t.behind(b, again)
		switch {
		case t.catchingUp(b.Span):
			*t.at = t.resumed(b.Window)
		case again && t.resume.stray || !t.resume.stray && b.Has(t.resume.time):
			t.at.time, t.at.key, t.at.stray, t.at.any = t.resume.time, t.resume.key, t.resume.stray, true
		}
	}
	t.recall(b)
	switch {
	case b.Unordered && t.read.ByCreate: // only the end is sent: one window, not to be split
		t.queue = append(t.queue, &step{slot: &slot{window: window.Window{Span: b.Pager.Rest, Level: window.Hour}}})
	case b.Unordered:
		t.queue = append(t.queue, &step{plan: t.plan(b.Pager.Rest, window.Era)})
	case b.Pager != nil && b.Pager.More:
		t.queue = append(t.queue, &step{slot: &slot{tail: b.Pager}})
	}
	t.judge(b)
}

// beside is how many rows of a block lie within the second that its window was asked wider, and belong to no other window.
func (t *track) beside(b *fetch.Result) int {
	n := 0
	if b.Chunk == nil {
		return n
	}
	for _, s := range b.Chunk.Edge {
		if !t.whole.Has(s.Time) {
			n++
		}
	}
	return n
}

// raise takes over that Graph refused to be asked from as far back as the walk begins: what an asked start lies before is a gap.
func (t *track) raise(b *fetch.Result) {
	if b.Begun.IsZero() {
		return
	}
	t.begun = b.Begun
	if !t.open {
		t.doubt(window.Gap{Span: window.Span{Start: t.whole.Start, End: b.Begun}, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST})
	}
}

// done reports whether an entry was handed over before the walk was resumed; again says that its window was.
func (t *track) done(e *chunk.Entry, again bool) bool {
	switch r := t.resume; {
	case e.OutOfWindow:
		return again && r.stray && e.Key <= r.key
	case r.stray:
		return r.window.Has(e.Time)
	default:
		return t.read.Compare(e, &chunk.Entry{Time: r.time, Key: r.key}) <= 0
	}
}

// behind is the index of the first entry of a block that the cursor has not passed.
func (t *track) behind(b *fetch.Result, again bool) int {
	if !t.resume.stray {
		return sort.Search(len(b.Entries), func(i int) bool { return !t.done(&b.Entries[i], again) })
	}
	next := 0
	for next < len(b.Entries) && t.done(&b.Entries[next], again) {
		next++
	}
	return next
}

// judge decides what a failed window means for the source.
func (t *track) judge(b *fetch.Result) {
	if b.Failed == nil {
		t.answered = true
		t.failures = 0
		t.density.Observe(b.Window, t.read.Load(b.Rows, b.Chunk.Cost()))
		t.density.ObserveTime(b.Took)
		return
	}
	f := b.Failed
	t.failures++
	t.requestID = failure.AppendRequestID(t.requestID, f.Err)
	if b.Rows > 0 || f.Followed {
		t.answered = true
	}
	if f.Ends() || !t.answered || t.failures >= maxFailures {
		t.stopped, t.cause = f, f.Err
		// Nothing of the window is handed over: a row that was not read may lie before one that was, and a walk that is
		// resumed behind the latter would miss it.
		t.next = len(b.Entries)
		return
	}
	t.doubt(window.Gap{Span: b.Span, Reason: f.Reason})
}

// doubt records a gap, once.
func (t *track) doubt(g window.Gap) {
	t.gaps = window.AddGap(t.gaps, g)
}

// leave moves behind the active block.
func (t *track) leave() {
	b := t.active
	t.read.Drop(b)
	t.active, t.next = nil, 0
	if t.stopped != nil {
		return // the place stays where it is until the stop is final
	}
	t.at = nil
	if t.desc {
		t.reached = b.Start
	} else {
		t.reached = b.End
	}
	t.trail(b)
	if t.catchingUp(b.Span) {
		t.place = t.resumed(window.Window{})
		t.at = &t.place
	}
}

// stand puts the track's place behind an entry of the active block. While the block lies before the place of the cursor, that
// stays the track's place: what is handed over are rows from outside the window alone.
func (t *track) stand(e *chunk.Entry) {
	if t.catchingUp(t.active.Span) {
		return
	}
	t.place = position{window: t.active.Window, time: e.Time, key: e.Key, stray: e.OutOfWindow, any: true}
	t.at = &t.place
}

// finish ends the track in good order.
func (t *track) finish() {
	t.finished = true
	t.at = nil
	t.reached = t.edge()
}

// edge is where the walk of this source ends.
func (t *track) edge() time.Time {
	if t.desc {
		return t.whole.Start
	}
	return t.whole.End
}

// stop makes a stop final: the rest of the interval is a gap, which a call that asks the source again goes on with.
func (t *track) stop() {
	t.state, t.reason = t.stopped.State, t.stopped.Reason
	t.finished, t.cut, t.stopped = true, true, nil
}

// doubts are the gaps, with that of a source that has stopped.
func (t *track) doubts() []window.Gap {
	if !t.cut {
		return t.gaps
	}
	rest := t.whole
	if t.desc {
		rest.End = t.reached
	} else {
		rest.Start = t.reached
	}
	return window.AddGap(slices.Clone(t.gaps), window.Gap{Span: rest, Reason: t.reason})
}

// boundary is the time up to which everything has been handed over.
func (t *track) boundary() time.Time {
	if e := t.head(); e != nil && !e.OutOfWindow {
		return e.Time
	}
	if t.at != nil && t.at.any && !t.at.stray {
		return t.at.time
	}
	return t.reached
}

// add returns the counts with what the reading counted.
func (t *track) total() cursor.Counts {
	c := t.counts
	pages, fromCache, requests := t.read.Counts()
	c.Pages += pages
	c.FromCache += fromCache
	c.Requests += requests
	return c
}
