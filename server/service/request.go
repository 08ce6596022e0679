package service

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/query"
)

// eventsRequest is the common part of ListEventsRequest and StreamEventsRequest.
type eventsRequest interface {
	conversationsRequest
	enrichRequest
}

// enrichRequest is a request that names enrichments of events.
type enrichRequest interface {
	GetEnrich() []parleyv1.Enrichment
}

// intervalRequest is a request for an interval of time.
type intervalRequest interface {
	GetStartTime() *timestamppb.Timestamp
	GetEndTime() *timestamppb.Timestamp
}

// conversationsRequest is the common part of ListConversationsRequest and StreamConversationsRequest.
type conversationsRequest interface {
	shapedRequest
	intervalRequest
	sourcesRequest
}

// sourcesRequest is a request for resources of some sources below a parent.
type sourcesRequest interface {
	GetParent() string
	GetSources() []parleyv1.Source
}

// shapedRequest is a request for a list in an order, a view and with a filter.
type shapedRequest interface {
	GetOrderBy() string
	GetView() parleyv1.EventView
	GetFilter() string
}

// readEvents returns the parts of a request for events: the user segment of its parent, the query, and the scope that the policy has to
// allow. Nothing is looked up.
func readEvents(req eventsRequest) (user string, q query.Events, scope accessScope, err error) {
	if user, q.Conversation, err = resource.ParseParent(req.GetParent()); err != nil {
		return "", q, scope, err
	}
	if q.Start, err = instant("start_time", req.GetStartTime()); err != nil {
		return "", q, scope, err
	}
	if q.End, err = instant("end_time", req.GetEndTime()); err != nil {
		return "", q, scope, err
	}
	if q.OrderBy, err = eventOrder(req.GetOrderBy()); err != nil {
		return "", q, scope, err
	}
	if err := checkEnrich(req.GetEnrich()); err != nil {
		return "", q, scope, err
	}
	q.Sources, q.View, q.Filter = req.GetSources(), req.GetView(), req.GetFilter()
	if err := q.CheckFilter(); err != nil {
		return "", q, scope, err
	}
	return user, q, accessScope{
		sources: eventSources(q.Sources, user, q.Conversation), view: viewWithNames(view.OfList(q.View), req.GetEnrich()),
		start: q.Start, end: q.End, conversation: q.Conversation != "", candidates: candidateSources(q.Sources, user, q.Conversation),
	}, nil
}

// eventSources are the sources that a request asks for: those it names, else all that apply to its parent.
func eventSources(named []parleyv1.Source, user, conversation string) []parleyv1.Source {
	switch {
	case len(named) > 0:
		return named
	case user == resource.AnyUser:
		return []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	case conversation != "":
		return []parleyv1.Source{parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL}
	default:
		return source.WithoutOptIn(source.EventSources())
	}
}

// candidateSources are the sources below a conversation for a request that names none; nil for any other request.
func candidateSources(named []parleyv1.Source, user, conversation string) []parleyv1.Source {
	if conversation == "" || len(named) > 0 {
		return nil
	}
	return eventSources(nil, user, conversation)
}

// describingSources are the sources that tell about one conversation of a user, or of the whole tenant.
func describingSources(user string) []parleyv1.Source {
	if user == resource.AnyUser {
		return []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	}
	return []parleyv1.Source{parleyv1.Source_SOURCE_CONVERSATION, parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CALL}
}

// readConversations reads a request for conversations as readEvents does.
func readConversations(req conversationsRequest) (user string, q query.Conversations, scope accessScope, err error) {
	if user, err = resource.ParseUser(req.GetParent()); err != nil {
		return "", q, scope, err
	}
	if q.ByLastMessage, err = byLastMessage(req.GetOrderBy()); err != nil {
		return "", q, scope, err
	}
	if q.Start, err = instant("start_time", req.GetStartTime()); err != nil {
		return "", q, scope, err
	}
	if q.End, err = instant("end_time", req.GetEndTime()); err != nil {
		return "", q, scope, err
	}
	sources := conversationSources(req.GetSources())
	if q.View, q.Filter = req.GetView(), req.GetFilter(); len(req.GetSources()) > 0 {
		q.Sources = sources
	}
	if len(q.Derived()) == 0 && (!q.Start.IsZero() || !q.End.IsZero()) {
		return "", q, scope, apierror.Invalid("sources", "an interval is for Copilot sessions and calls; name SOURCE_COPILOT or SOURCE_CALL, or give no times")
	}
	if err := q.CheckFilter(); err != nil {
		return "", q, scope, err
	}
	return user, q, accessScope{
		sources: sources, view: view.OfList(q.View), start: q.Start, end: q.End,
	}, nil
}

// conversationSources returns the sources of a list of conversations, in the order of the enum. CHAT becomes CONVERSATION, the list of chats,
// which is the default too.
func conversationSources(named []parleyv1.Source) []parleyv1.Source {
	asked := slices.Clone(named)
	for i, src := range asked {
		if src == parleyv1.Source_SOURCE_CHAT {
			asked[i] = parleyv1.Source_SOURCE_CONVERSATION
		}
	}
	if len(asked) == 0 {
		asked = []parleyv1.Source{parleyv1.Source_SOURCE_CONVERSATION}
	}
	slices.Sort(asked)
	return slices.Compact(asked)
}

// pageSize applies the default and the maximum of page_size; validation refuses a negative one. The engine applies both again, for
// programs that use package timeline without the server.
func pageSize(size int32) int {
	if size <= 0 {
		return frame.DefaultPage
	}
	return min(int(size), frame.MaxPage)
}

// instant reads an optional time; absent is the zero time.
func instant(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if !t.IsValid() {
		return time.Time{}, apierror.Invalid(field, "is not a time in the years 1 to 9999")
	}
	at := t.AsTime()
	if at.IsZero() {
		// The first instant of all is Go's zero time, which means absent to the engine. As a bound, the next instant is the same.
		at = at.Add(time.Nanosecond)
	}
	return at, nil
}

// eventOrder reads order_by of event requests.
func eventOrder(text string) (query.Order, error) {
	switch strings.Join(strings.Fields(text), " ") {
	case "", "event_time", "event_time asc":
		return query.EventTime, nil
	case "event_time desc":
		return query.EventTimeDesc, nil
	case "create_time desc":
		return query.CreateTimeDesc, nil
	default:
		return 0, apierror.Invalid("order_by", "must be `event_time`, `event_time desc` or, below a conversation, `create_time desc`")
	}
}

// byLastMessage reads order_by of conversation requests.
func byLastMessage(text string) (bool, error) {
	switch strings.Join(strings.Fields(text), " ") {
	case "":
		return false, nil
	case "last_message_time desc":
		return true, nil
	default:
		return false, apierror.Invalid("order_by", "must be `last_message_time desc` or absent")
	}
}
