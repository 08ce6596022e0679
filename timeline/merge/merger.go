// Package merge delivers the events of several sources in one total order. A reader for each source cuts its interval into windows,
// reads later windows ahead in parallel, and delivers them in order; the merger is the k-way merge over these readers. The package
// decides what a resumed call delivers, which calls are the user's, and what is complete.
package merge

import (
	"cmp"
	"context"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/cursor/seal"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/seen"
	"github.com/parley-gateway/parley/timeline/window"
)

// Config is what all walks share.
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
	// Canaries hold what was found out about the filters of tenants.
	Canaries *Canaries
}

// Merger merges the sources of one call into the total order (event time, source, key).
type Merger struct {
	cfg        *Config
	req        *query.Events
	filter     *filter.Filter // nil = everything
	desc       bool
	firstNow   time.Time // the present when the walk's first page was asked for
	firstClock time.Time // the same by the earlier of both clocks, as a token told; zero = none did
	firstCall  time.Time // when the walk's first page was asked for, even if the walk was extended since; zero = now0
	graphNow   time.Time // Graph's present
	skew       func() time.Duration
	span       window.Span // the asked interval; a zero start is open
	readers    []*sourceReader
	seen       seen.Set // versions that were handed over
	pool       *readPool
	first      *sourceReader // its head goes out next

	extended   bool // a finished walk goes on with what has come since
	outOfTime  bool // the call ran out of time before the walk had more to offer
	ahead      int
	notices    []*parleyv1.Notice // not yet handed to the reader
	told       map[string]bool
	associated []byte

	// patient reports whether a throttled source ends the page instead of being given up.
	patient func() bool
}

// Limit bounds what is read ahead of the reader: windows per source, and bytes by the account. So many rows of the usual
// size fit into the account.
func (m *Merger) Limit(windows, rows int, account *ledger.Account) {
	m.ahead = windows
	for _, r := range m.readers {
		unit := m.cfg.WindowBytes / window.MaxRows
		if m.req.Conversation != "" {
			unit = account.Each() / int64(rows)
			r.density.Most = float64(max(rows/2, window.MaxRows))
		}
		r.fetch.Limit(account, unit)
	}
}

// Listing has the walk read nothing ahead of a window that holds size rows. A throttled source ends the page of a List in place of
// being given up while patient returns true.
func (m *Merger) Listing(size int, patient func() bool) {
	m.patient = patient
	for _, r := range m.readers {
		r.pageRows = size
	}
}

// Close stops every reading and waits for it.
func (m *Merger) Close() { m.pool.close() }

// Head is the next event, after Step has returned Ready.
func (m *Merger) Head() *chunk.Entry { return m.first.head() }

// HeadChunk is the chunk of the next event, after Step has returned Ready.
func (m *Merger) HeadChunk() *chunk.Chunk { return m.first.current.Chunk }

// End is the end of the asked interval.
func (m *Merger) End() time.Time { return m.span.End }

// Step implements frame.Rows. When it returns Ready, the next event is the head of first.
func (m *Merger) Step() frame.State {
	state := frame.Ready
	m.first, state = m.step()
	return state
}

// step returns the track whose head goes out next, without waiting.
func (m *Merger) step() (*sourceReader, frame.State) {
	for {
		best, again := (*sourceReader)(nil), false
		anyWaiting := false
		for _, r := range m.readers {
			if !r.poll(m.pool, m.ahead) {
				anyWaiting = true
				continue
			}
			if r.stopped != nil && r.head() == nil {
				if v, final := m.acceptStop(r); final {
					return r, v
				}
				again = true
				continue
			}
			e := r.head()
			if e == nil {
				continue
			}
			if m.isDuplicate(r, e) {
				r.skipDuplicate()
				again = true
				continue
			}
			if best == nil || m.earlier(r, e, best) {
				best = r
			}
		}
		switch {
		case again:
			continue
		case anyWaiting:
			return nil, frame.Waiting
		case best == nil:
			return nil, frame.Ended
		default:
			return best, frame.Ready
		}
	}
}

// acceptStop makes the stop of a source final, unless it ends the call.
func (m *Merger) acceptStop(r *sourceReader) (frame.State, bool) {
	if r.stopped.State == parleyv1.SourceState_SOURCE_STATE_THROTTLED && m.patient != nil && m.patient() {
		return frame.Paused, true
	}
	for _, other := range m.readers {
		if other != r && other.state == parleyv1.SourceState_SOURCE_STATE_READ && other.stopped == nil {
			r.finalizeStop()
			return frame.Ready, false
		}
	}
	return frame.Broken, true
}

// Err implements frame.Rows: the error of a call whose sources have all stopped. What may succeed when repeated comes first.
func (m *Merger) Err() error {
	var worst *failure.Error
	rank := -1
	for _, r := range m.readers {
		reason, cause := r.reason, r.cause
		if r.stopped != nil {
			reason = r.stopped.Reason
		}
		if reason == failure.None {
			continue
		}
		this := map[parleyv1.ErrorReason]int{
			parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED: 6, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT: 6, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE: 5, parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED: 4, parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED: 3, parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED: 3,
			parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING: 2, parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED: 2, parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND: 1, parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD: 0,
		}[reason]
		if this > rank {
			rank = this
			worst = &failure.Error{Reason: reason, Source: r.src, Err: cause, Message: "no asked source could be read"}
		}
	}
	return worst
}

// runnerUp is the track whose head goes out next after that of r; nil = there is none.
func (m *Merger) runnerUp(r *sourceReader) *sourceReader {
	var next *sourceReader
	for _, other := range m.readers {
		if other != r && other.head() != nil && (next == nil || m.earlier(other, other.head(), next)) {
			next = other
		}
	}
	return next
}

// earlier reports whether an entry of the active block of a goes out before the head of b.
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

// emitTime is when an entry of the active block is handed over: a row outside its window goes with the end of the window it came
// with.
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

// isDuplicate reports whether the very version of an entry was handed over before in this walk.
func (m *Merger) isDuplicate(r *sourceReader, e *chunk.Entry) bool {
	if m.cannotRepeat(r) {
		return false
	}
	m.seen.Flush()
	return m.seen.Has(e.Hash^uint64(r.src)) || e.OutOfWindow && slices.Contains(r.fingerprint.redated, e.Hash)
}

// cannotRepeat tells that the active block of a track can hold nothing that was handed over: so far there were kept windows
// only, each with the rows of its own time.
func (m *Merger) cannotRepeat(r *sourceReader) bool {
	return r.current.CacheKey != "" && m.seen.Empty() && !r.current.Chunk.Repeats.Load()
}

// skipDuplicate drops the head as a repetition.
func (r *sourceReader) skipDuplicate() {
	e := &r.current.Entries[r.next]
	r.current.Chunk.Repeats.Store(true)
	r.setPosition(e)
	r.counts.Duplicates++
	r.next++
}

// advance hands over n entries from the head on, which are in seen already.
func (r *sourceReader) advance(n int) {
	r.setPosition(&r.current.Entries[r.next+n-1])
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
