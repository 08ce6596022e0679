package fetch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// chainStep reads one page of a reverse chain.
type chainStep struct {
	r    *Reader
	from *ReverseChain             // the chain before the page
	next *ReverseChain             // the chain after it
	page *source.Page[source.Item] // nil = there is none
	err  error                     // of the request for the page
	rows *rowSet                   // rows of the page, and rows that were held back
	res  *Result
}

// chainOutcome says what came of the request for a page. Together with the state of the chain, it decides the state after it.
type chainOutcome int

// The outcomes.
const (
	pageCame        chainOutcome = iota // the rows of the page belong to the chain
	pageFailed                          // the page could not be read: the chain ends
	pageUnordered                       // the first page is not in order: windows are read in place of the chain
	linkNotCached                       // the rest of an old reading is not cached any more: the chain begins again
	linkForgotten                       // Graph does not know the link any more: the chain begins again, from Graph
	chainLoops                          // the page, or its link, was shown before: the chain begins again, from Graph
	chainLoopsAgain                     // the same in a chain that was begun again: it ends
)

// NextPage reads the next page of a chain. The result spans from just after the oldest instant of the page, whose rows are held back, to
// the end of the chain's rest; from the start of the rest when no page follows. It is empty when the chain begins again, or windows are
// read in its place.
func (r *Reader) NextPage(ctx context.Context, chain *ReverseChain) *Result {
	s := &chainStep{r: r, from: chain, res: emptyResult(chain), rows: newRowSet(r, chain.Rest)}
	defer s.rows.release()
	s.rows.add(chain.heldBack)
	s.rows.received, s.rows.duplicates = 0, 0 // the page before has counted them
	s.ask(ctx)
	reason := failure.None
	switch s.outcome() {
	case linkNotCached:
		return s.beginAgain(anyPage)
	case linkForgotten:
		return s.beginAgain(graphPages)
	case chainLoops:
		if !s.page.FromCache { // a circle of cached pages says nothing about Graph
			s.addGap(s.from.Rest, parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP)
		}
		return s.beginAgain(graphPages)
	case pageUnordered:
		s.next.state, s.res.Start = windowsInstead, s.from.Rest.End
		return s.res
	case pageFailed:
		f := failure.ClassifyPage(s.err, s.from.link)
		s.next.state, s.res.Failed = chainEnded, &f
	case chainLoopsAgain:
		s.next.state, reason = chainEnded, parleyv1.ErrorReason_ERROR_REASON_PAGING_LOOP
	default:
		reason = s.addPage()
	}
	if err := ctx.Err(); err != nil {
		return r.Abandon(s.res, err)
	}
	s.build(reason)
	if s.rows.boundsDoubted && s.page != nil && s.page.FromCache && s.from.state != graphPages {
		// Perhaps cached pages of different readings do not fit together. A chain from Graph alone decides.
		accepted := s.res.AcceptedStart
		*s.next, s.res = *s.from, emptyResult(s.from)
		s.res.Chain, s.res.AcceptedStart = s.next, accepted
		return s.beginAgain(graphPages)
	}
	return s.res
}

// emptyResult is a result of the rest of a chain, without rows.
func emptyResult(chain *ReverseChain) *Result {
	return &Result{Window: window.Window{Span: chain.Rest, Level: window.Hour}}
}

// ask asks for the page. If Graph refuses the first page of a chain, it is asked for from a later start on, and the chain begins there.
func (s *chainStep) ask(ctx context.Context) {
	r := s.r
	switch s.from.state {
	case graphPages:
		ctx = cache.WithoutCached(ctx)
	case cachedPages:
		control := cache.ControlOf(ctx)
		control.OnlyUnderWay = true
		ctx = cache.WithControl(ctx, control)
	default:
	}
	s.page, s.err = r.page(ctx, s.from.query, s.from.link)
	for _, start := range s.laterStarts() {
		raised := *s.from
		raised.Rest.Start, s.res.AcceptedStart = start, start
		raised.begin(r, raised.state)
		s.from = &raised
		if s.page, s.err = r.page(ctx, s.from.query, ""); s.laterStarts() == nil {
			break
		}
	}
	next := *s.from
	next.heldBack = nil
	s.next, s.res.Chain = &next, &next
}

// laterStarts returns the times from which the first page is asked for in turn after Graph refused it; none where it did not.
func (s *chainStep) laterStarts() []time.Time {
	if s.err == nil || s.from.link != "" {
		return nil
	}
	f := failure.Classify(s.err)
	return s.r.startsAfterRefusal(s.from.Rest, &chainEnd{failed: &f})
}

// outcome decides how the chain goes on.
func (s *chainStep) outcome() chainOutcome {
	again := s.from.state == graphPages
	switch {
	case s.from.state == cachedPages && errors.Is(s.err, cache.ErrNotCached):
		return linkNotCached
	case s.err != nil && !again && failure.ClassifyPage(s.err, s.from.link).LinkLost:
		return linkForgotten
	case s.err != nil:
		return pageFailed
	case s.from.loops(s.r, s.page) && again:
		return chainLoopsAgain
	case s.from.loops(s.r, s.page):
		return chainLoops
	case s.page.Unordered && s.from.link == "":
		return pageUnordered
	default:
		return pageCame
	}
}

// beginAgain begins the chain again at its rest. The result stays empty.
func (s *chainStep) beginAgain(state chainState) *Result {
	s.next.begin(s.r, state)
	s.next.heldBack = s.from.heldBack
	s.res.Start = s.from.Rest.End
	return s.res
}

// addGap adds a gap to the result.
func (s *chainStep) addGap(span window.Span, reason parleyv1.ErrorReason) {
	s.res.Gaps = append(s.res.Gaps, window.Gap{Span: span, Reason: reason})
}

// addPage adds the rows of the page, and prepares the chain for the page after it. It returns the reason of a doubt, or none.
func (s *chainStep) addPage() parleyv1.ErrorReason {
	r, next, page := s.r, s.next, s.page
	if !next.unbounded && next.ignoresBounds(r, page.Items) {
		next.unbounded = true
		r.boundsIgnored.Store(true)
		s.addGap(next.Rest, parleyv1.ErrorReason_ERROR_REASON_INTERVAL_NOT_HONOURED)
	}
	s.rows.unbounded = next.unbounded
	s.rows.noteRead(page.ReadAt)
	s.rows.add(next.unseen(r, page.Items, s.rows))
	next.pages++
	switch {
	case next.state == graphPages:
	case page.FromCache && !page.Joined:
		next.state = cachedPages
	default:
		next.state = anyPage
	}
	next.lowerOldest(r, page.Items)
	return s.advance()
}

// advance moves the chain to the page after this one, if there is one to read. It returns the reason of a doubt, or none.
func (s *chainStep) advance() parleyv1.ErrorReason {
	r, next, page := s.r, s.next, s.page
	oldest, found := r.oldestOf(s.rows.items)
	beforeInterval := (r.ByCreate || next.unbounded) && found && oldest.Before(next.Rest.Start.Add(-2*time.Second))
	switch {
	case page.Next == "" && s.mayBeTruncated():
		// Once more from here. Rows that appear now were missing from the first reading.
		next.begin(r, graphPages)
		next.lastRows = 0
		return failure.None
	case page.Next == "", beforeInterval: // Graph was not told the start of the interval where pages go on before it
		next.state = chainEnded
		return failure.None
	}
	if more, doubt := next.links.Follow(page.Next, next.pages, r.MaxPages); !more {
		next.state = chainEnded
		return doubt
	}
	next.link = page.Next
	if page.Rows > 0 {
		next.lastRows = page.Rows
	}
	return failure.None
}

// mayBeTruncated reports whether Graph may have ended a chain too early: its last page is empty, and the one before it was short. A chain that
// was begun again has given the answer.
func (s *chainStep) mayBeTruncated() bool {
	return s.page.Rows == 0 && s.next.lastRows > 0 && s.r.isShort(s.next.lastRows) && s.next.state != graphPages
}

// build makes the result of the rows that are not held back. A reason of a doubt makes the rest of the chain a gap.
func (s *chainStep) build(reason parleyv1.ErrorReason) {
	s.res.Start = s.from.Rest.Start
	if s.next.More() {
		s.holdBack()
		s.res.Start = s.next.Rest.End
	}
	if reason != failure.None {
		s.addGap(s.from.Rest, reason)
	}
	s.rows.span, s.rows.newestExpected = s.res.Span, s.from.oldest
	s.rows.build(s.res)
}

// holdBack holds the rows of the oldest instant back for the next page, and moves the end of the rest there.
func (s *chainStep) holdBack() {
	r, next, rows := s.r, s.next, s.rows
	oldest, found := r.oldestOf(rows.items)
	if !found {
		return
	}
	if oldest.Before(next.Rest.Start) {
		oldest = next.Rest.Start
	}
	if !oldest.Before(next.Rest.End) {
		return
	}
	next.Rest.End = oldest.Add(1)
	isOldest := func(item source.Item) bool { return !item.NoTime && r.timeOf(&item).Equal(oldest) }
	for i := range rows.items {
		if isOldest(rows.items[i]) {
			next.heldBack = append(next.heldBack, rows.items[i])
		}
	}
	rows.items = slices.DeleteFunc(rows.items, isOldest)
}
