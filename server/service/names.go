package service

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/names"
	"github.com/parley-gateway/parley/timeline/query"
)

// namesAsked reports whether a request asks for names.
func namesAsked(enrich []parleyv1.Enrichment) bool {
	return slices.Contains(enrich, parleyv1.Enrichment_ENRICHMENT_NAMES)
}

// checkEnrich refuses an enrichment that does not exist. The proto has no rule for it: a rule would cost every call that asks for none.
func checkEnrich(enrich []parleyv1.Enrichment) error {
	if slices.ContainsFunc(enrich, func(e parleyv1.Enrichment) bool { return e != parleyv1.Enrichment_ENRICHMENT_NAMES }) {
		return apierror.Invalid("enrich", "must be ENRICHMENT_NAMES")
	}
	return nil
}

// viewWithNames is the view that the policy has to allow. A caller who may read metadata alone gets no names of the directory, whatever the
// view asked for.
func viewWithNames(view parleyv1.EventView, enrich []parleyv1.Enrichment) parleyv1.EventView {
	if namesAsked(enrich) {
		return max(view, parleyv1.EventView_EVENT_VIEW_BASIC)
	}
	return view
}

// names returns a filler of names for events of the call. It reads as the call does: on behalf of the caller, where the rule says so.
func (g *accessGrant) names(conversation string, view parleyv1.EventView) *names.Filler {
	return &names.Filler{
		Have: g.sources, Owner: g.owner, User: g.graphUser(), Conversation: conversation, View: view, Limit: chunk.MaxFrameEvents,
	}
}

// sourcesWithNames returns the sources of a request for events. Where it asks for names, a filter by actor compares them, too.
func sourcesWithNames(access *accessGrant, q *query.Events, enrich []parleyv1.Enrichment) query.Sources {
	have := access.sources
	if namesAsked(enrich) {
		have.NameActors = access.names(q.Conversation, q.ShownView()).Actors
	}
	return have
}

// namedPage returns a page with names. The page that it is given may be cached, and stays as it is.
func namedPage(ctx context.Context, access *accessGrant, q *query.Events, page *timeline.Page) (*timeline.Page, error) {
	events, complete, err := access.names(q.Conversation, q.ShownView()).List(ctx, page.Events)
	if err != nil {
		return nil, err
	}
	named := page.With(proto.CloneOf(page.Message), events)
	if !complete {
		named.Message.Notices = append(named.Message.Notices, namesIncomplete())
	}
	return named, nil
}

// namedBatches returns a function that sends the batches of a stream with names. A notice precedes the first batch that lacks some.
func namedBatches(ctx context.Context, access *accessGrant, q *query.Events, out *eventSender) func(*timeline.Batch) error {
	filler, noticeSent := access.names(q.Conversation, q.ShownView()), false
	return func(batch *timeline.Batch) error {
		events, complete, err := filler.List(ctx, slices.Concat(batch.Runs...))
		if err != nil {
			return err
		}
		if !complete && !noticeSent {
			noticeSent = true
			notice := &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: namesIncomplete()}}
			if err := out.sendFrame(notice); err != nil {
				return err
			}
		}
		return out.sendBatch(batch.With(events))
	}
}

func namesIncomplete() *parleyv1.Notice {
	return &parleyv1.Notice{
		Code:    reasons.Code(parleyv1.NoticeCode_NOTICE_CODE_NAMES_INCOMPLETE),
		Message: "not all names that were asked for could be looked up; the events are whole but for these names",
		Source:  parleyv1.Source_SOURCE_USER,
	}
}
