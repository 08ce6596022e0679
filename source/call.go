package source

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source/graphmap"
	"github.com/parley-gateway/parley/source/odata"
)

const (
	callsPath     = "/communications/callRecords"
	callStartTime = "startDateTime"
)

// ErrUserIDRequired says that a user's calls were asked for by a user principal name: participants are compared by
// object id, and a name would find nothing.
var ErrUserIDRequired = errors.New("source: call records need the user's object id")

// Call reads call records: of one user, or with the owner resource.AnyUser of the whole tenant.
type Call struct{ base }

var (
	_ EventReader = (*Call)(nil)
	_ EventGetter = (*Call)(nil)
)

// NewCall returns the source of call records.
func NewCall(client Graph, opt Options) *Call {
	return &Call{base: newBase(client, opt, parleyv1.Source_SOURCE_CALL)}
}

// Events implements EventReader. A user's calls are asked by interval and participant together, which Microsoft does
// not document; when Graph refuses that, or sends rows outside the interval, by the participant alone (Unbounded). The
// errors include ErrUserIDRequired.
func (c *Call) Events(ctx context.Context, q EventQuery, link string) (*Page[Item], error) {
	attempts, err := c.attempts(ctx, q, link)
	if err != nil {
		return nil, err
	}
	page, taken, err := c.answeredPage(ctx, q, attempts)
	if err != nil {
		return nil, err
	}
	last := len(attempts) - 1
	if link == "" && taken < last && attempts[last].unbounded && anyOutOfBounds(q, page.Items) {
		c.logFallback(ctx, attempts[last].name, nil)
		requests := page.Requests
		if page, _, err = c.answeredPage(ctx, q, attempts[last:]); err != nil {
			return nil, err
		}
		page.Requests += requests
	}
	return page, nil
}

// answeredPage is the page of the first attempt that Graph answers, and the index of the attempt.
func (c *Call) answeredPage(ctx context.Context, q EventQuery, attempts []attempt) (*Page[Item], int, error) {
	return answeredPage(ctx, &c.base, attempts, func(record []byte) (Item, error) { return c.listItem(q.Owner, record) })
}

func (c *Call) attempts(ctx context.Context, q EventQuery, link string) ([]attempt, error) {
	start, end, err := bounds(q)
	if err != nil {
		return nil, err
	}
	participants, err := participants(q)
	if err != nil {
		return nil, err
	}
	newRequest := func(terms ...string) graph.Request {
		r := c.request(ctx, callsPath, link, graph.Param{Name: "$filter", Value: odata.AllOf(terms...)})
		r.User, r.Prefer = q.User, []string{preferUnknownEnums, preferPageSize + c.pageSize()}
		return r
	}
	from, to := odata.Bounds(start, end)
	interval := callStartTime + " ge " + odata.Instant(from) + " and " + callStartTime + " lt " + odata.Instant(to)
	clauses := make([]string, 0, len(participants))
	for _, id := range participants {
		clauses = append(clauses, "participants_v2/any(p:p/id eq "+odata.Literal(id)+")")
	}
	attempts := []attempt{{request: newRequest(append([]string{interval}, clauses...)...)}}
	if link != "" || len(clauses) == 0 {
		return attempts, nil
	}
	several := len(clauses) > 1
	if several {
		attempts = append(attempts, attempt{name: "interval and user", request: newRequest(interval, clauses[0]), unfiltered: true})
	}
	return append(attempts, attempt{name: "participant alone", request: newRequest(clauses[0]), unbounded: true, unfiltered: several}), nil
}

// participants are the object ids or numbers that must all have taken part, the user first.
func participants(q EventQuery) ([]string, error) {
	var ids []string
	if q.Owner != resource.AnyUser {
		if q.User == "" || strings.Contains(q.User, "@") {
			return nil, ErrUserIDRequired
		}
		ids = append(ids, q.User)
	}
	if id := q.Clause.ParticipantID; id != "" && (len(ids) == 0 || !strings.EqualFold(id, ids[0])) {
		ids = append(ids, id)
	}
	return ids, nil
}

// anyOutOfBounds reports whether the time of an item lies out of the bounds that Graph was given.
func anyOutOfBounds(q EventQuery, items []Item) bool {
	return slices.ContainsFunc(items, func(item Item) bool { return !item.NoTime && outOfBounds(item.Time, q.Start, q.End) })
}

// outOfBounds reports whether a time lies out of the bounds that Graph is given for the interval [start, end).
func outOfBounds(at, start, end time.Time) bool {
	from, to := odata.Bounds(start, end)
	return at.Before(from) || !at.Before(to)
}

// listItem normalizes a call record of a list, which is partial: it lacks participants and sessions.
func (c *Call) listItem(owner string, record []byte) (Item, error) {
	d, err := c.draft(graphmap.RootCallRecord, record)
	if err != nil {
		return Item{}, err
	}
	defer d.Release()
	d.AddNumber(eventDetail, eventwire.CallDetailPartial, 1)
	d.Clear(eventRoot, eventwire.EventTruncatedFields) // partial says as much, and the whole record has the rest of all lists
	return c.item(d, owner, record)
}

// wholeItem normalizes a call record with its participants and sessions.
func (c *Call) wholeItem(owner string, record []byte) (Item, error) {
	d, err := c.draft(graphmap.RootCallRecord, record)
	if err != nil {
		return Item{}, err
	}
	defer d.Release()
	return c.item(d, owner, record)
}

// item normalizes the draft of a call record.
func (c *Call) item(d *graphmap.Draft, owner string, record []byte) (Item, error) {
	thread := threadOf(textOf(d, eventDetail, eventwire.CallDetailJoinWebURL))
	d.AddString(eventDetail, eventwire.CallDetailJoinThreadID, thread)
	d.AddNumber(eventRoot, eventwire.EventKind, int64(parleyv1.EventKind_EVENT_KIND_CALL))
	d.AddNumber(eventRoot, eventwire.EventVersion, d.Number(d.Child(eventDetail, eventwire.CallDetailRecordVersion)))
	start := d.Child(eventDetail, eventwire.CallDetailStartTime)
	d.AddCopy(eventRoot, eventwire.EventCreateTime, start)
	actor := d.Child(d.Child(eventDetail, eventwire.CallDetailOrganizer), eventwire.CallParticipantIdentity)
	if actor == graphmap.NoNode {
		actor = d.Child(eventDetail, eventwire.CallDetailLegacyOrganizer)
	}
	d.AddCopy(eventRoot, eventwire.EventActor, actor)
	at, timed := d.Time(start)
	id := textOf(d, eventSource, eventwire.EventSourceID)
	return c.base.item(d, eventIdentity{
		owner: owner, conversation: cmp.Or(thread, resource.CallConversation(id)), record: record, time: at, timed: timed,
		ref: resource.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: id},
	}), nil
}

// Latency and retention of call records, for texts that explain a NotFound.
const (
	// CallRecordRetention is how long Graph keeps a call record.
	CallRecordRetention = 30 * 24 * time.Hour
	// CallRecordLatency is how long the first version of a record may take.
	CallRecordLatency = 150 * time.Minute
)
