package merge

import (
	"context"
	"errors"
	"slices"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/window"
)

// participantField is the field of filters that lists of calls lack.
const participantField = "call.participants.id"

// applyFilter leaves out the entries of a block that do not match the filter, whatever Graph made of its clause. What only whole
// records can tell is taken on Graph's word if it had the clause, else read whole; where all records are read whole, that
// decides.
func (t *sourceReader) applyFilter(ctx context.Context, b *fetch.Result) {
	if t.filter == nil {
		return
	}
	trusted := len(t.pushed) > 0 && !t.fetch.IgnoresClause()
	kept := make([]chunk.Entry, 0, len(b.Entries))
	for _, e := range b.Entries {
		if ctx.Err() != nil {
			return // nobody waits for the block any more
		}
		event, err := e.Event()
		if err != nil {
			b.Gaps = window.AddGap(b.Gaps, window.Gap{Span: b.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
			continue
		}
		result := t.filter.Match(event)
		later := t.readWhole != nil && event.GetCall().GetPartial()
		if result == filter.Unknown && !trusted && !later {
			result = t.matchWhole(ctx, event)
			if result == filter.Unknown && ctx.Err() == nil {
				b.Gaps = window.AddGap(b.Gaps, window.Gap{Span: b.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
			}
		}
		if result != filter.False {
			kept = append(kept, e)
		}
	}
	b.Entries = kept
}

// matchWhole reads an event whole and evaluates the filter on it.
func (t *sourceReader) matchWhole(ctx context.Context, event *parleyv1.Event) filter.Result {
	if t.getter == nil {
		return filter.Unknown
	}
	ref := source.Ref{Source: t.src, ID: event.GetSource().GetId()}
	whole, err := t.getter.Event(ctx, t.fetch.Query.Owner, t.fetch.Query.User, ref)
	t.fetch.CountRequests(1)
	if err != nil {
		t.fetch.CountRequests(failure.GraphRequests(err))
		if errors.Is(err, source.ErrNotParticipant) {
			return filter.False
		}
		return filter.Unknown
	}
	return t.filter.Match(whole)
}

// noteUnverified notes a window with calls that nobody but Graph says belong here, and makes such windows doubts once Graph was seen
// not to evaluate the clause.
func (t *sourceReader) noteUnverified(b *fetch.Result) {
	if b.Unverified {
		t.unverified = append(t.unverified, b.Span)
	}
	if !t.contradicted.Load() && !t.fetch.IgnoresClause() {
		return
	}
	for _, s := range t.unverified {
		t.addGap(window.Gap{Span: s, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
	}
	t.unverified = nil
}

// filteredHere are the fields of the filter that were evaluated here: those that lists of calls lack only where the calls
// were read whole.
func (t *sourceReader) filteredHere() []string {
	unfiltered := t.fetch.IgnoresClause() && t.getter != nil
	if t.src != parleyv1.Source_SOURCE_CALL || t.readWhole != nil || unfiltered {
		return t.filter.Evaluated()
	}
	return slices.DeleteFunc(t.filter.Evaluated(), func(path string) bool { return path == participantField })
}
