package timeline

import (
	"context"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

// wholeAtOnce is how many call records of one window are read whole at a time.
const wholeAtOnce = 4

// enrich makes streams with the view FULL read each call record whole. A record that cannot be read stays partial.
func (w *walk) enrich(have Sources) {
	getter := have.Getters[parleyv1.Source_SOURCE_CALL]
	if getter == nil || w.req.view() != parleyv1.EventView_EVENT_VIEW_FULL {
		return
	}
	for _, t := range w.tracks {
		if t.src == parleyv1.Source_SOURCE_CALL {
			t.enrich = func(ctx context.Context, entries []entry) { w.whole(ctx, t, getter, entries) }
		}
	}
}

// whole replaces partial call records by whole ones of the same or a newer version.
func (w *walk) whole(ctx context.Context, t *track, getter source.EventGetter, entries []entry) {
	var group sync.WaitGroup
	slots := make(chan struct{}, wholeAtOnce)
	for i := range entries {
		e := &entries[i]
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
			ref := source.Ref{Source: parleyv1.Source_SOURCE_CALL, ID: listed.GetSource().GetId(), Version: e.version}
			event, err := getter.Event(ctx, w.req.Owner, w.req.User, ref)
			t.read.requests.Add(1)
			if err != nil || event.GetVersion() < e.version {
				return
			}
			if e.replace(event) == nil && e.stray {
				var at *time.Time
				if event.GetEventTime() == nil {
					at = &e.time
				}
				e.outside(at)
			}
		})
	}
	group.Wait()
}
