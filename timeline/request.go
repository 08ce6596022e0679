package timeline

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
)

// Order is the order of a walk.
type Order int

// The orders that requests can name.
const (
	EventTime      Order = iota // `event_time`, the default
	EventTimeDesc               // `event_time desc`
	CreateTimeDesc              // `create_time desc`, below one chat only
)

// EventsRequest asks for events; it is equal for all pages and resumes of one walk.
type EventsRequest struct {
	// Caller and Tenant bind the cursor.
	Caller, Tenant string
	// Owner is the user segment of names: an object id, or "-" for the whole tenant. User is whom Graph is asked about.
	Owner, User string
	// Conversation is the chat whose own messages are read; empty for all of the user's events.
	Conversation string
	// Sources are the asked sources; empty = all that apply.
	Sources []parleyv1.Source
	// Unavailable are sources that are not asked, with the state to report.
	Unavailable map[parleyv1.Source]parleyv1.SourceState
	// Start and End bound the event time, half open; zero = absent.
	Start, End time.Time
	// OrderBy is the order of the answer.
	OrderBy Order
	// Narrow says that the caller may not read every user. Calls go out only where their records prove that the user took part,
	// for Graph's filter by participant is no proof, and no count tells what others have read before.
	Narrow bool
	// View is how much of each event is returned; unspecified = BASIC.
	View parleyv1.EventView
	// Filter is the caller's AIP-160 filter; empty = everything.
	Filter string
	// Encoded makes batches and List answers hold their events as encoded bytes; see EncodedEvents. The walk is the same.
	Encoded bool
	// Batch takes the batches of a stream in place of emit, as they lie in memory; nil = emit takes them. An error of it ends
	// the stream like one of emit.
	Batch func(Batch) error
	// Fingerprint is whatever else must be equal for a token to be accepted.
	Fingerprint string
	// Reconnect has a stream that goes on from the token of a finished one end at once, without a frame.
	Reconnect bool
}

// Batch is a batch of encoded events.
type Batch struct {
	// Pieces make the list field of an EventBatch when they are put one behind the other. The bytes never change; the list
	// of pieces is used again once the receiver has returned.
	Pieces [][]byte
	// Count is the number of events.
	Count int
}

// Walks without a start time begin at the epoch, for history that was imported can be old: with one window up to the current
// year. Where Graph does not accept that or the window holds too much, it is cut at the millennium and where the source's own
// rows begin: Teams became available in March 2017, the Copilot history in 2023. All of them lie a second into their year:
// windows are asked a second wider, and a Graph that accepts nothing before a year must not be asked for its eve.
var (
	epoch            = time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)
	millennium       = time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)
	chatBeginning    = time.Date(2017, 1, 1, 0, 0, 1, 0, time.UTC)
	copilotBeginning = time.Date(2023, 1, 1, 0, 0, 1, 0, time.UTC)
)

// desc tells whether the walk runs from the newest to the oldest event.
func (r *EventsRequest) desc() bool { return r.OrderBy != EventTime }

// sources returns what is asked for, in the order of the enum, without repetitions.
func (r *EventsRequest) sources(have Sources) ([]parleyv1.Source, error) {
	allowed := []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
	switch {
	case r.Owner == "-":
		allowed = []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	case r.Conversation != "":
		allowed = []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}
	}
	var asked []parleyv1.Source
	for _, src := range r.Sources {
		if !slices.Contains(allowed, src) {
			return nil, failure.Invalid("sources", src.String()+" does not apply to this parent")
		}
		if !r.known(have, src) {
			return nil, failure.Invalid("sources", src.String()+" is not configured")
		}
		asked = append(asked, src)
	}
	if len(asked) == 0 {
		for _, src := range allowed {
			if r.known(have, src) {
				asked = append(asked, src)
			}
		}
	}
	if len(asked) == 0 {
		return nil, failure.Invalid("sources", "no source applies to this parent")
	}
	slices.Sort(asked)
	return slices.Compact(asked), nil
}

func (r *EventsRequest) known(have Sources, src parleyv1.Source) bool {
	_, unavailable := r.Unavailable[src]
	return unavailable || have.Events[src] != nil
}

// bound is what a request comes to: the sources that it asks for, and what its cursors are bound to.
type bound struct {
	asked      []parleyv1.Source
	associated [sha256.Size]byte
}

// bind works that out.
func (r *EventsRequest) bind(have Sources) (bound, error) {
	asked, err := r.sources(have)
	if err != nil {
		return bound{}, err
	}
	return bound{asked, r.associated(asked)}, nil
}

// check refuses what no walk can be made of; now is the present.
func (r *EventsRequest) check(now time.Time) error {
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

// interval pins the span of a new walk and tells whether the end was cut. settling is the present by the earlier of both
// clocks: what Graph dates behind it is left to the next walk.
func (r *EventsRequest) interval(now, settling time.Time) (start, end time.Time, cut bool) {
	start, end = r.Start.UTC(), r.End.UTC()
	if r.End.IsZero() && settling.After(start) {
		return start, settling, false
	}
	if r.End.IsZero() {
		return start, now, false
	}
	if end.After(now) {
		return start, now, true
	}
	return start, end, false
}

// associated is what a cursor of this request is bound to: tenant, caller, and everything but the page size.
func (r *EventsRequest) associated(asked []parleyv1.Source) [sha256.Size]byte {
	var room [512]byte // on the stack: this is worked out for every call
	data := appendBinding(room[:0], "events", r.Tenant, r.Caller, r.Owner, r.User, r.Conversation, r.Filter, r.Fingerprint)
	for _, n := range [...]int64{
		int64(r.OrderBy), int64(r.view()), r.Start.Unix(), int64(r.Start.Nanosecond()), r.End.Unix(), int64(r.End.Nanosecond()),
	} {
		data = binary.AppendVarint(data, n)
	}
	for _, src := range asked {
		data = binary.AppendVarint(data, int64(src))
	}
	return sha256.Sum256(data)
}

func (r *EventsRequest) view() parleyv1.EventView {
	if r.View == parleyv1.EventView_EVENT_VIEW_UNSPECIFIED {
		return parleyv1.EventView_EVENT_VIEW_BASIC
	}
	return r.View
}

// binding digests the parts of a request, each with its length before it.
type binding struct{ data []byte }

func newBinding(parts ...string) *binding { return &binding{data: appendBinding(nil, parts...)} }

// appendBinding appends the texts of a binding.
func appendBinding(data []byte, parts ...string) []byte {
	data = append(data, "parley cursor 1"...)
	for _, part := range parts {
		data = binary.AppendUvarint(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}

func (b *binding) number(values ...int64) {
	for _, v := range values {
		b.data = binary.AppendVarint(b.data, v)
	}
}

func (b *binding) sum() []byte {
	sum := sha256.Sum256(b.data)
	return sum[:]
}
