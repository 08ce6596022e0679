package timeline

import (
	"context"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/filter"
)

// sift leaves out the entries of a block that do not match the filter, whatever Graph made of its clause. What only whole
// records can tell is taken on Graph's word if it had the clause, else read whole.
func (t *track) sift(ctx context.Context, b *block) {
	if t.filter == nil {
		return
	}
	trusted := len(t.pushed) > 0 && !t.read.unfiltered.Load()
	kept := make([]entry, 0, len(b.entries))
	for _, e := range b.entries {
		event, err := e.event()
		if err != nil {
			b.gaps = addGap(b.gaps, gap{b.span, ReasonNotFiltered})
			continue
		}
		verdict := t.filter.Match(event)
		if verdict == filter.Unknown && !trusted {
			verdict = t.matchWhole(ctx, event)
			if verdict == filter.Unknown && ctx.Err() == nil {
				b.gaps = addGap(b.gaps, gap{b.span, ReasonNotFiltered})
			}
		}
		if verdict != filter.False {
			kept = append(kept, e)
		}
	}
	b.entries = kept
}

// matchWhole reads an event whole and evaluates the filter on it.
func (t *track) matchWhole(ctx context.Context, event *parleyv1.Event) filter.Verdict {
	if t.getter == nil {
		return filter.Unknown
	}
	ref := source.Ref{Source: t.src, ID: event.GetSource().GetId()}
	whole, err := t.getter.Event(ctx, t.read.query.Owner, t.read.query.User, ref)
	t.read.requests.Add(1)
	if err != nil {
		t.read.requests.Add(int64(graphRequests(err)))
		return filter.Unknown
	}
	return t.filter.Match(whole)
}
