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
func (r *sourceReader) planRest() {
	if r.finished || r.interval.Empty() || r.state != parleyv1.SourceState_SOURCE_STATE_READ {
		r.finished = true
		return
	}
	if r.isChain() {
		r.resumeFrom = r.position
		r.queue = []*task{{read: &pendingRead{pager: r.newPager()}}}
		return
	}
	rest := r.interval
	from := r.reached
	if r.position != nil {
		// The window that was begun is read again as it was, so that its pages are found in the cache.
		if r.position.delivered || !r.oversized { // else nobody has been in it yet
			r.resumeFrom = r.position
		}
		r.queue = append(r.queue, &task{read: &pendingRead{window: r.position.window, oversized: r.oversized}})
		from = r.position.window.End
		if r.desc {
			from = r.position.window.Start
		}
	}
	if r.desc {
		rest.End = from
	} else {
		rest.Start = from
	}
	rest.Start = window.Later(rest.Start, r.begun)
	r.queue = append(r.queue, &task{plan: r.plan(rest, window.Era)})
}

// newPager begins at the cursor's place: messages of the same instant are asked for again and skipped.
func (r *sourceReader) newPager() *fetch.ReversePager {
	rest := r.interval
	rest.Start = window.Later(rest.Start, r.begun)
	rest.End = r.reached
	if r.position != nil && r.position.delivered && !r.position.outOfWindow {
		rest.End = r.position.time.Add(1)
	}
	return r.fetch.NewPager(rest, window.Span{Start: rest.End, End: r.interval.End})
}

// plan cuts a span into windows of at most a width.
func (r *sourceReader) plan(rest window.Span, widest window.Level) *window.Plan {
	return &window.Plan{Rest: rest, Widest: widest, Desc: r.desc, Pivot: r.pivot}
}

// poll makes the next entry available if it can without waiting, and reports whether it is or nothing is left.
func (r *sourceReader) poll(f *readPool, ahead int) bool {
	for {
		if r.finished {
			return true
		}
		if r.current != nil {
			if r.next < len(r.current.Entries) {
				return true
			}
			r.leave()
			continue
		}
		if r.stopped != nil {
			return true
		}
		r.fillQueue(f, ahead)
		if len(r.queue) == 0 {
			r.finish()
			return true
		}
		head := r.queue[0].read
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
		r.queue[0] = nil // the array behind the queue lives on
		r.queue = r.queue[1:]
		r.enter(head.result)
		if r.stopped != nil {
			r.abandonQueue(f) // a token names the window that the source stopped at, not one behind it
		}
	}
}

// head is the next entry; nil when nothing is left.
func (r *sourceReader) head() *chunk.Entry {
	if r.current == nil || r.next >= len(r.current.Entries) {
		return nil
	}
	return &r.current.Entries[r.next]
}

// enter makes a block the active one and takes over what it says.
func (r *sourceReader) enter(res *fetch.Result) {
	again := r.resumeFrom != nil && !res.Start.Before(r.resumeFrom.window.Start) && !res.End.After(r.resumeFrom.window.End)
	if !again {
		r.counts.Duplicates += int64(res.Duplicates)
		r.counts.OutOfWindow += int64(res.OutOfWindow)
		r.counts.LeftOut += int64(res.Trimmed + r.edgeRows(res))
	}
	for _, g := range res.Gaps {
		r.addGap(g)
	}
	r.noteUnverified(res)
	r.raiseStart(res)
	r.current, r.next = res, 0
	if r.pageRows > 0 {
		r.used = append(r.used, UsedWindow{Store: r.fetch.Store, Key: res.CacheKey, Chunk: res.Chunk})
	}
	r.position = &position{window: res.Window}
	if r.resumeFrom != nil && r.resumeFrom.delivered {
		r.next = r.firstUndelivered(res, again)
		switch {
		case r.catchingUp(res.Span):
			*r.position = r.resumePosition(res.Window)
		case again && r.resumeFrom.outOfWindow || !r.resumeFrom.outOfWindow && res.Has(r.resumeFrom.time):
			r.position.time, r.position.key, r.position.outOfWindow, r.position.delivered = r.resumeFrom.time, r.resumeFrom.key, r.resumeFrom.outOfWindow, true
		}
	}
	r.enterFingerprint(res)
	switch {
	case res.Unordered && r.fetch.ByCreate: // only the end is sent: one window, not to be split
		r.queue = append(r.queue, &task{read: &pendingRead{window: window.Window{Span: res.Pager.Rest, Level: window.Hour}}})
	case res.Unordered:
		r.queue = append(r.queue, &task{plan: r.plan(res.Pager.Rest, window.Era)})
	case res.Pager != nil && res.Pager.More:
		r.queue = append(r.queue, &task{read: &pendingRead{pager: res.Pager}})
	}
	r.classifyResult(res)
}

// edgeRows is how many rows of a block lie within the second that its window was asked wider, and belong to no other window.
func (r *sourceReader) edgeRows(res *fetch.Result) int {
	n := 0
	if res.Chunk == nil {
		return n
	}
	for _, s := range res.Chunk.Edge {
		if !r.interval.Has(s.Time) {
			n++
		}
	}
	return n
}

// raiseStart takes over that Graph refused to be asked from as far back as the walk begins: what an asked start lies before is a gap.
func (r *sourceReader) raiseStart(res *fetch.Result) {
	if res.Begun.IsZero() {
		return
	}
	r.begun = res.Begun
	if !r.open {
		r.addGap(window.Gap{Span: window.Span{Start: r.interval.Start, End: res.Begun}, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST})
	}
}

// wasDelivered reports whether an entry was handed over before the walk was resumed; again says that its window was.
func (r *sourceReader) wasDelivered(e *chunk.Entry, again bool) bool {
	switch from := r.resumeFrom; {
	case e.OutOfWindow:
		return again && from.outOfWindow && e.Key <= from.key
	case from.outOfWindow:
		return from.window.Has(e.Time)
	default:
		return r.fetch.Compare(e, &chunk.Entry{Time: from.time, Key: from.key}) <= 0
	}
}

// firstUndelivered is the index of the first entry of a block that the cursor has not passed.
func (r *sourceReader) firstUndelivered(res *fetch.Result, again bool) int {
	if !r.resumeFrom.outOfWindow {
		return sort.Search(len(res.Entries), func(i int) bool { return !r.wasDelivered(&res.Entries[i], again) })
	}
	next := 0
	for next < len(res.Entries) && r.wasDelivered(&res.Entries[next], again) {
		next++
	}
	return next
}

// classifyResult decides what a failed window means for the source.
func (r *sourceReader) classifyResult(res *fetch.Result) {
	if res.Failed == nil {
		r.answered = true
		r.failures = 0
		r.density.Observe(res.Window, r.fetch.Load(res.Rows, res.Chunk.Cost()))
		r.density.ObserveTime(res.Took)
		return
	}
	f := res.Failed
	r.failures++
	r.failedRequests = failure.AppendRequestID(r.failedRequests, f.Err)
	if res.Rows > 0 || f.Followed {
		r.answered = true
	}
	if f.Ends() || !r.answered || r.failures >= maxFailures {
		r.stopped, r.cause = f, f.Err
		// Nothing of the window is handed over: a row that was not read may lie before one that was, and a walk that is
		// resumed behind the latter would miss it.
		r.next = len(res.Entries)
		return
	}
	r.addGap(window.Gap{Span: res.Span, Reason: f.Reason})
}

// addGap records a gap, once.
func (r *sourceReader) addGap(g window.Gap) {
	r.gaps = window.AddGap(r.gaps, g)
}

// leave moves behind the active block.
func (r *sourceReader) leave() {
	res := r.current
	r.fetch.Drop(res)
	r.current, r.next = nil, 0
	if r.stopped != nil {
		return // the place stays where it is until the stop is final
	}
	r.position = nil
	if r.desc {
		r.reached = res.Start
	} else {
		r.reached = res.End
	}
	r.leaveFingerprint(res)
	if r.catchingUp(res.Span) {
		r.positionBuffer = r.resumePosition(window.Window{})
		r.position = &r.positionBuffer
	}
}

// setPosition puts the track's place behind an entry of the active block. While the block lies before the place of the cursor, that
// stays the track's place: what is handed over are rows from outside the window alone.
func (r *sourceReader) setPosition(e *chunk.Entry) {
	if r.catchingUp(r.current.Span) {
		return
	}
	r.positionBuffer = position{window: r.current.Window, time: e.Time, key: e.Key, outOfWindow: e.OutOfWindow, delivered: true}
	r.position = &r.positionBuffer
}

// finish ends the track in good order.
func (r *sourceReader) finish() {
	r.finished = true
	r.position = nil
	r.reached = r.farEnd()
}

// farEnd is where the walk of this source ends.
func (r *sourceReader) farEnd() time.Time {
	if r.desc {
		return r.interval.Start
	}
	return r.interval.End
}

// finalizeStop makes a stop final: the rest of the interval is a gap, which a call that asks the source again goes on with.
func (r *sourceReader) finalizeStop() {
	r.state, r.reason = r.stopped.State, r.stopped.Reason
	r.finished, r.stoppedEarly, r.stopped = true, true, nil
}

// allGaps are the gaps, with that of a source that has stopped.
func (r *sourceReader) allGaps() []window.Gap {
	if !r.stoppedEarly {
		return r.gaps
	}
	rest := r.interval
	if r.desc {
		rest.End = r.reached
	} else {
		rest.Start = r.reached
	}
	return window.AddGap(slices.Clone(r.gaps), window.Gap{Span: rest, Reason: r.reason})
}

// deliveredUntil is the time up to which everything has been handed over.
func (r *sourceReader) deliveredUntil() time.Time {
	if e := r.head(); e != nil && !e.OutOfWindow {
		return e.Time
	}
	if r.position != nil && r.position.delivered && !r.position.outOfWindow {
		return r.position.time
	}
	return r.reached
}

// add returns the counts with what the reading counted.
func (r *sourceReader) allCounts() cursor.Counts {
	c := r.counts
	pages, fromCache, requests := r.fetch.Counts()
	c.Pages += pages
	c.FromCache += fromCache
	c.Requests += requests
	return c
}
