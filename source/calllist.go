package source

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/parley-gateway/parley/resource"
)

// CallLister reads the parts from which the calls of many users are told apart: the records of the whole tenant, and who takes part
// in each.
type CallLister interface {
	// CallRows returns the first page of the records of an interval, whoever takes part, or the page behind link. A zero start
	// means from the source's beginning.
	CallRows(ctx context.Context, start, end time.Time, link string) (*Page[CallRow], error)
	// CallParticipants returns the ids by which Graph's filter finds the participants of a record, in lower case.
	CallParticipants(ctx context.Context, id string) ([]string, error)
	// CallItem returns a record as a list of an owner's calls has it.
	CallItem(owner string, row *CallRow) (Item, error)
}

// CallRow is a call record as a list has it.
type CallRow struct {
	// ID is the record's, Version its version.
	ID      string
	Version int64
	// Time is when the call began; zero = the record does not say.
	Time time.Time
	// Record is the record as Graph sent it.
	Record []byte
}

var _ CallLister = (*Call)(nil)

// CallRows implements CallLister.
func (c *Call) CallRows(ctx context.Context, start, end time.Time, link string) (*Page[CallRow], error) {
	attempts, err := c.attempts(ctx, EventQuery{Owner: resource.AnyUser, Start: start, End: end}, link)
	if err != nil {
		return nil, err
	}
	// The link is not announced: whoever reads ahead in a user's chain of pages must not ask for this one.
	page, _, err := answeredPage(context.WithValue(ctx, announceKey{}, nil), &c.base, attempts, c.row)
	return page, err
}

// row returns a record as a list has it; a zero row for one that is no event.
func (c *Call) row(record []byte) (CallRow, error) {
	item, err := c.listItem(resource.AnyUser, record)
	if err != nil || item.IsZero() {
		return CallRow{}, err
	}
	event, err := item.Event()
	if err != nil {
		return CallRow{}, err
	}
	return CallRow{ID: event.GetSource().GetId(), Version: item.Version, Time: item.Time, Record: bytes.Clone(record)}, nil
}

// CallItem implements CallLister.
func (c *Call) CallItem(owner string, row *CallRow) (Item, error) {
	return c.listItem(owner, row.Record)
}

// CallParticipants implements CallLister.
func (c *Call) CallParticipants(ctx context.Context, id string) ([]string, error) {
	escaped, err := segment(id)
	if err != nil {
		return nil, err
	}
	records, err := c.participants(ctx, callsPath+"/"+escaped, id)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(records))
	for _, record := range records {
		all, err := properties(record)
		if err != nil {
			return nil, err
		}
		if id, ok := jsonText(find(all, "id")); ok && id != "" {
			ids = append(ids, strings.ToLower(id))
		}
	}
	return ids, nil
}

// OutOfBounds reports whether the time of a record lies out of the bounds that Graph is given for an interval.
func (r *CallRow) OutOfBounds(start, end time.Time) bool {
	return !r.Time.IsZero() && outOfBounds(r.Time, start, end)
}
