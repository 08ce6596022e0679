package merge

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/query"
)

// wholeAtOnce is the number of call records of one window that are read whole at a time.
const wholeAtOnce = 4

// ReadWhole has a walk with the view FULL read each call record whole, and leave out the calls in which the user, or the participant of
// the filter, has no part: Graph may ignore its clause beside an interval. A record that cannot be read stays partial.
func (m *Merger) ReadWhole(sources query.Sources) {
	getter := sources.Getters[parleyv1.Source_SOURCE_CALL]
	if getter == nil || m.req.ShownView() != parleyv1.EventView_EVENT_VIEW_FULL {
		return
	}
	for _, r := range m.readers {
		if r.src == parleyv1.Source_SOURCE_CALL {
			r.readWhole = func(ctx context.Context, res *fetch.Result) { m.readRecords(ctx, r, getter, res) }
			if check := r.participants; check != nil {
				check.Records = wholeRecords{getter, m.req.Owner, check.Records}
			}
		}
	}
}

// verdict says what becomes of an entry whose record was read whole.
type verdict uint8

const (
	keep        verdict = iota
	keepInDoubt         // Graph's word alone says that it belongs here
	leaveOut            // the record shows that it does not
)

// readRecords replaces partial call records by whole ones of the same or a newer version. The entries are the result's own.
func (m *Merger) readRecords(ctx context.Context, r *sourceReader, getter source.EventGetter, res *fetch.Result) {
	var group sync.WaitGroup
	slots := make(chan struct{}, wholeAtOnce)
	verdicts := make([]verdict, len(res.Entries))
	for i := range res.Entries {
		if ctx.Err() != nil {
			break
		}
		e := &res.Entries[i]
		listed, err := e.Event()
		if err != nil || !listed.GetCall().GetPartial() {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			group.Wait()
			return
		}
		group.Go(func() {
			defer func() { <-slots }()
			verdicts[i] = m.readRecord(ctx, r, getter, e, listed)
		})
	}
	group.Wait()
	remaining := res.Entries[:0]
	for i := range res.Entries {
		if verdicts[i] != leaveOut {
			remaining = append(remaining, res.Entries[i])
		}
	}
	res.Entries, res.Unverified = remaining, slices.Contains(verdicts, keepInDoubt)
}

// readRecord reads one record whole, replaces the listed call by it, and says whether the call belongs into the answer.
func (m *Merger) readRecord(ctx context.Context, r *sourceReader, getter source.EventGetter, e *chunk.Entry, listed *parleyv1.Event) verdict {
	ref := source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: listed.GetSource().GetId(), Version: e.Version}
	event, err := getter.Event(ctx, m.req.Owner, m.req.User, ref)
	r.fetch.CountRecord(err)
	undecided := r.filter.Match(listed) == filter.Unknown // by what the list says of the call
	unread := err != nil || event.GetVersion() < e.Version
	needsProof := undecided || m.req.Owner != resource.AnyUser && !m.req.Narrow
	switch {
	case errors.Is(err, source.ErrNotParticipant):
		r.contradicted.Store(true)
		return leaveOut
	case unread && needsProof:
		return keepInDoubt
	case unread:
		return keep
	}
	result := r.filter.Match(event)
	if result == filter.False {
		if undecided {
			r.contradicted.Store(true)
		}
		return leaveOut
	}
	if e.Replace(event) == nil && e.OutOfWindow {
		var at *time.Time
		if event.GetEventTime() == nil {
			at = &e.Time
		}
		e.MarkOutOfWindow(at)
	}
	if result == filter.Unknown {
		return keepInDoubt
	}
	return keep
}

// wholeRecords verifies participants by records that are read whole anyway, and by lighter requests where that fails.
type wholeRecords struct {
	getter source.EventGetter
	owner  string
	next   source.ParticipantVerifier
}

// VerifyParticipant implements source.ParticipantVerifier.
func (p wholeRecords) VerifyParticipant(ctx context.Context, user string, ref source.Ref) error {
	_, err := p.getter.Event(ctx, p.owner, user, ref)
	if err == nil || p.next == nil {
		return err
	}
	return p.next.VerifyParticipant(ctx, user, ref)
}
