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

// wholeAtOnce is how many call records of one window are read whole at a time.
const wholeAtOnce = 4

// ReadWhole makes streams with the view FULL read each call record whole, and leave out those in which the user or the
// participant that the filter names has no part: Graph may ignore its clause beside an interval. A record that cannot be
// read stays partial.
func (w *Merger) ReadWhole(have query.Sources) {
	getter := have.Getters[parleyv1.Source_SOURCE_CALL]
	if getter == nil || w.req.ShownView() != parleyv1.EventView_EVENT_VIEW_FULL {
		return
	}
	for _, t := range w.readers {
		if t.src == parleyv1.Source_SOURCE_CALL {
			t.readWhole = func(ctx context.Context, b *fetch.Result) { w.readRecords(ctx, t, getter, b) }
			if a := t.participants; a != nil {
				a.prover = wholeRecords{getter, w.req.Owner, a.prover}
			}
		}
	}
}

// readRecords replaces partial call records by whole ones of the same or a newer version. The entries are the block's own.
func (w *Merger) readRecords(ctx context.Context, t *sourceReader, getter source.EventGetter, b *fetch.Result) {
	var group sync.WaitGroup
	slots := make(chan struct{}, wholeAtOnce)
	found := make([]chunk.Participation, len(b.Entries))
	for i := range b.Entries {
		if ctx.Err() != nil {
			break
		}
		e := &b.Entries[i]
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
			found[i] = w.readRecord(ctx, t, getter, e, listed)
		})
	}
	group.Wait()
	kept := b.Entries[:0]
	for i := range b.Entries {
		if found[i] != chunk.Contradicted {
			kept = append(kept, b.Entries[i])
		}
	}
	b.Entries, b.Unverified = kept, slices.Contains(found, chunk.Unverified)
}

// readRecord reads one record whole.
func (w *Merger) readRecord(ctx context.Context, t *sourceReader, getter source.EventGetter, e *chunk.Entry, listed *parleyv1.Event) chunk.Participation {
	ref := source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: listed.GetSource().GetId(), Version: e.Version}
	event, err := getter.Event(ctx, w.req.Owner, w.req.User, ref)
	t.fetch.CountRequests(1)
	open := t.filter.Match(listed) == filter.Unknown
	switch {
	case errors.Is(err, source.ErrNotParticipant):
		t.contradicted.Store(true)
		return chunk.Contradicted
	case (err != nil || event.GetVersion() < e.Version) && (open || w.req.Owner != resource.AnyUser && !w.req.Narrow):
		return chunk.Unverified
	case err != nil || event.GetVersion() < e.Version:
		return chunk.Participates
	}
	result := t.filter.Match(event)
	if result == filter.False {
		if open {
			t.contradicted.Store(true)
		}
		return chunk.Contradicted
	}
	if e.Replace(event) == nil && e.OutOfWindow {
		var at *time.Time
		if event.GetEventTime() == nil {
			at = &e.Time
		}
		e.MarkOutOfWindow(at)
	}
	if result == filter.Unknown {
		return chunk.Unverified
	}
	return chunk.Participates
}
