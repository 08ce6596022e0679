package merge

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/fetch"
	"github.com/parley-gateway/parley/timeline/filter"
	"github.com/parley-gateway/parley/timeline/participants"
	"github.com/parley-gateway/parley/timeline/window"
)

// participantField is the field of the filter that listed calls do not have.
const participantField = "call.participants.id"

// selection decides which events of a source belong into the answer: those that match the filter, and those of the user.
type selection struct {
	// conversation is the name of the conversation whose events belong; nil = all do, or Graph is asked for one chat's.
	conversation []byte

	filter *filter.Filter
	pushed []string           // fields of the filter that Graph evaluates
	getter source.EventGetter // reads events whole that the filter cannot decide; may be nil
	// nameActors is NameActors of query.Sources; nil where that is, and where the filter does not compare actors.
	nameActors func(ctx context.Context, events []*parleyv1.Event) (complete bool)

	readWhole    func(ctx context.Context, res *fetch.Result) // reads records whole; nil = they stay as listed
	participants *participants.Check                          // nil = every event belongs here
	contradicted atomic.Bool                                  // Graph sent rows that its clause excludes
	unverified   []window.Span                                // windows with calls that are the user's by Graph's word alone
}

// changesEntries reports whether events of a window may be left out, or read anew, beyond the check of their participants.
func (s *selection) changesEntries() bool {
	return s.filter != nil || s.conversation != nil || s.readWhole != nil
}

// keepConversation leaves out the entries of other conversations.
func (r *sourceReader) keepConversation(res *fetch.Result) {
	if r.conversation == nil {
		return
	}
	kept := make([]chunk.Entry, 0, len(res.Entries))
	for i := range res.Entries {
		if e := &res.Entries[i]; bytes.Equal(eventwire.Field(e.Basic, eventwire.EventConversation), r.conversation) {
			kept = append(kept, *e)
		}
	}
	res.Entries = kept
}

// applyFilter leaves out the entries that do not match the filter, whether Graph evaluated its clause or not. Where an entry does not
// hold the field, Graph's word is taken if it had the clause; else the event is read whole. Where all records are read whole, the
// record decides.
func (r *sourceReader) applyFilter(ctx context.Context, res *fetch.Result) {
	if r.filter == nil {
		return
	}
	named, gap := r.withNames(ctx, res.Entries)
	trusted := len(r.pushed) > 0 && !r.fetch.IgnoresClause()
	matching := make([]chunk.Entry, 0, len(res.Entries))
	for i := range res.Entries {
		if ctx.Err() != nil {
			return // nobody waits for the window any more
		}
		e := &res.Entries[i]
		var result filter.Result
		var err error
		if named != nil {
			result = r.filter.Match(named[i])
		} else {
			result, err = r.filter.MatchWire(e.Basic)
		}
		undecided := false
		if err == nil && result == filter.Unknown && !trusted {
			result, undecided, err = r.decide(ctx, e)
		}
		gap = gap || err != nil || undecided && ctx.Err() == nil
		if err == nil && result != filter.False {
			matching = append(matching, *e)
		}
	}
	if gap {
		res.Gaps = window.AddGap(res.Gaps, window.Gap{Span: res.Span, Reason: parleyv1.ErrorReason_ERROR_REASON_FILTER_NOT_EVALUATED})
	}
	res.Entries = matching
}

// withNames returns the events of entries with the names that Graph left out of their actors; nil where the filter compares what Graph
// sent. The entries stay as Graph sent them. gap says that not all names could be looked up.
func (r *sourceReader) withNames(ctx context.Context, entries []chunk.Entry) (events []*parleyv1.Event, gap bool) {
	if r.nameActors == nil || len(entries) == 0 {
		return nil, false
	}
	events = make([]*parleyv1.Event, len(entries))
	for i := range entries {
		event, err := entries[i].Event()
		if err != nil {
			event, gap = &parleyv1.Event{}, true
		}
		events[i] = event
	}
	return events, !r.nameActors(ctx, events) || gap
}

// decide evaluates the filter on an event that its entry leaves open: on the whole record, unless that is read anyway. undecided says that
// the record leaves it open too.
func (r *sourceReader) decide(ctx context.Context, e *chunk.Entry) (result filter.Result, undecided bool, err error) {
	event, err := e.Event()
	if err != nil {
		return filter.False, false, err
	}
	if r.readWhole != nil && event.GetCall().GetPartial() {
		return filter.Unknown, false, nil
	}
	result = r.matchWhole(ctx, event)
	return result, result == filter.Unknown, nil
}

// matchWhole reads an event whole and evaluates the filter on it.
func (r *sourceReader) matchWhole(ctx context.Context, event *parleyv1.Event) filter.Result {
	if r.getter == nil {
		return filter.Unknown
	}
	ref := source.Ref{Source: r.src, ID: event.GetSource().GetId()}
	whole, err := r.getter.Event(ctx, r.fetch.Query.Owner, r.fetch.Query.User, ref)
	r.fetch.CountRecord(err)
	if err != nil {
		if errors.Is(err, source.ErrNotParticipant) {
			return filter.False
		}
		return filter.Unknown
	}
	return r.filter.Match(whole)
}

// noteUnverified notes a window with unverified calls. Such windows become gaps after Graph was seen not to evaluate the clause.
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

// filteredHere returns the fields of the filter that were evaluated here. The field that listed calls do not have is among them only
// where calls were read whole.
func (r *sourceReader) filteredHere() []string {
	unfiltered := r.fetch.IgnoresClause() && r.getter != nil
	if r.src != parleyv1.Source_SOURCE_CALL || r.readWhole != nil || unfiltered {
		return r.filter.Evaluated()
	}
	return slices.DeleteFunc(r.filter.Evaluated(), func(path string) bool { return path == participantField })
}
