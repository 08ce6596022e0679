package timeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/query"
)

// wholeAtOnce is how many call records of one window are read whole at a time.
const wholeAtOnce = 4

// enrich makes streams with the view FULL read each call record whole, and leave out those in which the user or the
// participant that the filter names has no part: Graph may ignore its clause beside an interval. A record that cannot be
// read stays partial.
func (w *walk) enrich(have query.Sources) {
	getter := have.Getters[parleyv1.Source_SOURCE_CALL]
	if getter == nil || w.req.ShownView() != parleyv1.EventView_EVENT_VIEW_FULL {
		return
	}
	for _, t := range w.tracks {
		if t.src == parleyv1.Source_SOURCE_CALL {
			t.enrich = func(ctx context.Context, b *block) { w.whole(ctx, t, getter, b) }
			if a := t.attendance; a != nil {
				a.prover = wholeProofs{getter, w.req.Owner, a.prover}
			}
		}
	}
}

// whole replaces partial call records by whole ones of the same or a newer version. The entries are the block's own.
func (w *walk) whole(ctx context.Context, t *track, getter source.EventGetter, b *block) {
	var group sync.WaitGroup
	slots := make(chan struct{}, wholeAtOnce)
	found := make([]belonging, len(b.entries))
	for i := range b.entries {
		if ctx.Err() != nil {
			break
		}
		e := &b.entries[i]
		listed, err := e.event()
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
			found[i] = w.wholeEntry(ctx, t, getter, e, listed)
		})
	}
	group.Wait()
	kept := b.entries[:0]
	for i := range b.entries {
		if found[i] != foreign {
			kept = append(kept, b.entries[i])
		}
	}
	b.entries, b.unproven = kept, slices.Contains(found, unproven)
}

// wholeEntry reads one record whole.
func (w *walk) wholeEntry(ctx context.Context, t *track, getter source.EventGetter, e *entry, listed *parleyv1.Event) belonging {
	ref := source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: listed.GetSource().GetId(), Version: e.version}
	event, err := getter.Event(ctx, w.req.Owner, w.req.User, ref)
	t.read.requests.Add(1)
	open := t.filter.Match(listed) == filter.Unknown
	switch {
	case errors.Is(err, source.ErrNoPart):
		t.refuted.Store(true)
		return foreign
	case (err != nil || event.GetVersion() < e.version) && (open || w.req.Owner != resource.AnyUser && !w.req.Narrow):
		return unproven
	case err != nil || event.GetVersion() < e.version:
		return belongs
	}
	verdict := t.filter.Match(event)
	if verdict == filter.False {
		if open {
			t.refuted.Store(true)
		}
		return foreign
	}
	if e.replace(event) == nil && e.stray {
		var at *time.Time
		if event.GetEventTime() == nil {
			at = &e.time
		}
		e.outside(at)
	}
	if verdict == filter.Unknown {
		return unproven
	}
	return belongs
}
