package merge

import (
	"bytes"
	"context"
	"time"

	"github.com/parley-gateway/parley/cache/readers"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/ledger"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/cursor"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/participants"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

// Open begins a walk, or resumes the walk of a token. field names the token in errors. The caller closes the merger.
func Open(ctx context.Context, cfg *Config, sources query.Sources, req *query.Events, resolved query.Resolved, token, field string) (m *Merger, err error) {
	now := time.Now().UTC()
	requested := resolved.Sources
	if token == "" {
		if err := req.Check(now); err != nil {
			return nil, err
		}
	}
	m = &Merger{
		cfg: cfg, req: req, desc: req.Descending(),
		present: present{ofWalk: now, ofGraph: now.Add(-sources.ClockSkew()), skew: sources.ClockSkew},
		binding: bytes.Clone(resolved.Digest[:]),
	}
	if m.filter, err = req.CompileFilter(); err != nil {
		return nil, err
	}
	if token == "" {
		start, end, cut := req.Interval(now, window.Earlier(now, m.present.ofGraph))
		m.span = window.Span{Start: start, End: end}
		m.newReaders(sources, requested, nil)
		if cut {
			notice := query.EndCut()
			m.notices.add(notice.GetCode(), notice.GetMessage(), 0, nil)
		}
	} else if err := m.resume(sources, requested, token, field); err != nil {
		return nil, err
	}
	if m.allAbsent() {
		return nil, m.Err()
	}
	m.checkParticipants(sources)
	m.pool = newReadPool(ctx)
	for _, r := range m.readers {
		r.planRest()
	}
	return m, nil
}

// allAbsent reports whether no source can be asked, and one of them should have been.
func (m *Merger) allAbsent() bool {
	absent := false
	for _, r := range m.readers {
		switch r.state {
		case parleyv1.SourceState_SOURCE_STATE_READ:
			return false
		case parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE:
		default:
			absent = true
		}
	}
	return absent
}

// newReaders makes the readers of the requested sources. positions are their positions in a token; nil for a new walk.
func (m *Merger) newReaders(sources query.Sources, requested []parleyv1.Source, positions []cursor.Source) {
	for i, src := range requested {
		r := m.newReader(sources, src)
		m.setBounds(r)
		r.fetch.Start, r.fetch.OpenStart, r.fetch.LaterStarts = r.interval.Start, r.open, r.laterStarts
		if state, absent := m.req.Unavailable[src]; absent {
			r.state, r.reason = state, absentReason(state)
		} else if src == parleyv1.Source_SOURCE_COPILOT && m.req.Plan == source.PlanMissing {
			r.becomeNotApplicable()
		}
		if positions != nil {
			state, reason := r.state, r.reason
			r.restore(&positions[i], state == parleyv1.SourceState_SOURCE_STATE_READ)
			if r.state == parleyv1.SourceState_SOURCE_STATE_READ && r.fetch.Events == nil { // nobody is there to be asked
				r.state, r.reason, r.restMissing = state, reason, true
			}
		}
		m.addBeforeKept(r, positions != nil)
		m.readers = append(m.readers, r)
	}
}

// newReader makes the reader of one source, without its bounds.
func (m *Merger) newReader(sources query.Sources, src parleyv1.Source) *sourceReader {
	pushed := m.filter.Push(src)
	byCreate := m.req.OrderBy == query.CreateTimeDesc
	r := &sourceReader{
		src: src, desc: m.desc,
		progress: progress{
			state: parleyv1.SourceState_SOURCE_STATE_READ, density: window.Density{Level: window.Era, WindowRows: window.TargetRows},
		},
		settling:  settling{settle: m.cfg.Settle[src], skew: m.present.skew, conceal: m.req.Narrow},
		selection: selection{filter: m.filter, pushed: pushed.Fields, getter: sources.Getters[src]},
		fetch: &fetch.Reader{
			Source: src, Events: sources.Events[src], ByCreate: byCreate, Desc: m.desc,
			MaxPages: m.cfg.MaxPages, PageSize: source.Describe(src).PageSize,
			Query: source.EventQuery{
				Owner: m.req.Owner, User: m.req.User, Descending: m.desc, Clause: pushed.Clause,
			},
		},
	}
	if m.filter.ComparesActors() {
		r.nameActors = sources.NameActors
	}
	switch {
	case m.req.Conversation == "":
	case src == parleyv1.Source_SOURCE_CHAT:
		r.fetch.Query.Conversation, r.fetch.Query.ByCreateTime = m.req.Conversation, byCreate
	default:
		r.conversation = resource.AppendConversation(nil, m.req.Owner, m.req.Conversation)
	}
	if m.req.ManyUsers {
		r.fetch.Query.CallIndex = source.IndexAlways
	}
	r.fetch.Store, _ = sources.Events[src].(readers.Windows)
	if m.req.End.IsZero() || m.req.End.After(m.span.End) {
		r.fetch.OpenEnd = m.span.End
	}
	r.fingerprint.wasOutOfWindow = func(hash uint64) bool { return m.seen.HasOutOfWindow(hash ^ uint64(src)) }
	return r
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

// checkParticipants gives the reader of calls its check. The calls of a whole tenant are not checked.
func (m *Merger) checkParticipants(sources query.Sources) {
	for _, r := range m.readers {
		if r.src != parleyv1.Source_SOURCE_CALL || m.req.Owner == resource.AnyUser {
			continue
		}
		r.participants = participants.NewCheck(m.req.User, m.req.Narrow, sources.CallVerifier, m.cfg.Canaries.Of(m.req.Tenant))
	}
}

// Limit bounds what is read at a time: the windows of each source, and the bytes by the account. rows is the number of rows of the usual size
// that fit into the account; it counts for one chat's messages alone.
func (m *Merger) Limit(windows, rows int, account *ledger.Account) {
	m.windowsAtOnce = windows
	for _, r := range m.readers {
		unit := m.cfg.WindowBytes / window.TargetRows
		if r.fetch.Query.Conversation != "" {
			unit = account.Each() / int64(rows)
			r.density.WindowRows = float64(max(rows/2, window.TargetRows))
		}
		r.fetch.Limit(account, unit)
	}
}

// windowsAtOnceOf is how many windows of a source are read at a time. Graph allows one request a second for one chat: in a List the next window
// would only stand in the way.
func (m *Merger) windowsAtOnceOf(r *sourceReader) int {
	if r.pageRows > 0 && r.fetch.Query.Conversation != "" {
		return 1
	}
	return m.windowsAtOnce
}

// SetListPage has the walk begin the next window only while the first one is still being read, and not if that is expected to hold size
// rows. A throttled source ends the page of a List in place of
// being given up while pauses returns true. Where another walk, beside, ends where this one begins, its density plans the first windows;
// nil = there is none.
func (m *Merger) SetListPage(size int, pauses func() bool, beside *Merger) {
	m.pauses = pauses
	for _, r := range m.readers {
		r.pageRows = size
	}
	if beside != nil {
		m.planBeside(beside)
	}
}

// SetWindowsAtOnce changes how many windows of each source are read at a time.
func (m *Merger) SetWindowsAtOnce(windows int) { m.windowsAtOnce = windows }

// YieldMemory has the walk wait for memory even for the windows that it delivers next, until ClaimMemory.
func (m *Merger) YieldMemory() { m.pool.yields.Store(true) }

// ClaimMemory ends YieldMemory. Any goroutine may call it.
func (m *Merger) ClaimMemory() {
	if m.pool.yields.Swap(false) {
		m.pool.wake()
	}
}
