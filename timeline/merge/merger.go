// Package merge delivers the events of several sources in one total order.
//
//   - merger.go is the k-way merge over the readers of the sources; run.go delivers runs of its events; report.go says what was read.
//   - reader.go is the reader of one source: it enters one window after another and delivers the entries of each.
//   - queue.go reads the next windows ahead, in parallel; pieces.go puts smaller windows in the place of one that holds too much.
//   - open.go and bounds.go begin a walk. resume.go, position.go and fingerprint.go go on from a token: they restore the progress of each
//     reader, skip the entries up to the position, and recognize delivered rows that Graph dates otherwise now.
//   - beside.go plans the first window of a walk by another one that ends where it begins.
//   - filter.go and whole.go leave out the events that do not belong into the answer.
package merge

import (
	"cmp"
	"context"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/internal/seal"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/participants"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/seen"
	"github.com/parley-gateway/parley/timeline/window"
)

// Config is the configuration that all walks share.
type Config struct {
	// Sealer seals tokens.
	Sealer seal.Sealer
	// Settle is the time after an event within which its row may still appear.
	Settle map[parleyv1.Source]time.Duration
	// CallsKept is the time for which Graph keeps call records.
	CallsKept time.Duration
	// MaxPages ends a window that does not end by itself.
	MaxPages int
	// WindowBytes is the memory that a window is planned for.
	WindowBytes int64
	// Canaries know whether Graph evaluates the filter by participant.
	Canaries *participants.Canaries
}

// Merger is the k-way merge of the sources of one call into the total order (event time, source, key).
type Merger struct {
	cfg     *Config
	req     *query.Events
	filter  *filter.Filter // nil = everything
	desc    bool
	span    window.Span // the asked interval; a zero start is open
	readers []*sourceReader
	first   *sourceReader // reader of the next event
	pool    *readPool
	ahead   int      // windows of a source that are read at a time
	seen    seen.Set // versions that were delivered

	// The present of a walk is the time of its first call, so that its end does not move while it is read. A walk that is extended begins
	// a new present with the call that extends it.
	firstNow   time.Time            // the walk's present, by this machine's clock
	firstClock time.Time            // the walk's present by the earlier one of both clocks, from a token; zero = this call is the first
	firstCall  time.Time            // time of the first call of all, from before any extension; zero = firstNow
	graphNow   time.Time            // the present of this call, by Graph's clock
	skew       func() time.Duration // time by which this machine's clock is ahead of Graph's
	extended   bool                 // a finished walk goes on with the rows that came since
	outOfTime  bool                 // the call ended before the walk had more to offer

	notices    notices
	associated []byte      // digest that tokens are bound to
	patient    func() bool // reports whether a throttled source ends the page in place of being given up; nil = never
}

// Limit bounds what is read ahead: the windows of each source, and the bytes by the account. rows is the number of rows of the usual size
// that fit into the account.
func (m *Merger) Limit(windows, rows int, account *ledger.Account) {
	m.ahead = windows
	for _, r := range m.readers {
		unit := m.cfg.WindowBytes / window.TargetRows
		if r.fetch.Query.Conversation != "" {
			unit = account.Each() / int64(rows)
			r.density.TargetRows = float64(max(rows/2, window.TargetRows))
		}
		r.fetch.Limit(account, unit)
	}
}

// aheadOf is how many windows of a source are read at a time. Graph allows one request a second for one chat: in a List the next window
// would only stand in the way.
func (m *Merger) aheadOf(r *sourceReader) int {
	if r.pageRows > 0 && r.fetch.Query.Conversation != "" {
		return 1
	}
	return m.ahead
}

// Listing has the walk read nothing ahead of a window that holds size rows. A throttled source ends the page of a List in place of
// being given up while patient returns true.
func (m *Merger) Listing(size int, patient func() bool) {
	m.patient = patient
	for _, r := range m.readers {
		r.pageRows = size
	}
}

// Ahead changes how many windows of each source are read at a time.
func (m *Merger) Ahead(windows int) { m.ahead = windows }

// InInterval reports whether a time lies in the asked interval.
func (m *Merger) InInterval(at time.Time) bool { return m.span.Has(at) }

// Calm has the walk wait for memory even for the windows that it delivers next, until Hurry.
func (m *Merger) Calm() { m.pool.calm.Store(true) }

// Hurry ends Calm. Any goroutine may call it.
func (m *Merger) Hurry() {
	if m.pool.calm.Swap(false) {
		m.pool.wake()
	}
}

// GiveUp makes the stops of all sources final, after Step has returned Broken.
func (m *Merger) GiveUp() {
	for _, r := range m.readers {
		if r.stopped != nil {
			r.finalizeStop()
		}
	}
}

// Close stops all readings and waits for their end.
func (m *Merger) Close() { m.pool.close() }

// Head is the next event, after Step has returned Ready.
func (m *Merger) Head() *chunk.Entry { return m.first.head() }

// HeadChunk is the chunk of the next event, after Step has returned Ready.
func (m *Merger) HeadChunk() *chunk.Chunk { return m.first.current.Chunk }

// HeadSource is the source of the next event, after Step has returned Ready.
func (m *Merger) HeadSource() parleyv1.Source { return m.first.src }

// End is the end of the asked interval.
func (m *Merger) End() time.Time { return m.span.End }

// Step implements frame.Rows. When it returns Ready, the next event is the head of first.
func (m *Merger) Step() frame.State {
	var state frame.State
	m.first, state = m.step()
	return state
}

// step returns the reader of the next event, without waiting.
func (m *Merger) step() (*sourceReader, frame.State) {
	for {
		var first *sourceReader
		waiting, again := false, false
		for _, r := range m.readers {
			switch {
			case !r.poll(m.pool, m.aheadOf(r)):
				waiting = true
			case r.stopped != nil && r.head() == nil:
				if state, final := m.acceptStop(r); final {
					return r, state
				}
				again = true
			case r.head() == nil:
			case m.isDuplicate(r, r.head()):
				r.skipDuplicate()
				again = true
			case first == nil || m.earlier(r, r.head(), first):
				first = r
			}
		}
		switch {
		case again:
		case waiting:
			return nil, frame.Waiting
		case first == nil:
			return nil, frame.Ended
		default:
			return first, frame.Ready
		}
	}
}

// acceptStop makes the stop of a source final. It returns true when the stop ends the page or the call.
func (m *Merger) acceptStop(r *sourceReader) (frame.State, bool) {
	if r.stopped.State == parleyv1.SourceState_SOURCE_STATE_THROTTLED && m.patient != nil && m.patient() {
		return frame.Paused, true
	}
	if m.lacksPlan(r) {
		r.becomeNotApplicable()
		return frame.Ready, false
	}
	for _, other := range m.readers {
		if other != r && other.state == parleyv1.SourceState_SOURCE_STATE_READ && other.stopped == nil {
			r.finalizeStop()
			return frame.Ready, false
		}
	}
	return frame.Broken, true
}

// lacksPlan reports whether a source was refused for a user of whom the directory shows that there is no plan for it.
func (m *Merger) lacksPlan(r *sourceReader) bool {
	return r.src == parleyv1.Source_SOURCE_COPILOT && m.req.Plan != source.PlanUnchecked && !r.answered &&
		r.stopped.State == parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
}

// Err implements frame.Rows. It returns the error of a call whose sources have all stopped. An error that may go away comes first.
func (m *Merger) Err() error {
	var worst *failure.Error
	var all []*failure.Error
	for _, r := range m.readers {
		reason := r.reason
		if r.stopped != nil {
			reason = r.stopped.Reason
		}
		if reason == failure.None {
			continue
		}
		failed := &failure.Error{Reason: reason, Source: r.src, Err: r.cause, Message: "no asked source could be read"}
		if all = append(all, failed); worst == nil || rank(reason) > rank(worst.Reason) {
			worst = failed
		}
	}
	if worst == nil {
		return nil
	}
	worst.Others = slices.DeleteFunc(all, func(other *failure.Error) bool { return other == worst })
	return worst
}

// rank orders reasons by how likely they go away when the call is repeated.
func rank(reason parleyv1.ErrorReason) int {
	switch reason {
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT:
		return 6
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE:
		return 5
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED:
		return 4
	case parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED, parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED:
		return 3
	case parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING, parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED:
		return 2
	case parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND:
		return 1
	default:
		return 0
	}
}

// runnerUp is the reader whose head is the next event without r; nil = there is none.
func (m *Merger) runnerUp(r *sourceReader) *sourceReader {
	var next *sourceReader
	for _, other := range m.readers {
		if other != r && other.head() != nil && (next == nil || m.earlier(other, other.head(), next)) {
			next = other
		}
	}
	return next
}

// earlier reports whether an entry of the current window of a comes before the head of b.
func (m *Merger) earlier(a *sourceReader, e *chunk.Entry, b *sourceReader) bool {
	order := a.emitTime(e).Compare(b.emitTime(b.head()))
	if order == 0 {
		order = cmp.Compare(a.src, b.src)
	}
	if m.desc {
		return order > 0
	}
	return order < 0
}

// emitTime is the time that orders an entry among the sources. An entry out of its window is delivered at the end of the window that it
// came with.
func (r *sourceReader) emitTime(e *chunk.Entry) time.Time {
	switch {
	case !e.OutOfWindow:
		return e.Time
	case r.desc:
		return r.current.Start
	default:
		return r.current.End.Add(-1)
	}
}

// isDuplicate reports whether the same version of an entry was delivered before in this walk.
func (m *Merger) isDuplicate(r *sourceReader, e *chunk.Entry) bool {
	if m.cannotRepeat(r) {
		return false
	}
	m.seen.Flush()
	return m.seen.Has(e.Hash^uint64(r.src)) || e.OutOfWindow && slices.Contains(r.fingerprint.redated, e.Hash)
}

// cannotRepeat reports whether no entry of the current window can have been delivered before: so far there were cached windows only,
// each with the rows of its own time.
func (m *Merger) cannotRepeat(r *sourceReader) bool {
	return r.current.CacheKey != "" && m.seen.Empty() && !r.current.Chunk.Repeats.Load()
}

// skipDuplicate skips the head.
func (r *sourceReader) skipDuplicate() {
	e := &r.current.Entries[r.next]
	r.current.Chunk.Repeats.Store(true)
	r.setPosition(e)
	r.counts.Duplicates++
	r.next++
}

// advance moves the reader after n entries that were delivered.
func (r *sourceReader) advance(n int) {
	last := &r.current.Entries[r.next+n-1]
	r.setPosition(last)
	if !last.OutOfWindow {
		r.last = last.Time
	}
	r.counts.Events += int64(n)
	r.next += n
}

// Wait implements frame.Rows. It returns when a window was read, the timer fires, or the context ends.
func (m *Merger) Wait(ctx context.Context, timer <-chan time.Time) error {
	select {
	case <-m.pool.woken:
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		m.outOfTime = true
		return ctx.Err()
	}
}
