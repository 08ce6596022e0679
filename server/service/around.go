package service

import (
	"context"
	"slices"
	"strings"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

const fieldAround = "around"

// anchor is the event that a request for a list names as its middle.
type anchor struct {
	parent string // user segment of the request's parent
	user   string // user segment of the event's name
	ref    resource.Ref
}

// readAnchor reads the anchor of a request; nil = it has none.
func readAnchor(req *parleyv1.ListEventsRequest) (*anchor, error) {
	if req.GetAround() == "" {
		return nil, nil //nolint:nilnil // absent
	}
	parent, _, err := resource.ParseParent(req.GetParent())
	if err != nil {
		return nil, err
	}
	user, ref, err := resource.ParseEventIn(fieldAround, req.GetAround())
	if err != nil {
		return nil, err
	}
	return &anchor{parent, user, ref}, nil
}

// addSource returns the sources that a call reads, the one of the anchor among them: that the event exists, and when it was, is told by the
// answer.
func (a *anchor) addSource(sources []parleyv1.Source) []parleyv1.Source {
	if a == nil || slices.Contains(sources, a.ref.Source) {
		return sources
	}
	return append(slices.Clone(sources), a.ref.Source)
}

// check refuses what cannot be answered around the anchor, before Graph is asked for anything.
func (a *anchor) check(access *accessGrant, order query.Order) error {
	if a == nil {
		return nil
	}
	if err := order.CheckAround(); err != nil {
		return err
	}
	switch {
	case !strings.EqualFold(a.user, a.parent) && !strings.EqualFold(a.user, access.owner), !slices.Contains(access.scope.sources, a.ref.Source):
		return errNoAnchor()
	default:
		return nil
	}
}

// pageAround answers a list around an event with one page.
func (e *events) pageAround(
	ctx context.Context, access *accessGrant, sources query.Sources, q query.Events, around *anchor, token string, size int,
) (*timeline.Page, error) {
	at := query.Anchor{Name: string(resource.AppendEvent(nil, access.owner, around.ref))}
	if token == "" {
		event, err := access.anchorEvent(ctx, around.ref, q.Conversation)
		if err != nil {
			return nil, err
		}
		at.Time = event.GetEventTime().AsTime()
	}
	return e.engine.PageAround(ctx, sources, q, at, token, size)
}

// anchorEvent reads the event around which a list is to be. It belongs to the conversation of the request, if that names one.
func (g *accessGrant) anchorEvent(ctx context.Context, ref resource.Ref, conversation string) (*parleyv1.Event, error) {
	ctx, cancel := lookupContext(ctx)
	defer cancel()
	event, err := g.event(ctx, fieldAround, ref)
	switch {
	case isNotFound(err) || isKind(err, graph.KindNotFound) || isKind(err, graph.KindGone) || isKind(err, graph.KindBadRequest):
		return nil, errNoAnchor()
	case err != nil:
		return nil, err
	case conversation != "" && event.GetConversation() != resource.Conversation(g.owner, conversation), !event.GetEventTime().IsValid():
		return nil, errNoAnchor()
	default:
		return event, nil
	}
}

// errNoAnchor is the error of an anchor that the parent of the request does not have.
func errNoAnchor() error {
	return apierror.New(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND,
		"the parent has no such event; name one that it lists").WithField(fieldAround)
}
