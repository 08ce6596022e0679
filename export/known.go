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
	owners map[uint64]map[uint64]struct{}
	all    map[uint64]struct{} // nil unless copies are looked for
}

// load reads from the journal what was committed. Users who have their summary in the present round do not come again.
func (k *seenEvents) load(j *journal.Journal, copies bool) error {
	k.owners, k.all = map[uint64]map[uint64]struct{}{}, nil
	if copies {
		k.all = map[uint64]struct{}{}
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
		k.addToAll(key)
		if _, done := ended[key.Owner]; done || wanted != nil && !wanted[key.Owner] {
			continue
		}
		k.add(key)
	}
	return nil
}

// wantedOwners are the users whom the present leg names; nil = it names none.
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
func (k *seenEvents) addToAll(key journal.Key) {
	if k.all == nil {
		return
	}
	if len(k.all) >= maxSeen {
		clear(k.all)
	}
	k.all[key.Event] = struct{}{}
}

// add remembers an event of an owner who is being read.
func (k *seenEvents) add(key journal.Key) {
	k.addToAll(key)
	events := k.owners[key.Owner]
	if events == nil {
		events = map[uint64]struct{}{}
		k.owners[key.Owner] = events
	}
	events[key.Event] = struct{}{}
}

// hasOwned reports whether the event is in the journal for this owner.
func (k *seenEvents) hasOwned(key journal.Key) bool {
	_, ok := k.owners[key.Owner][key.Event]
	return ok
}

// hasAny reports whether the event is in the journal for any owner.
func (k *seenEvents) hasAny(key journal.Key) bool {
	_, ok := k.all[key.Event]
	return ok
}

// forget drops the events of a user who was read to the end.
func (k *seenEvents) forget(user string) { delete(k.owners, journal.OwnerKey(user)) }
