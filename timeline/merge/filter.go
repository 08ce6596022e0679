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
func (r *sourceReader) applyFilter(ctx context.Context, res *fetch.Result) {
	if r.filter == nil {
		return
	}
	trusted := len(r.pushed) > 0 && !r.fetch.IgnoresClause()
	kept := make([]chunk.Entry, 0, len(res.Entries))
	for _, e := range res.Entries {
		if ctx.Err() != nil {
			return // nobody waits for the block any more
		}
		event, err := e.Event()
		if err != nil {
			res.Gaps = window.AddGap(res.Gaps, window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
			continue
		}
		result := r.filter.Match(event)
		later := r.readWhole != nil && event.GetCall().GetPartial()
		if result == filter.Unknown && !trusted && !later {
			result = r.matchWhole(ctx, event)
			if result == filter.Unknown && ctx.Err() == nil {
				res.Gaps = window.AddGap(res.Gaps, window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
			}
		}
		if result != filter.False {
			kept = append(kept, e)
		}
	}
	res.Entries = kept
}

// matchWhole reads an event whole and evaluates the filter on it.
func (r *sourceReader) matchWhole(ctx context.Context, event *parleyv1.Event) filter.Result {
	if r.getter == nil {
		return filter.Unknown
	}
	ref := source.Ref{Source: r.src, ID: event.GetSource().GetId()}
	whole, err := r.getter.Event(ctx, r.fetch.Query.Owner, r.fetch.Query.User, ref)
	r.fetch.CountRequests(1)
	if err != nil {
		r.fetch.CountRequests(failure.GraphRequests(err))
		if errors.Is(err, source.ErrNotParticipant) {
			return filter.False
		}
		return filter.Unknown
	}
	return r.filter.Match(whole)
}

// noteUnverified notes a window with calls that nobody but Graph says belong here, and makes such windows doubts once Graph was seen
// not to evaluate the clause.
func (r *sourceReader) noteUnverified(res *fetch.Result) {
	if res.Unverified {
		r.unverified = append(r.unverified, res.Span)
	}
	if !r.contradicted.Load() && !r.fetch.IgnoresClause() {
		return
	}
	for _, s := range r.unverified {
		r.addGap(window.Gap{Span: s, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
	}
	r.unverified = nil
}

// filteredHere are the fields of the filter that were evaluated here: those that lists of calls lack only where the calls
// were read whole.
func (r *sourceReader) filteredHere() []string {
	unfiltered := r.fetch.IgnoresClause() && r.getter != nil
	if r.src != parleyv1.Source_SOURCE_CALL || r.readWhole != nil || unfiltered {
		return r.filter.Evaluated()
	}
	return slices.DeleteFunc(r.filter.Evaluated(), func(path string) bool { return path == participantField })
}
