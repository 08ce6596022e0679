package fetch

import (
	"context"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// Request is a window to read.
type Request struct {
	// Window is the window.
	Window window.Window
	// Urgent is closed after the window has become the next one that the call delivers; nil = it is from the beginning.
	Urgent <-chan struct{}
	// Unbounded says that Graph does not honour bounds: rows out of the window are left out.
	Unbounded bool
	// Indivisible says that the window cannot be split: a result that says InPieces will not do.
	Indivisible bool
}

// accepts reports whether a result that was not read for this request will do. A window that cannot be split is not read in pieces.
func (req *Request) accepts(res *Result) bool {
	return res != nil && (!res.Reread.Split() || !req.Indivisible)
}

// read reads one window and decides what the doubts on the way mean.
func (r *Reader) read(ctx context.Context, req *Request) *Result {
	w := req.Window
	res := &Result{Window: w}
	rows := newRowSet(r, w.Span)
	defer rows.release()
	rows.unbounded, rows.wantUnbounded = req.Unbounded, req.Unbounded
	rows.urgent, rows.mayReread = req.Urgent, true
	end := r.readFromAcceptedStart(ctx, rows, res)
	if err := ctx.Err(); err != nil {
		return r.Abandon(res, err)
	}
	if r.markReread(&end, rows, res) {
		return res
	}
	res.Failed = end.failed
	reason := end.reason
	if end.truncated && rows.received > 0 {
		reason = r.compareHalves(ctx, rows, res)
		if err := ctx.Err(); err != nil {
			return r.Abandon(res, err)
		}
	}
	if reason != failure.None {
		res.Gaps = append(res.Gaps, window.Gap{Span: w.Span, Reason: reason})
	}
	rows.build(res)
	if res.Failed == nil && len(res.Gaps) == 0 && res.OutOfWindow == 0 {
		r.cache(w, res.Chunk)
	}
	return res
}

// markReread notes in the result of a window that it must be read in another way, and reports whether it did.
func (r *Reader) markReread(end *chainEnd, rows *rowSet, res *Result) bool {
	switch {
	case end.boundsUnsent:
		res.Reread = BoundsUnsent
	case end.boundsIgnored:
		res.Reread = BoundsIgnored
	case end.split:
		res.Reread = InPieces
		if r.Query.Conversation == "" {
			r.cache(res.Window, &chunk.Chunk{Split: true, ReadAt: rows.oldestRead, AcceptedStart: res.AcceptedStart})
		}
	case end.unavailable() && res.Level == window.Era && res.IsDivisible():
		// Perhaps the whole era was too much for one request. If not, a year that cannot be read is a smaller gap than the era.
		res.Reread = InPieces
	default:
		return false
	}
	return true
}

// readFromAcceptedStart reads the pages of a window from its start, or from the first later start that Graph accepts. If Graph
// forgets the chain, the pages are read once more from the start, and the rows that came stay.
func (r *Reader) readFromAcceptedStart(ctx context.Context, rows *rowSet, res *Result) chainEnd {
	w := res.Window
	end := r.readPages(ctx, w, r.queryFor(w.Span), rows)
	for _, start := range r.startsAfterRefusal(w.Span, &end) {
		res.AcceptedStart = start
		if end = r.readPages(ctx, w, r.queryFor(window.Span{Start: start, End: w.End}), rows); !end.refused() {
			break
		}
	}
	if end.failed != nil && end.failed.LinkLost {
		rows.nextChain()
		end = r.readPages(ctx, w, r.queryFor(window.Span{Start: window.Later(w.Start, res.AcceptedStart), End: w.End}), rows)
	}
	if end.failed != nil {
		res.AcceptedStart = time.Time{}
	}
	return end
}

// compareHalves decides whether a chain that ended with an empty page was truncated: the same window, from the start that Graph accepted, read
// in two halves, must hold the same rows. It returns the reason of a doubt, or none.
func (r *Reader) compareHalves(ctx context.Context, whole *rowSet, res *Result) parleyv1.ErrorReason {
	w := res.Window
	start := window.Later(w.Start, res.AcceptedStart)
	middle := start.Add(w.End.Sub(start) / 2).Truncate(time.Second)
	if !middle.After(start) {
		return parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION
	}
	again := newRowSet(r, w.Span)
	again.urgent, again.unbounded = whole.urgent, whole.unbounded
	defer again.release()
	for _, half := range []window.Span{{Start: start, End: middle}, {Start: middle, End: w.End}} {
		again.nextChain()
		end := r.readPages(ctx, window.Window{Span: half, Level: window.Hour}, r.queryFor(half), again)
		if end.failed != nil {
			res.Failed = end.failed
			return failure.None
		}
		if end.reason != failure.None {
			whole.join(again)
			return end.reason
		}
	}
	if whole.equal(again) {
		return failure.None
	}
	whole.join(again)
	return parleyv1.ErrorReason_ERROR_REASON_SUSPECTED_TRUNCATION
}
