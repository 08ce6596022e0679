package merge

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/window"
)

// maxFailures is after how many failed windows in a row a source that has answered before is given up.
const maxFailures = 3

// sourceReader delivers the events of one source in order. It queues the windows of the interval, reads the first ones in parallel,
// and delivers the entries of the first window before it enters the next. One goroutine calls its methods; the windows are read in
// others.
//
// Its state has parts, each beside the methods that it is for.
type sourceReader struct {
	src   parleyv1.Source
	fetch *fetch.Reader
	desc  bool

	bounds     // what is read (bounds.go)
	progress   // how far it was delivered; goes into a token (resume.go)
	resumption // where the walk was resumed from (resume.go)
	failures   // windows that could not be read
	delivery   // windows that are being read and delivered
	settling   // when they were read (present.go)
	selection  // events that belong into the answer (filter.go)
}

// failures are the windows that could not be read, and the failure that stops the source.
type failures struct {
	inARow         int              // windows that failed in a row
	failedRequests []string         // Graph's ids of failed requests
	stop           *failure.Failure // what the source stops at, until finalizeStop; nil = nothing
	cause          error            // the error behind stop
}

// delivery is the queue of windows and the window that is being delivered.
type delivery struct {
	queue       []*task
	current     *fetch.Result // window that is being delivered; nil = none
	next        int           // index of the next entry of the current window
	last        time.Time     // time of the last event that was delivered in its order
	pageRows    int           // rows of a List's page, see SetListPage; 0 = no List
	used        []UsedWindow  // windows of a List
	firstWindow *FirstWindow  // read before the walk began; nil = it was not, or is no longer of use
}

// planRest queues the rest of the interval, from the position on.
func (r *sourceReader) planRest() {
	if r.finished || r.interval.Empty() || r.state != parleyv1.SourceState_SOURCE_STATE_READ {
		r.finished = true
		return
	}
	if r.readsReverseChain() {
		r.resumeFrom = r.position
		r.queue = []*task{{read: &pendingRead{chain: r.newReverseChain()}}}
		return
	}
	rest := r.interval
	from := r.reached
	if !r.position.none() {
		// The window of the position is read again as it was, so that it is found in the cache.
		if r.position.delivered || !r.tooSlow { // otherwise no earlier call has entered the window
			r.resumeFrom = r.position
		}
		r.queue = append(r.queue, &task{read: &pendingRead{window: r.position.window, tooSlow: r.tooSlow}})
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
	rest.Start = window.Later(rest.Start, r.acceptedStart)
	r.queue = append(r.queue, &task{plan: r.plan(rest, window.Era)})
}

// newReverseChain begins a chat's chain at the position. Messages of the same instant are asked for again and skipped.
func (r *sourceReader) newReverseChain() *fetch.ReverseChain {
	rest := r.interval
	rest.Start = window.Later(rest.Start, r.acceptedStart)
	rest.End = r.reached
	if p := &r.position; p.delivered && !p.outOfWindow {
		rest.End = p.time.Add(1)
	}
	return r.fetch.NewReverseChain(rest, window.Span{Start: rest.End, End: r.interval.End})
}

// plan splits a span into windows of a level at most.
func (r *sourceReader) plan(rest window.Span, maxLevel window.Level) *window.Plan {
	return &window.Plan{Rest: rest, MaxLevel: maxLevel, Desc: r.desc, EraEnd: r.eraEnd}
}

// poll makes the next entry available if that is possible without waiting. It returns false when a window must be waited for.
func (r *sourceReader) poll(pool *readPool, windowsAtOnce int) bool {
	for !r.finished {
		switch {
		case r.current != nil && r.next < len(r.current.Entries):
			return true
		case r.current != nil:
			r.leave()
		case r.stop != nil:
			return true
		default:
			r.fillQueue(pool, windowsAtOnce)
			if len(r.queue) == 0 {
				r.finish()
				return true
			}
			res := r.queue[0].read.resultAsNext(pool)
			if res == nil {
				return false
			}
			r.queue[0] = nil // so that the queue's array does not hold the result
			r.queue = r.queue[1:]
			r.enter(res)
			if r.stop != nil {
				r.abandonQueue(pool) // a token names the window that the source stopped at, and none after it
			}
		}
	}
	return true
}

// head is the next entry of the current window; nil = none is at hand: the reader waits, has stopped or has finished, as poll tells.
func (r *sourceReader) head() *chunk.Entry {
	if r.current == nil || r.next >= len(r.current.Entries) {
		return nil
	}
	return &r.current.Entries[r.next]
}

// enter makes a window the current one.
func (r *sourceReader) enter(res *fetch.Result) {
	inTokenWindow := !r.resumeFrom.none() && !res.Start.Before(r.resumeFrom.window.Start) && !res.End.After(r.resumeFrom.window.End)
	if !inTokenWindow { // the call before has counted the rows of the token's window
		r.counts.Duplicates += int64(res.Duplicates)
		r.counts.OutOfWindow += int64(res.OutOfWindow)
		r.counts.LeftOut += int64(res.Trimmed + r.edgeRows(res))
	}
	for _, gap := range res.Gaps {
		r.addGap(gap)
	}
	if res.Chunk != nil {
		r.noteRead(res.End, res.Chunk.ReadAt)
	}
	r.noteUnverified(res)
	r.raiseStart(res)
	r.current, r.next = res, 0
	if r.pageRows > 0 {
		r.used = append(r.used, UsedWindow{Store: r.fetch.Store, Key: res.CacheKey, Chunk: res.Chunk})
	}
	r.enterPosition(inTokenWindow)
	r.enterFingerprint(res)
	r.queueRest(res.Chain)
	r.classifyResult(res)
}

// queueRest queues the rest of a chain.
func (r *sourceReader) queueRest(chain *fetch.ReverseChain) {
	switch {
	case chain == nil:
	case chain.Unordered() && r.fetch.ByCreate: // only the end is sent: one window, not to be split
		r.queue = append(r.queue, readWindow(window.Window{Span: chain.Rest, Level: window.Hour}))
	case chain.Unordered():
		r.queue = append(r.queue, &task{plan: r.plan(chain.Rest, window.Era)})
	case chain.More():
		r.queue = append(r.queue, &task{read: &pendingRead{chain: chain}})
	}
}

// edgeRows is the number of rows at the edge of a window that belong to no other window.
func (r *sourceReader) edgeRows(res *fetch.Result) int {
	n := 0
	if res.Chunk == nil {
		return n
	}
	for _, row := range res.Chunk.Edge {
		if !r.interval.Has(row.Time) {
			n++
		}
	}
	return n
}

// raiseStart notes the later start that Graph accepted after it refused the start of the interval. Where the caller asked for the refused
// start, the span in between is a gap.
func (r *sourceReader) raiseStart(res *fetch.Result) {
	if res.AcceptedStart.IsZero() {
		return
	}
	r.acceptedStart = res.AcceptedStart
	if !r.open {
		r.addGap(window.Gap{Span: window.Span{Start: r.interval.Start, End: res.AcceptedStart}, Reason: parleyv1.ErrorReason_ERROR_REASON_GRAPH_REJECTED_REQUEST})
	}
}

// classifyResult decides whether a failed window is a gap or the stop of the source.
func (r *sourceReader) classifyResult(res *fetch.Result) {
	if res.Failed == nil {
		r.answered = true
		r.inARow = 0
		r.density.Observe(res.Window, r.fetch.Weigh(res.Rows, res.Chunk.Cost()))
		r.density.ObserveTime(res.Took)
		return
	}
	f := res.Failed
	r.inARow++
	r.failedRequests = failure.AppendRequestID(r.failedRequests, f.Err)
	if res.Rows > 0 || f.Followed {
		r.answered = true
	}
	if f.Ends() || !r.answered || r.inARow >= maxFailures {
		r.stop, r.cause = f, f.Err
		// Nothing of the window is delivered. A row that was not read may lie before one that was, and a walk that is resumed
		// after the latter would miss it.
		r.next = len(res.Entries)
		return
	}
	r.addGap(window.Gap{Span: res.Span, Reason: f.Reason})
}

// leave leaves the current window.
func (r *sourceReader) leave() {
	res := r.current
	r.fetch.Drop(res)
	r.current, r.next = nil, 0
	if r.stop != nil {
		return // the position stays until the stop is final
	}
	if r.desc {
		r.reached = res.Start
	} else {
		r.reached = res.End
	}
	r.leaveFingerprint(res)
	r.leavePosition(res.Span)
}

// finish ends the reader after everything was delivered.
func (r *sourceReader) finish() {
	r.finished = true
	r.position = position{}
	if r.desc {
		r.reached = r.interval.Start
	} else {
		r.reached = r.interval.End
	}
}

// finalizeStop makes a stop final. The rest of the interval is a gap, and a call that asks the source again goes on there.
func (r *sourceReader) finalizeStop() {
	r.state, r.reason = r.stop.State, r.stop.Reason
	r.finished, r.restMissing, r.stop = true, true, nil
}

// becomeNotApplicable ends the reading of a source that the user has no plan for. Nothing of it is missing.
func (r *sourceReader) becomeNotApplicable() {
	r.state, r.reason, r.stop, r.cause = parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE, failure.None, nil, nil
	r.finish()
}

// allGaps returns the gaps, together with the gap of a source that has stopped.
func (r *sourceReader) allGaps() []window.Gap {
	if !r.restMissing {
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
