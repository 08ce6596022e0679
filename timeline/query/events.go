// Package query holds the requests that the timeline answers, and the sources that a call reads from. It checks a request and makes the
// digest that binds a token to it. The services above it fill the requests, and merge and pager answer them; below it are the filter
// language and the readers of package source.
package query

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/window"
)

// Order is the order of the events of an answer.
type Order int

// The orders that requests can name.
const (
	EventTime      Order = iota // `event_time`, the default
	EventTimeDesc               // `event_time desc`
	CreateTimeDesc              // `create_time desc`, below a conversation only
)

// Events asks for events. What its digest holds is equal for all pages and resumes of one walk; the rest is found out by each call.
type Events struct {
	// Caller and Tenant bind tokens.
	Caller, Tenant string
	// Owner is the user segment of names: an object id, or "-" for the whole tenant. User is the user that Graph is asked about.
	Owner, User string
	// Conversation is the id of the conversation whose events are read; empty for all of the user's events. Chat messages are a
	// chat's own; of the other sources, the user's events are read and those of the conversation kept.
	Conversation string
	// Lifetime bounds the times that events of the conversation can have; zero times are open. It is found out anew by each call,
	// and no part of the request.
	Lifetime window.Span
	// EmptySources are sources that hold no event of the conversation. They are not asked. They are no part of the
	// request either.
	EmptySources []parleyv1.Source
	// Sources are the requested sources; empty = all that apply.
	Sources []parleyv1.Source
	// Unavailable are sources that are not asked, with the state to report.
	Unavailable map[parleyv1.Source]parleyv1.SourceState
	// ManyUsers says that the query is one of a reading of many users, which all ask for the same interval.
	ManyUsers bool
	// Plan is what the directory shows of the user's plan for Copilot, where the reading of many users looked.
	Plan source.CopilotPlan
	// Start and End bound the event time, or with CreateTimeDesc the create time, half open; zero = absent.
	Start, End time.Time
	// OrderBy is the order of the answer.
	OrderBy Order
	// Narrow says that the caller may not read every user. Then a call is delivered only after its record was verified to name the
	// user, because Graph's filter by participant is not reliable, and the counts do not reveal what others have read before.
	Narrow bool
	// View is how much of each event is returned; unspecified = BASIC.
	View parleyv1.EventView
	// Filter is the caller's AIP-160 filter; empty = everything.
	Filter string
	// BoundTo is what else tokens are bound to: the permission by which Graph is asked, names that are added, the anchor.
	BoundTo string
	// Reconnect ends a stream at once, without a frame, if its token is the last one of a finished stream.
	Reconnect bool

	compiled compiled
}

// Descending reports whether the events run from the newest to the oldest event.
func (r *Events) Descending() bool { return r.OrderBy != EventTime }

// requestedSources returns the requested sources, in the order of the enum, without repetitions.
func (r *Events) requestedSources(sources Sources) ([]parleyv1.Source, error) {
	allowed := source.EventSources()
	if r.Owner == "-" {
		allowed = []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	}
	var requested []parleyv1.Source
	for _, src := range r.Sources {
		if !slices.Contains(allowed, src) {
			return nil, failure.Invalid("sources", src.String()+" does not apply to this parent")
		}
		if !r.isConfigured(sources, src) {
			return nil, failure.Invalid("sources", src.String()+" is not configured")
		}
		if held := source.Describe(src).Includes; held != parleyv1.Source_SOURCE_UNSPECIFIED && slices.Contains(r.Sources, held) {
			return nil, failure.Invalid("sources", src.String()+" has the events of "+held.String()+" too; ask for one of them")
		}
		requested = append(requested, src)
	}
	if len(requested) == 0 {
		for _, src := range source.WithoutOptIn(allowed) {
			if r.isConfigured(sources, src) {
				requested = append(requested, src)
			}
		}
	}
	if len(requested) == 0 {
		return nil, failure.Invalid("sources", "no source applies to this parent")
	}
	slices.Sort(requested)
	return slices.Compact(requested), nil
}

func (r *Events) isConfigured(sources Sources, src parleyv1.Source) bool {
	_, unavailable := r.Unavailable[src]
	return unavailable || sources.Events[src] != nil
}

// Resolved is a request whose sources are known.
type Resolved struct {
	// Sources are the requested sources, in the order of the enum.
	Sources []parleyv1.Source
	// Digest is the associated data of the request's cursors.
	Digest [sha256.Size]byte
}

// Resolve finds out which sources a request asks for.
func (r *Events) Resolve(sources Sources) (Resolved, error) {
	requested, err := r.requestedSources(sources)
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{requested, r.digest(requested)}, nil
}

// Check returns an error for an order or an interval that cannot be read; now is the present.
func (r *Events) Check(now time.Time) error {
	switch {
	case r.OrderBy < EventTime || r.OrderBy > CreateTimeDesc:
		return failure.Invalid("order_by", "unknown order")
	case r.OrderBy == CreateTimeDesc && r.Conversation == "":
		return failure.Invalid("order_by", "`create_time desc` needs a conversation as parent; use `event_time desc`")
	case !r.Start.IsZero() && r.Start.After(now):
		return failure.Invalid("start_time", "lies in the future")
	case !r.Start.IsZero() && !r.End.IsZero() && !r.End.After(r.Start):
		return failure.Invalid("end_time", "must lie after start_time")
	}
	return nil
}

// Interval returns the span of a new walk, and whether its end was cut to now. earlier is the present by the earlier of this
// machine's and Graph's clocks: rows that Graph dates after it are left to the next walk.
func (r *Events) Interval(now, earlier time.Time) (start, end time.Time, cut bool) {
	start, end = r.Start.UTC(), r.End.UTC()
	if r.End.IsZero() && earlier.After(start) {
		return start, earlier, false
	}
	if r.End.IsZero() {
		return start, now, false
	}
	if end.After(now) {
		return start, now, true
	}
	return start, end, false
}

// EndCut tells of an end that Interval cut to now.
func EndCut() *parleyv1.Notice {
	return &parleyv1.Notice{
		Code: reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_END_CUT_TO_NOW), Message: "end_time lies in the future and was cut to now",
	}
}

// CompileFilter compiles the filter on the fields of events; nil = there is none. It returns an error for a filter that cannot be
// evaluated, or that the view of the request does not allow.
func (r *Events) CompileFilter() (*filter.Filter, error) {
	return r.compiled.compile(r.Filter, filter.Events, r.ShownView())
}

// CheckFilter returns the error of CompileFilter.
func (r *Events) CheckFilter() error {
	_, err := r.CompileFilter()
	return err
}

// digest is the associated data of the cursors: tenant, caller, and everything but the page size.
func (r *Events) digest(requested []parleyv1.Source) [sha256.Size]byte {
	var buffer [512]byte // on the stack: every call computes a digest
	data := appendTexts(buffer[:0], "events", r.Tenant, r.Caller, r.Owner, r.User, r.Conversation, r.Filter, r.BoundTo)
	for _, n := range [...]int64{
		int64(r.OrderBy), int64(r.ShownView()), r.Start.Unix(), int64(r.Start.Nanosecond()), r.End.Unix(), int64(r.End.Nanosecond()),
	} {
		data = binary.AppendVarint(data, n)
	}
	for _, src := range requested {
		data = binary.AppendVarint(data, int64(src))
	}
	return sha256.Sum256(data)
}

// ShownView is the view of the answer.
func (r *Events) ShownView() parleyv1.EventView {
	return view.OfList(r.View)
}
