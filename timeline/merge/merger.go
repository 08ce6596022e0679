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
	cfg    *Config
	req    *query.Events
	filter *filter.Filter // nil = everything
	desc   bool
	now0   time.Time // the present when the walk's first page was asked for
	told0  time.Time // the same by the earlier of both clocks, as a token told; zero = none did
	began  time.Time // when the walk's first page was asked for, even if the walk was extended since; zero = now0
	graph  time.Time // Graph's present
	skew   func() time.Duration
	span   window.Span // the asked interval; a zero start is open
	tracks []*track
	seen   seen.Set // versions that were handed over
	fetch  *fetcher
	first  *track // its head goes out next

	extended   bool // a finished walk goes on with what has come since
	hurried    bool // the call ran out of time before the walk had more to offer
	ahead      int
	notices    []*parleyv1.Notice // not yet handed to the reader
	told       map[string]bool
	associated []byte

	// patient reports whether a throttled source ends the page instead of being given up.
	patient func() bool
}

// Limit bounds what is read ahead of the reader: windows per source, and bytes by the account. So many rows of the usual
// size fit into the account.
func (w *Merger) Limit(windows, rows int, account *ledger.Account) {
	w.ahead = windows
	for _, t := range w.tracks {
		unit := w.cfg.WindowBytes / window.MaxRows
		if w.req.Conversation != "" {
			unit = account.Each() / int64(rows)
			t.density.Most = float64(max(rows/2, window.MaxRows))
		}
		t.read.Limit(account, unit)
	}
}

// Listing has the walk read nothing ahead of a window that holds size rows. A throttled source ends the page of a List in place of
// being given up while patient returns true.
func (w *Merger) Listing(size int, patient func() bool) {
	w.patient = patient
	for _, t := range w.tracks {
		t.frugal = size
	}
}

// Close stops every reading and waits for it.
func (w *Merger) Close() { w.fetch.close() }

// Head is the next event, after Step has returned Ready.
func (w *Merger) Head() *chunk.Entry { return w.first.head() }

// HeadChunk is the chunk of the next event, after Step has returned Ready.
func (w *Merger) HeadChunk() *chunk.Chunk { return w.first.active.Chunk }

// End is the end of the asked interval.
func (w *Merger) End() time.Time { return w.span.End }

// Step implements frame.Rows. When it returns Ready, the next event is the head of first.
func (w *Merger) Step() frame.State {
	state := frame.Ready
	w.first, state = w.step()
	return state
}

// step returns the track whose head goes out next, without waiting.
func (w *Merger) step() (*track, frame.State) {
	for {
		best, again := (*track)(nil), false
		anyWaiting := false
		for _, t := range w.tracks {
			if !t.poll(w.fetch, w.ahead) {
				anyWaiting = true
				continue
			}
			if t.stopped != nil && t.head() == nil {
				if v, final := w.settle(t); final {
					return t, v
				}
				again = true
				continue
			}
			e := t.head()
			if e == nil {
				continue
			}
			if w.repeats(t, e) {
				t.skip()
				again = true
				continue
			}
			if best == nil || w.sooner(t, e, best) {
				best = t
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

// settle makes the stop of a source final, unless it ends the call.
func (w *Merger) settle(t *track) (frame.State, bool) {
	if t.stopped.State == parleyv1.SourceState_SOURCE_STATE_THROTTLED && w.patient != nil && w.patient() {
		return frame.Paused, true
	}
	for _, other := range w.tracks {
		if other != t && other.state == parleyv1.SourceState_SOURCE_STATE_READ && other.stopped == nil {
			t.stop()
			return frame.Ready, false
		}
	}
	return frame.Broken, true
}

// Err implements frame.Rows: the error of a call whose sources have all stopped. What may succeed when repeated comes first.
func (w *Merger) Err() error {
	var worst *failure.Error
	rank := -1
	for _, t := range w.tracks {
		reason, cause := t.reason, t.cause
		if t.stopped != nil {
			reason = t.stopped.Reason
		}
		if reason == failure.None {
			continue
		}
		r := map[parleyv1.ErrorReason]int{
			parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED: 6, parleyv1.ErrorReason_ERROR_REASON_CALLER_LIMIT: 6, parleyv1.ErrorReason_ERROR_REASON_GRAPH_UNAVAILABLE: 5, parleyv1.ErrorReason_ERROR_REASON_GRAPH_CREDENTIAL_REJECTED: 4, parleyv1.ErrorReason_ERROR_REASON_PAYMENT_REQUIRED: 3, parleyv1.ErrorReason_ERROR_REASON_TENANT_NOT_LICENSED: 3,
			parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING: 2, parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED: 2, parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND: 1, parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD: 0,
		}[reason]
		if r > rank {
			rank = r
			worst = &failure.Error{Reason: reason, Source: t.src, Err: cause, Message: "no asked source could be read"}
		}
	}
	return worst
}

// rival is the track whose head goes out next after that of t; nil = there is none.
func (w *Merger) rival(t *track) *track {
	var next *track
	for _, other := range w.tracks {
		if other != t && other.head() != nil && (next == nil || w.sooner(other, other.head(), next)) {
			next = other
		}
	}
	return next
}

// sooner reports whether an entry of the active block of a goes out before the head of b.
func (w *Merger) sooner(a *track, e *chunk.Entry, b *track) bool {
	order := a.due(e).Compare(b.due(b.head()))
	if order == 0 {
		order = cmp.Compare(a.src, b.src)
	}
	if w.desc {
		return order > 0
	}
	return order < 0
}

// due is when an entry of the active block is handed over: a row outside its window goes with the end of the window it came
// with.
func (t *track) due(e *chunk.Entry) time.Time {
	switch {
	case !e.OutOfWindow:
		return e.Time
	case t.desc:
		return t.active.Start
	default:
		return t.active.End.Add(-1)
	}
}

// repeats reports whether the very version of an entry was handed over before in this walk.
func (w *Merger) repeats(t *track, e *chunk.Entry) bool {
	if w.unchecked(t) {
		return false
	}
	w.seen.Flush()
	return w.seen.Has(e.Hash^uint64(t.src)) || e.OutOfWindow && slices.Contains(t.trace.handed, e.Hash)
}

// unchecked tells that the active block of a track can hold nothing that was handed over: so far there were kept windows
// only, each with the rows of its own time.
func (w *Merger) unchecked(t *track) bool {
	return t.active.CacheKey != "" && w.seen.Empty() && !t.active.Chunk.Repeats.Load()
}

// skip drops the head as a repetition.
func (t *track) skip() {
	e := &t.active.Entries[t.next]
	t.active.Chunk.Repeats.Store(true)
	t.stand(e)
	t.counts.Duplicates++
	t.next++
}

// take hands over n entries from the head on, which are in seen already.
func (t *track) take(n int) {
	t.stand(&t.active.Entries[t.next+n-1])
	t.counts.Events += int64(n)
	t.next += n
}

// Wait implements frame.Rows. It returns when a window was read, the timer fires, or the context ends.
func (w *Merger) Wait(ctx context.Context, timer <-chan time.Time) error {
	select {
	case <-w.fetch.woken:
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		w.hurried = true
		return ctx.Err()
	}
}
