package export

import (
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// maxSeen bounds the events that are remembered after their owners were read. A copy of a forgotten event is written as an event once more,
// with the same uid and version.
const maxSeen = 4 << 20

// seenEvents remembers which events are in the journal: those of the users who are being read and, to find copies, those of all users.
type seenEvents struct {
	owned map[uint64]map[uint64]struct{} // by journal.Key.Owner, the Key.Event of each
	all   map[uint64]struct{}            // Key.Event of all users; nil unless copies are looked for
}

// load replaces the events by those that are committed to the journal; findCopies says that those of all users are remembered, too. Users
// who have their summary in the present round do not come again.
func (s *seenEvents) load(j *journal.Journal, findCopies bool) error {
	s.owned, s.all = map[uint64]map[uint64]struct{}{}, nil
	if findCopies {
		s.all = map[uint64]struct{}{}
	}
	ended := map[uint64]struct{}{}
	n := 0
	for user, err := range j.UserSummaries() {
		if err != nil {
			return err
		}
		if n++; n > j.State.RoundStart {
			ended[journal.OwnerKey(user.GetUser())] = struct{}{}
		}
	}
	wanted, err := wantedOwners(j)
	if err != nil {
		return err
	}
	for key, err := range j.Keys() {
		if err != nil {
			return err
		}
		s.addToAll(key)
		if _, done := ended[key.Owner]; done || wanted != nil && !wanted[key.Owner] {
			continue
		}
		s.add(key)
	}
	return nil
}

// wantedOwners returns the users whom the present leg names; nil for a leg over a selection of users.
func wantedOwners(j *journal.Journal) (map[uint64]bool, error) {
	legs, err := j.Legs(j.State.Round)
	if err != nil || j.State.Leg >= len(legs) || legs[j.State.Leg] == nil {
		return nil, err
	}
	wanted := map[uint64]bool{}
	for _, id := range legs[j.State.Leg] {
		wanted[journal.OwnerKey("users/"+dataset.UserID(id))] = true
	}
	return wanted, nil
}

// addToAll remembers an event whoever owns it.
func (s *seenEvents) addToAll(key journal.Key) {
	if s.all == nil {
		return
	}
	if len(s.all) >= maxSeen {
		clear(s.all)
	}
	s.all[key.Event] = struct{}{}
}

// add remembers an event of an owner who is being read.
func (s *seenEvents) add(key journal.Key) {
	s.addToAll(key)
	events := s.owned[key.Owner]
	if events == nil {
		events = map[uint64]struct{}{}
		s.owned[key.Owner] = events
	}
	events[key.Event] = struct{}{}
}

// hasOwned reports whether the event is in the journal for this owner.
func (s *seenEvents) hasOwned(key journal.Key) bool {
	_, ok := s.owned[key.Owner][key.Event]
	return ok
}

// hasAny reports whether the event is in the journal for any owner.
func (s *seenEvents) hasAny(key journal.Key) bool {
	_, ok := s.all[key.Event]
	return ok
}

// forget drops the events of a user who was read to the end.
func (s *seenEvents) forget(user string) { delete(s.owned, journal.OwnerKey(user)) }
