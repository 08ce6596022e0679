package query

import (
	"time"

	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/window"
)

// Anchor is the event around which a List begins.
type Anchor struct {
	// Name is its resource name. Tokens are bound to it.
	Name string
	// Time is its event time. Behind a token it does not matter: the token has it.
	Time time.Time
}

// Side is one of the two walks around an anchor. Both lead away from it.
type Side struct {
	Events

	// Resolved has the digest of the side's tokens.
	Resolved Resolved
	// Before says that its events come before the anchor in the asked order. They are met in the opposite order.
	Before bool
}

// CheckAround returns an error for an order that no List around an anchor has.
func (o Order) CheckAround() error {
	if o == CreateTimeDesc {
		return failure.Invalid("order_by", "`around` goes with `event_time` or `event_time desc`")
	}
	return nil
}

// Around returns the two sides of an anchor: the one whose events are older, which runs from the newest to the oldest event, and the one
// whose events are newer. Their tokens are bound to the request, to the anchor and to the side, and not to the split time.
func (r *Events) Around(sources Sources, at Anchor) (older, newer Side, err error) {
	if err := r.OrderBy.CheckAround(); err != nil {
		return older, newer, err
	}
	older, newer = Side{Events: *r, Before: !r.Descending()}, Side{Events: *r, Before: r.Descending()}
	older.OrderBy, newer.OrderBy = EventTimeDesc, EventTime
	for _, side := range []*Side{&older, &newer} {
		side.BoundTo += "\x00around " + at.Name
		if side.Before {
			side.BoundTo += "\x00before"
		}
		if side.Resolved, err = side.Resolve(sources); err != nil {
			return older, newer, err
		}
	}
	return older, newer, nil
}

// SplitTime returns the instant that divides the interval into the two sides of an anchor; now is the present. Events of the anchor's own
// instant are on the side that does not come before it.
func (r *Events) SplitTime(at Anchor, now time.Time) (time.Time, error) {
	if err := r.Check(now); err != nil {
		return time.Time{}, err
	}
	split := at.Time.UTC()
	switch {
	case split.Before(r.Start):
		return split, failure.Invalid("around", "the event lies before the interval; give an earlier start_time, or none")
	case !r.End.IsZero() && !split.Before(r.End):
		return split, failure.Invalid("around", "the event lies behind the interval; give a later end_time, or none")
	case !split.Before(now):
		split = now.Add(-1) // its clock is ahead of this one: the interval ends now
	}
	if r.Descending() {
		split = split.Add(1)
	}
	return split, nil
}

// EndAt ends the older side at the split time. It reports whether the side can have an event.
func (s *Side) EndAt(split time.Time) bool {
	s.End = split
	return s.Start.Before(split)
}

// StartAt starts the newer side at the split time. It reports whether the side can have an event.
func (s *Side) StartAt(split, now time.Time) bool {
	s.Start = split
	end := now
	if !s.End.IsZero() {
		end = window.Earlier(s.End, now)
	}
	return split.Before(end)
}
