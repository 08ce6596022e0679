package export

import (
	"github.com/parley-gateway/parley/export/internal/dataset"
	"github.com/parley-gateway/parley/export/internal/journal"
)

// mostKnown bounds what is remembered of events whose owners are read already; a copy that is forgotten comes whole once more, with the same
// uid and version.
const mostKnown = 4 << 20

// known are the events that are in the journal of the users who are being read, and, to find copies, those of all.
type known struct {
	owners map[uint64]map[uint64]struct{}
	all    map[uint64]struct{} // nil unless copies are looked for
}

// load reads from the journal what was committed. Users who have their summary in the present round do not come again.
func (k *known) load(j *journal.Journal, copies bool) error {
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
		k.note(key)
		if _, done := ended[key.Owner]; done || wanted != nil && !wanted[key.Owner] {
			continue
		}
		k.add(key)
	}
	return nil
}

// wantedOwners are the users of the present leg; nil for all.
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

func (k *known) note(key journal.Key) {
	if k.all == nil {
		return
	}
	if len(k.all) >= mostKnown {
		clear(k.all)
	}
	k.all[key.Event] = struct{}{}
}

func (k *known) add(key journal.Key) {
	k.note(key)
	events := k.owners[key.Owner]
	if events == nil {
		events = map[uint64]struct{}{}
		k.owners[key.Owner] = events
	}
	events[key.Event] = struct{}{}
}

// has reports whether the owner's event is in the journal.
func (k *known) has(key journal.Key) bool {
	_, ok := k.owners[key.Owner][key.Event]
	return ok
}

// elsewhere reports whether the event is in the journal for any owner.
func (k *known) elsewhere(key journal.Key) bool {
	_, ok := k.all[key.Event]
	return ok
}

// forget drops a user of whom nothing comes any more.
func (k *known) forget(user string) { delete(k.owners, journal.OwnerKey(user)) }
