package merge

import (
	"bytes"
	"context"
	"time"

	"github.com/parley-gateway/parley/cache"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// pageSizes is the page size that each source asks Graph for.
var pageSizes = map[parleyv1.Source]int{
	parleyv1.Source_SOURCE_COPILOT: 100,
	parleyv1.Source_SOURCE_CHAT:    50,
	parleyv1.Source_SOURCE_CALL:    60,
}

// Open begins a walk, or goes on with one. field names the token in errors. The caller closes the walk.
func Open(ctx context.Context, cfg *Config, have query.Sources, req *query.Events, to query.Resolved, token, field string) (w *Merger, err error) {
	now := time.Now().UTC()
	asked := to.Sources
	ahead := have.ClockAhead()
	if token == "" {
		if err := req.Check(now); err != nil {
			return nil, err
		}
	}
	w = &Merger{
		cfg: cfg, req: req, desc: req.Descending(), firstNow: now, graphNow: now.Add(-ahead), skew: have.ClockAhead,
		told: map[string]bool{}, associated: bytes.Clone(to.Digest[:]),
	}
	if w.filter, err = filter.Compile(req.Filter, filter.Events(), req.ShownView()); err != nil {
		return nil, failure.BadFilter(err)
	}
	if token == "" {
		start, end, cut := req.Interval(now, window.Earlier(now, w.graphNow))
		w.span = window.Span{Start: start, End: end}
		w.newReaders(have, asked, nil)
		if cut {
			w.notice(reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_END_CUT_TO_NOW), "end_time lies in the future and was cut to now", 0, nil)
		}
	} else if err := w.resume(have, asked, token, field); err != nil {
		return nil, err
	}
	if w.allAbsent() {
		return nil, w.Err()
	}
	w.checkParticipants(have)
	w.pool = newReadPool(ctx)
	for _, t := range w.readers {
		t.planRest()
	}
	return w, nil
}

// allAbsent reports whether no asked source can be asked at all.
func (w *Merger) allAbsent() bool {
	for _, t := range w.readers {
		if t.state == parleyv1.SourceState_SOURCE_STATE_READ {
			return false
		}
	}
	return true
}

// newReaders lays out the tracks; marks are the cursor's places, nil for a new walk.
func (w *Merger) newReaders(have query.Sources, asked []parleyv1.Source, marks []cursor.Source) {
	for i, src := range asked {
		t := &sourceReader{src: src, desc: w.desc, state: parleyv1.SourceState_SOURCE_STATE_READ, density: window.Density{Level: window.Era, Most: window.MaxRows}}
		t.fetch = &fetch.Reader{
			Source: src, Events: have.Events[src], ByCreate: w.req.OrderBy == query.CreateTimeDesc, Desc: w.desc,
			MaxPages: w.cfg.MaxPages, PageSize: pageSizes[src],
			Query: source.EventQuery{
				Owner: w.req.Owner, User: w.req.User, Conversation: w.req.Conversation,
				ByCreateTime: w.req.OrderBy == query.CreateTimeDesc, Descending: w.desc,
			},
		}
		pushed := w.filter.Push(src)
		t.fetch.Query.Clause, t.pushed = pushed.Clause, pushed.Fields
		t.filter, t.getter = w.filter, have.Getters[src]
		t.fingerprint.isKnown = func(id uint64) bool { return w.seen.HasOutOfWindow(id ^ uint64(src)) }
		t.fetch.Store, _ = have.Events[src].(cache.Windows)
		if w.req.End.IsZero() || w.req.End.After(w.span.End) {
			t.fetch.OpenEnd = w.span.End
		}
		w.setBounds(t)
		t.fetch.Start, t.fetch.OpenStart, t.fetch.Marks = t.interval.Start, t.open, t.marks
		if state, absent := w.req.Unavailable[src]; absent {
			t.state, t.reason = state, absentReason(state)
		}
		if marks != nil {
			t.restore(&marks[i], t.state == parleyv1.SourceState_SOURCE_STATE_READ)
		}
		w.addBeforeKept(t, marks != nil)
		w.readers = append(w.readers, t)
	}
}

// skew is how much later than its last change a record may say that it was made.
const skew = time.Minute

// narrowByFilter leaves out of the interval what no match can lie in. Nothing is changed before it is made, so that a bound of
// one time is a bound of the other on one side; a call's two times have nothing to do with each other.
func (w *Merger) narrowByFilter(t *sourceReader) {
	own, other := "event_time", "create_time"
	if t.fetch.ByCreate {
		own, other = other, own
	}
	from, to := w.filter.Range(own)
	t.clip(own, from, to)
	from, to = w.filter.Range(other)
	switch {
	case t.src == parleyv1.Source_SOURCE_CALL:
	case t.fetch.ByCreate && !to.IsZero():
		t.clip(other, time.Time{}, to.Add(skew))
	case !t.fetch.ByCreate && !from.IsZero():
		t.clip(other, from.Add(-skew), time.Time{})
	}
}

// clip narrows the interval of a track by what the filter says of a field; zero bounds are open.
func (t *sourceReader) clip(field string, from, to time.Time) {
	clipped := t.interval
	clipped.Start = window.Later(clipped.Start, from)
	if !to.IsZero() {
		clipped.End = window.Earlier(clipped.End, to)
	}
	if clipped != t.interval {
		t.interval, t.clipped = clipped, append(t.clipped, field)
	}
}

// absentReason is the reason of a source that is not asked.
func absentReason(state parleyv1.SourceState) parleyv1.ErrorReason {
	switch state {
	case parleyv1.SourceState_SOURCE_STATE_NOT_IN_CLOUD:
		return parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD
	case parleyv1.SourceState_SOURCE_STATE_NOT_PERMITTED:
		return parleyv1.ErrorReason_ERROR_REASON_GRAPH_PERMISSION_MISSING
	case parleyv1.SourceState_SOURCE_STATE_REFUSED_FOR_USER:
		return parleyv1.ErrorReason_ERROR_REASON_USER_NOT_LICENSED
	case parleyv1.SourceState_SOURCE_STATE_THROTTLED:
		return parleyv1.ErrorReason_ERROR_REASON_GRAPH_THROTTLED
	default:
		return parleyv1.ErrorReason_ERROR_REASON_SOURCE_FAILED
	}
}

// Token seals where the walk stands now.
func (w *Merger) Token(finished bool) (string, error) {
	place := cursor.Events{
		Now: w.firstNow, Clock: w.clock(), Start: w.span.Start, End: w.span.End, Finished: finished, OutOfWindow: w.seen.OutOfWindow(cursor.MaxOutOfWindow),
	}
	for _, t := range w.readers {
		place.Sources = append(place.Sources, t.save(w.outOfTime))
	}
	return place.Seal(w.cfg.Sealer, w.associated)
}
