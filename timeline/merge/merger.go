// Package merge delivers the events of several sources in one total order.
//
// A walk begins with Open, Step looks for the next event, NextRun delivers it with those that follow in its chunk, and Token says where the
// next call goes on. The files, in the order in which a walk passes them:
//
//   - open.go begins a walk and says how it reads. bounds.go says which part of the interval is read of each source, and present.go what is
//     the present of a walk.
//   - firstwindow.go: the first window may be planned by another walk, or be read before the walk begins.
//   - merger.go is the k-way merge over the readers of the sources, and delivers runs of events.
//   - reader.go is the reader of one source: it enters one window after another and delivers the entries of each.
//   - queue.go reads the next windows ahead, in parallel; pieces.go puts smaller windows in the place of one that holds too much.
//   - filter.go and whole.go leave out the events that do not belong into the answer.
//   - report.go says what was read: reports, notices, checkpoints, and the cached windows that a page was made of.
//   - resume.go saves the progress of each reader in a token, and restores it. position.go skips the entries up to the position of the token;
//     fingerprint.go recognizes delivered rows that Graph dates otherwise now.
package merge

import (
	"cmp"
	"context"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
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
	cfg           *Config
	req           *query.Events
	filter        *filter.Filter // nil = everything
	desc          bool
	span          window.Span // the requested interval; a zero start is open
	readers       []*sourceReader
	headReader    *sourceReader // reader of the next event
	pool          *readPool
	windowsAtOnce int      // windows of a source that are read at a time
	seen          seen.Set // versions that were delivered

	present   present
	extended  bool // a finished walk goes on with the rows that came since
	outOfTime bool // the call ended before the walk had more to offer

	notices notices
	binding []byte      // what tokens are bound to: the digest of the request
	pauses  func() bool // reports whether a throttled source ends the page (frame.Paused); nil, or false = the source is given up
}

// InInterval reports whether a time lies in the requested interval.
func (m *Merger) InInterval(at time.Time) bool { return m.span.Has(at) }

// Close stops all readings and waits for their end.
func (m *Merger) Close() { m.pool.close() }

// Head is the next event, after Step has returned Ready.
func (m *Merger) Head() *chunk.Entry { return m.headReader.head() }

// HeadChunk is the chunk of the next event, after Step has returned Ready.
func (m *Merger) HeadChunk() *chunk.Chunk { return m.headReader.current.Chunk }

// HeadSource is the source of the next event, after Step has returned Ready.
func (m *Merger) HeadSource() parleyv1.Source { return m.headReader.src }

// End is the end of the requested interval.
func (m *Merger) End() time.Time { return m.span.End }

// Step implements frame.Rows. When it returns Ready, the next event is the head of headReader.
func (m *Merger) Step() frame.State {
	var state frame.State
	m.headReader, state = m.step()
	return state
}

// step returns the reader of the next event, without waiting.
func (m *Merger) step() (*sourceReader, frame.State) {
	for {
		var first *sourceReader
		waiting, again := false, false
		for _, r := range m.readers {
			switch {
			case !r.poll(m.pool, m.windowsAtOnceOf(r)):
				waiting = true
			case r.stop != nil && r.head() == nil:
				if state, ends := m.acceptStop(r); ends {
					return r, state
				}
				again = true
			case r.head() == nil: // finished
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

// acceptStop decides what the stop of a source means. While another source can be or was read, the stop is final: the rest is a gap. Where
// none is left, the call fails (Broken). A throttled source may end a page instead (Paused), and one that the user has no plan for becomes
// NOT_APPLICABLE. state counts only with ends.
func (m *Merger) acceptStop(r *sourceReader) (state frame.State, ends bool) {
	if r.stop.State == parleyv1.SourceState_SOURCE_STATE_THROTTLED && m.pauses != nil && m.pauses() {
		return frame.Paused, true
	}
	if m.lacksPlan(r) {
		r.becomeNotApplicable()
		return frame.Ready, false
	}
	for _, other := range m.readers {
		if other != r && other.state == parleyv1.SourceState_SOURCE_STATE_READ && other.stop == nil {
			r.finalizeStop()
			return frame.Ready, false
		}
	}
	return frame.Broken, true
}

// FinalizeStops makes the stops of all sources final, after Step has returned Broken.
func (m *Merger) FinalizeStops() {
	for _, r := range m.readers {
		if r.stop != nil {
			r.finalizeStop()
		}
	}
}

// lacksPlan reports whether a source was refused for a user of whom the directory shows that there is no plan for it.
func (m *Merger) lacksPlan(r *sourceReader) bool {
	return r.src == parleyv1.Source_SOURCE_COPILOT && m.req.Plan != source.PlanUnchecked && !r.answered &&
		r.stop.State == parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER
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

// isDuplicate reports whether the same version of an entry was delivered before: in this call, as far as m.seen remembers, or in an earlier
// one, as far as the token tells.
func (m *Merger) isDuplicate(r *sourceReader, e *chunk.Entry) bool {
	if m.cannotRepeat(r) {
		return false
	}
	m.seen.Flush()
	return m.seen.Has(e.Hash^uint64(r.src)) || e.OutOfWindow && slices.Contains(r.fingerprint.redated, e.Hash)
}

// cannotRepeat reports whether no entry of the current window can have been delivered before: so far there were cached windows only, each
// with the rows of its own time, and no walk has met a version of this one in another window.
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

// NextRun delivers the next events that lie side by side in one chunk and come before the events of all other sources. A
// run has at most maxEvents events and, unless it is a single event, at most maxBytes bytes. The bytes are shared and must not be
// changed.
func (m *Merger) NextRun(maxEvents, maxBytes int) (events []byte, n int, err error) {
	r := m.headReader
	head := r.head()
	if head.At == chunk.NotInChunk {
		events, err = head.AppendTo(nil, m.req.ShownView(), chunk.MaxFrameEvents)
		if err == nil {
			m.addSeen(head, r.src)
			r.advance(1)
		}
		return events, 1, err
	}
	list, err := r.current.Chunk.Events(m.req.ShownView())
	if err != nil {
		return nil, 0, err
	}
	n = m.runLength(list, maxEvents, maxBytes)
	events = list.Part(head.At, head.At+n)
	r.advance(n)
	return events, n, nil
}

// addSeen adds an entry to the delivered versions.
func (m *Merger) addSeen(e *chunk.Entry, src parleyv1.Source) {
	if id := e.Hash ^ uint64(src); e.OutOfWindow {
		m.seen.AddOutOfWindow(id)
	} else {
		m.seen.Add(id)
	}
}

// runLength returns the number of events of the next run, and adds these events to the delivered ones.
func (m *Merger) runLength(list *chunk.List, maxEvents, maxBytes int) int {
	r := m.headReader
	entries, src := r.current.Entries[r.next:], uint64(r.src)
	head := &entries[0]
	runnerUp, cannotRepeat := m.runnerUp(r), m.cannotRepeat(r)
	if !cannotRepeat {
		m.seen.Add(head.Hash ^ src)
	}
	n := 1
	for ; n < len(entries) && n < maxEvents; n++ {
		e := &entries[n]
		if e.At != head.At+n || list.PartSize(head.At, e.At+1) > maxBytes || runnerUp != nil && !m.earlier(r, e, runnerUp) ||
			!cannotRepeat && !m.seen.AddNew(e.Hash^src) { // last, because it adds the version
			break
		}
	}
	if cannotRepeat {
		m.seen.AddRun(r.current.Chunk.Hashes[head.At:head.At+n], src)
	}
	return n
}

// Wait implements frame.Rows. It returns when a window was read or memory was claimed, the timer fires, or the context ends.
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

// Err implements frame.Rows. It returns the error of the sources that stopped or could not be asked, the one most likely to go away first;
// nil = there is none. It ends the call only where Step says so.
func (m *Merger) Err() error {
	var foremost *failure.Error
	var all []*failure.Error
	for _, r := range m.readers {
		reason := r.reason
		if r.stop != nil {
			reason = r.stop.Reason
		}
		if reason == failure.None {
			continue
		}
		failed := &failure.Error{Reason: reason, Source: r.src, Err: r.cause, Message: "no asked source could be read"}
		if all = append(all, failed); foremost == nil || rank(reason) > rank(foremost.Reason) {
			foremost = failed
		}
	}
	if foremost == nil {
		return nil
	}
	foremost.Others = slices.DeleteFunc(all, func(other *failure.Error) bool { return other == foremost })
	return foremost
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
