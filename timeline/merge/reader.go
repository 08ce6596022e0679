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

// sourceReader is one source's part of a walk. Its methods are called by one goroutine; windows are read by others.
type sourceReader struct {
	src      parleyv1.Source
	fetch    *fetch.Reader
	desc     bool
	interval window.Span // what is read of this source
	open     bool        // nothing bounds it below: rows from before 1970 belong to its first window
	marks    []time.Time // where it is cut when it reaches back far

	// What the cursor keeps.
	state          parleyv1.SourceState
	reason         parleyv1.ErrorReason
	answered       bool // Graph has answered this source before
	finished       bool
	stoppedEarly   bool      // it stopped: the rest is a gap
	begun          time.Time // Graph refused to be asked from further back; zero = it did not
	reached        time.Time // everything before it (behind it when descending) has been handed over
	positionBuffer position  // what at points to once an entry was handed over
	position       *position // place inside the window that begins at reached; nil at its beginning
	oversized      bool      // that window did not fit into an earlier call
	resumeFrom     *position // where the cursor stood
	fingerprint    resumeFingerprint
	gaps           []window.Gap
	counts         cursor.Counts // without what the reading counts itself; pages, from cache and requests of earlier calls
	failures       int           // windows that failed in a row
	density        window.Density
	pivot          time.Time // where the present begins: before it, a window may be an era
	failedRequests []string

	queue    []*task
	current  *fetch.Result
	next     int          // index in active.entries
	pageRows int          // rows that are wanted at most, of a List: nothing is read ahead of a window that holds them; 0 = all
	used     []UsedWindow // the windows of a List, as they were entered
	stopped  *failure.Failure
	cause    error // of the stop

	filter    *filter.Filter
	getter    source.EventGetter                         // reads whole what the filter cannot judge; may be nil
	pushed    []string                                   // fields of the filter that Graph was given
	clipped   []string                                   // fields of the filter that the interval was narrowed by
	readWhole func(ctx context.Context, b *fetch.Result) // reads events whole and leaves out what does not belong here; nil = none

	participants *participantCheck // nil = whatever Graph sends belongs here

	contradicted atomic.Bool   // Graph sent rows that its clause excludes
	unverified   []window.Span // windows with rows that are taken on Graph's word although rows are read whole
}

// position is a place inside a window.
type position struct {
	window      window.Window
	time        time.Time
	key         string
	outOfWindow bool
	delivered   bool // false: no entry of the window has been handed over
}

// planRest lays out what is left to read, from the cursor's place on.
func (t *sourceReader) planRest() {
	if t.finished || t.interval.Empty() || t.state != parleyv1.SourceState_SOURCE_STATE_READ {
		t.finished = true
		return
	}
	if t.isChain() {
		t.resumeFrom = t.position
		t.queue = []*task{{read: &pendingRead{pager: t.newPager()}}}
		return
	}
	rest := t.interval
	from := t.reached
	if t.position != nil {
		// The window that was begun is read again as it was, so that its pages are found in the cache.
		if t.position.delivered || !t.oversized { // else nobody has been in it yet
			t.resumeFrom = t.position
		}
		t.queue = append(t.queue, &task{read: &pendingRead{window: t.position.window, oversized: t.oversized}})
		from = t.position.window.End
		if t.desc {
			from = t.position.window.Start
		}
	}
	if t.desc {
		rest.End = from
	} else {
		rest.Start = from
	}
	rest.Start = window.Later(rest.Start, t.begun)
	t.queue = append(t.queue, &task{plan: t.plan(rest, window.Era)})
}

// newPager begins at the cursor's place: messages of the same instant are asked for again and skipped.
func (t *sourceReader) newPager() *fetch.ReversePager {
	rest := t.interval
	rest.Start = window.Later(rest.Start, t.begun)
	rest.End = t.reached
	if t.position != nil && t.position.delivered && !t.position.outOfWindow {
		rest.End = t.position.time.Add(1)
	}
	return t.fetch.NewPager(rest, window.Span{Start: rest.End, End: t.interval.End})
}

// plan cuts a span into windows of at most a width.
func (t *sourceReader) plan(rest window.Span, widest window.Level) *window.Plan {
	return &window.Plan{Rest: rest, Widest: widest, Desc: t.desc, Pivot: t.pivot}
}

// poll makes the next entry available if it can without waiting, and reports whether it is or nothing is left.
func (t *sourceReader) poll(f *readPool, ahead int) bool {
	for {
		if t.finished {
			return true
		}
		if t.current != nil {
			if t.next < len(t.current.Entries) {
				return true
			}
			t.leave()
			continue
		}
		if t.stopped != nil {
			return true
		}
		t.fillQueue(f, ahead)
		if len(t.queue) == 0 {
			t.finish()
			return true
		}
		head := t.queue[0].read
		if head == nil || head.done == nil {
			return false
		}
		head.markWanted()
		if !head.ready() || head.result.Split || head.result.BoundsIgnored {
			return false
		}
		if failed := head.result.Failed; failed != nil && f.ctx.Err() != nil && failure.IsContext(failed.Err) {
			return false // nobody waits for it any more
		}
		t.queue[0] = nil // the array behind the queue lives on
		t.queue = t.queue[1:]
		t.enter(head.result)
		if t.stopped != nil {
			t.abandonQueue(f) // a token names the window that the source stopped at, not one behind it
		}
	}
}

// head is the next entry; nil when nothing is left.
func (t *sourceReader) head() *chunk.Entry {
	if t.current == nil || t.next >= len(t.current.Entries) {
		return nil
	}
	return &t.current.Entries[t.next]
}

// enter makes a block the active one and takes over what it says.
func (t *sourceReader) enter(b *fetch.Result) {
	again := t.resumeFrom != nil && !b.Start.Before(t.resumeFrom.window.Start) && !b.End.After(t.resumeFrom.window.End)
	if !again {
		t.counts.Duplicates += int64(b.Duplicates)
		t.counts.OutOfWindow += int64(b.OutOfWindow)
		t.counts.LeftOut += int64(b.Trimmed + t.edgeRows(b))
	}
	for _, g := range b.Gaps {
		t.addGap(g)
	}
	t.noteUnverified(b)
	t.raiseStart(b)
	t.current, t.next = b, 0
	if t.pageRows > 0 {
		t.used = append(t.used, UsedWindow{Store: t.fetch.Store, Key: b.CacheKey, Chunk: b.Chunk})
	}
	t.position = &position{window: b.Window}
	if t.resumeFrom != nil && t.resumeFrom.delivered {
		t.next = t.firstUndelivered(b, again)
		switch {
		case t.catchingUp(b.Span):
			*t.position = t.resumePosition(b.Window)
		case again && t.resumeFrom.outOfWindow || !t.resumeFrom.outOfWindow && b.Has(t.resumeFrom.time):
			t.position.time, t.position.key, t.position.outOfWindow, t.position.delivered = t.resumeFrom.time, t.resumeFrom.key, t.resumeFrom.outOfWindow, true
		}
	}
	t.enterFingerprint(b)
	switch {
	case b.Unordered && t.fetch.ByCreate: // only the end is sent: one window, not to be split
		t.queue = append(t.queue, &task{read: &pendingRead{window: window.Window{Span: b.Pager.Rest, Level: window.Hour}}})
	case b.Unordered:
		t.queue = append(t.queue, &task{plan: t.plan(b.Pager.Rest, window.Era)})
	case b.Pager != nil && b.Pager.More:
		t.queue = append(t.queue, &task{read: &pendingRead{pager: b.Pager}})
	}
	t.classifyResult(b)
}

// edgeRows is how many rows of a block lie within the second that its window was asked wider, and belong to no other window.
func (t *sourceReader) edgeRows(b *fetch.Result) int {
	n := 0
	if b.Chunk == nil {
		return n
	}
	for _, s := range b.Chunk.Edge {
		if !t.interval.Has(s.Time) {
			n++
		}
	}
	return n
}

// raiseStart takes over that Graph refused to be asked from as far back as the walk begins: what an asked start lies before is a gap.
func (t *sourceReader) raiseStart(b *fetch.Result) {
	if b.Begun.IsZero() {
		return
	}
	t.begun = b.Begun
	if !t.open {
		t.addGap(window.Gap{Span: window.Span{Start: t.interval.Start, End: b.Begun}, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST})
	}
}

// wasDelivered reports whether an entry was handed over before the walk was resumed; again says that its window was.
func (t *sourceReader) wasDelivered(e *chunk.Entry, again bool) bool {
	switch r := t.resumeFrom; {
	case e.OutOfWindow:
		return again && r.outOfWindow && e.Key <= r.key
	case r.outOfWindow:
		return r.window.Has(e.Time)
	default:
		return t.fetch.Compare(e, &chunk.Entry{Time: r.time, Key: r.key}) <= 0
	}
}

// firstUndelivered is the index of the first entry of a block that the cursor has not passed.
func (t *sourceReader) firstUndelivered(b *fetch.Result, again bool) int {
	if !t.resumeFrom.outOfWindow {
		return sort.Search(len(b.Entries), func(i int) bool { return !t.wasDelivered(&b.Entries[i], again) })
	}
	next := 0
	for next < len(b.Entries) && t.wasDelivered(&b.Entries[next], again) {
		next++
	}
	return next
}

// classifyResult decides what a failed window means for the source.
func (t *sourceReader) classifyResult(b *fetch.Result) {
	if b.Failed == nil {
		t.answered = true
		t.failures = 0
		t.density.Observe(b.Window, t.fetch.Load(b.Rows, b.Chunk.Cost()))
		t.density.ObserveTime(b.Took)
		return
	}
	f := b.Failed
	t.failures++
	t.failedRequests = failure.AppendRequestID(t.failedRequests, f.Err)
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
	t.addGap(window.Gap{Span: b.Span, Reason: f.Reason})
}

// addGap records a gap, once.
func (t *sourceReader) addGap(g window.Gap) {
	t.gaps = window.AddGap(t.gaps, g)
}

// leave moves behind the active block.
func (t *sourceReader) leave() {
	b := t.current
	t.fetch.Drop(b)
	t.current, t.next = nil, 0
	if t.stopped != nil {
		return // the place stays where it is until the stop is final
	}
	t.position = nil
	if t.desc {
		t.reached = b.Start
	} else {
		t.reached = b.End
	}
	t.leaveFingerprint(b)
	if t.catchingUp(b.Span) {
		t.positionBuffer = t.resumePosition(window.Window{})
		t.position = &t.positionBuffer
	}
}

// setPosition puts the track's place behind an entry of the active block. While the block lies before the place of the cursor, that
// stays the track's place: what is handed over are rows from outside the window alone.
func (t *sourceReader) setPosition(e *chunk.Entry) {
	if t.catchingUp(t.current.Span) {
		return
	}
	t.positionBuffer = position{window: t.current.Window, time: e.Time, key: e.Key, outOfWindow: e.OutOfWindow, delivered: true}
	t.position = &t.positionBuffer
}

// finish ends the track in good order.
func (t *sourceReader) finish() {
	t.finished = true
	t.position = nil
	t.reached = t.farEnd()
}

// farEnd is where the walk of this source ends.
func (t *sourceReader) farEnd() time.Time {
	if t.desc {
		return t.interval.Start
	}
	return t.interval.End
}

// finalizeStop makes a stop final: the rest of the interval is a gap, which a call that asks the source again goes on with.
func (t *sourceReader) finalizeStop() {
	t.state, t.reason = t.stopped.State, t.stopped.Reason
	t.finished, t.stoppedEarly, t.stopped = true, true, nil
}

// allGaps are the gaps, with that of a source that has stopped.
func (t *sourceReader) allGaps() []window.Gap {
	if !t.stoppedEarly {
		return t.gaps
	}
	rest := t.interval
	if t.desc {
		rest.End = t.reached
	} else {
		rest.Start = t.reached
	}
	return window.AddGap(slices.Clone(t.gaps), window.Gap{Span: rest, Reason: t.reason})
}

// deliveredUntil is the time up to which everything has been handed over.
func (t *sourceReader) deliveredUntil() time.Time {
	if e := t.head(); e != nil && !e.OutOfWindow {
		return e.Time
	}
	if t.position != nil && t.position.delivered && !t.position.outOfWindow {
		return t.position.time
	}
	return t.reached
}

// add returns the counts with what the reading counted.
func (t *sourceReader) allCounts() cursor.Counts {
	c := t.counts
	pages, fromCache, requests := t.fetch.Counts()
	c.Pages += pages
	c.FromCache += fromCache
	c.Requests += requests
	return c
}
