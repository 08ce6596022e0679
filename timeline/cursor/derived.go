package cursor

import (
	"math"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/cursorpb"
)

// maxDoubts is how many doubts of earlier readings a token holds.
const maxDoubts = 8

// derivedCounts is how many counts a source has.
const derivedCounts = 4

// Derived is a position in the conversations that are derived from events.
type Derived struct {
	// End is the end of the interval, pinned by the first page.
	End time.Time
	// Last and Key are the position of the last conversation that was delivered, in their order; a zero Last = none was.
	Last time.Time
	Key  string
	// Delivered is the sum of the hashes of the names of the conversations that were delivered, in a list that is newest first.
	Delivered uint64
	// Restarted says that the conversations began again, because others lay before the position than were delivered.
	Restarted bool
	// Finished is set when everything was delivered.
	Finished bool
	// ChatsState and ChatsReason say how reading the chats ended, if they could not be read.
	ChatsState  parleyv1.SourceState
	ChatsReason parleyv1.ErrorReason
	// Counts are the counts of the reports so far, of each source that conversations are derived from. Of the counts, events are
	// conversations.
	Counts []Counts
	// Doubts are the doubts of earlier readings.
	Doubts []Doubt
}

// Doubt is the reason of a gap in a source.
type Doubt struct {
	Source parleyv1.Source
	Reason parleyv1.ErrorReason
}

// AddDoubt adds a doubt, once.
func (d *Derived) AddDoubt(doubt Doubt) {
	if !slices.Contains(d.Doubts, doubt) && len(d.Doubts) < maxDoubts {
		d.Doubts = append(d.Doubts, doubt)
	}
}

func (d *Derived) pack() *cursorpb.Derived {
	if d == nil {
		return nil
	}
	times := []time.Time{d.End}
	if !d.Last.IsZero() {
		times = append(times, d.Last)
	}
	m := &cursorpb.Derived{
		Times: packTimes(time.Unix(0, 0), times...), Key: []byte(d.Key), Finished: d.Finished,
		ChatsState: uint32(d.ChatsState), ChatsReason: uint32(d.ChatsReason),
		Delivered: d.Delivered, Restarted: d.Restarted,
	}
	for _, c := range d.Counts {
		m.Counts = append(m.Counts, packCounts(c.Events, c.Pages, c.FromCache, c.Requests)...)
	}
	for _, doubt := range d.Doubts {
		m.Doubts = append(m.Doubts, uint32(doubt.Source), uint32(doubt.Reason))
	}
	return m
}

func unpackDerived(m *cursorpb.Derived) (*Derived, error) {
	if m == nil {
		return nil, nil //nolint:nilnil // absent
	}
	times, err := unpackTimes(time.Unix(0, 0), m.GetTimes())
	if err != nil || len(times) < 1 || len(times) > 2 || m.GetChatsState() > math.MaxUint8 || m.GetChatsReason() > maxReason ||
		len(m.GetCounts())%derivedCounts != 0 || len(m.GetCounts()) > derivedCounts*maxSources ||
		len(m.GetDoubts())%2 != 0 || len(m.GetDoubts()) > 2*maxDoubts {
		return nil, ErrMalformed
	}
	d := &Derived{
		End: times[0], Key: string(m.GetKey()), Finished: m.GetFinished(),
		ChatsState: parleyv1.SourceState(m.GetChatsState()), ChatsReason: parleyv1.ErrorReason(m.GetChatsReason()),
		Delivered: m.GetDelivered(), Restarted: m.GetRestarted(),
	}
	if len(times) == 2 {
		d.Last = times[1]
	}
	for packed := m.GetCounts(); len(packed) > 0; packed = packed[derivedCounts:] {
		var c Counts
		if !unpackCounts(packed[:derivedCounts], &c.Events, &c.Pages, &c.FromCache, &c.Requests) {
			return nil, ErrMalformed
		}
		d.Counts = append(d.Counts, c)
	}
	for packed := m.GetDoubts(); len(packed) > 0; packed = packed[2:] {
		if packed[0] > math.MaxUint8 || packed[1] > maxReason {
			return nil, ErrMalformed
		}
		d.Doubts = append(d.Doubts, Doubt{parleyv1.Source(packed[0]), parleyv1.ErrorReason(packed[1])})
	}
	return d, nil
}
