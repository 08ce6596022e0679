package server

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/rest"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/view"
)

// events is the EventService.
type events struct {
	parleyv1.UnimplementedEventServiceServer

	services
}

var _ parleyv1.EventServiceServer = (*events)(nil)

// eventsAsked is what ListEventsRequest and StreamEventsRequest have in common.
type eventsAsked interface {
	conversationsAsked
	spanAsked

	GetSources() []parleyv1.Source
}

// spanAsked is the interval of a request.
type spanAsked interface {
	GetStartTime() *timestamppb.Timestamp
	GetEndTime() *timestamppb.Timestamp
}

// shapeAsked is how the answer to a request is to look.
type shapeAsked interface {
	GetOrderBy() string
	GetView() parleyv1.EventView
	GetFilter() string
}

// listPage answers ListEvents with one page, whose events stay the bytes that they are.
func (e *events) listPage(ctx context.Context, req *parleyv1.ListEventsRequest) (*timeline.Page, error) {
	a, walk, err := e.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	page, err := e.engine.PageEvents(ctx, a.sources, walk, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	if a.unresolved {
		page = &timeline.Page{Message: proto.CloneOf(page.Message), Events: page.Events, Count: page.Count}
		explain(a, page.Message.GetSources())
	}
	infoOf(ctx).handed.list(page.Count, page.Message.GetComplete())
	return page, nil
}

// eventService describes the EventService as the generated code does, but for ListEvents: the generated handler would have it
// answer with a message, and listPage answers with a page.
func eventService() *grpc.ServiceDesc {
	desc := parleyv1.EventService_ServiceDesc
	desc.Methods = slices.Clone(desc.Methods)
	for i := range desc.Methods {
		if m := &desc.Methods[i]; strings.HasSuffix(parleyv1.EventService_ListEvents_FullMethodName, "/"+m.MethodName) {
			m.Handler = handleListEvents
		}
	}
	return &desc
}

// handleListEvents is a grpc.MethodHandler.
func handleListEvents(
	srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor, //nolint:revive // the order of grpc.MethodHandler
) (any, error) {
	service, ok := srv.(*events)
	if !ok {
		return nil, ofReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	request := new(parleyv1.ListEventsRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return service.listPage(ctx, request)
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: parleyv1.EventService_ListEvents_FullMethodName}
	return interceptor(ctx, request, info, func(ctx context.Context, req any) (any, error) {
		if changed, ok := req.(*parleyv1.ListEventsRequest); ok {
			request = changed
		}
		return service.listPage(ctx, request)
	})
}

// StreamEvents sends all frames.
func (e *events) StreamEvents(req *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	a, walk, err := e.prepare(stream.Context(), req)
	if err != nil {
		return err
	}
	walk.Reconnect = rest.Reconnecting(stream.Context())
	rows := func(frame *parleyv1.StreamEventsResponse) int { return len(frame.GetBatch().GetEvents()) }
	return run(e.streams, stream, a, rows, func(ctx context.Context, out *sender[parleyv1.StreamEventsResponse, *parleyv1.StreamEventsResponse]) error {
		batch := &query.Batch{}
		walk.Batch = func(b query.Batch) error {
			*batch = b // what sends it has read it when it returns
			return out.batch(batch)
		}
		return e.engine.StreamEvents(ctx, a.sources, walk, req.GetResumeToken(), out.frame)
	})
}

// prepare resolves a request and proves that the user belongs to the conversation it names.
func (e *events) prepare(ctx context.Context, req eventsAsked) (*asked, query.Events, error) {
	var walk query.Events
	user, conversation, err := resource.ParseParent(req.GetParent())
	if err != nil {
		return nil, walk, err
	}
	if walk.Start, err = instant("start_time", req.GetStartTime()); err != nil {
		return nil, walk, err
	}
	if walk.End, err = instant("end_time", req.GetEndTime()); err != nil {
		return nil, walk, err
	}
	if walk.OrderBy, err = eventOrder(req.GetOrderBy()); err != nil {
		return nil, walk, err
	}
	a, err := e.access.askFor(ctx, fieldParent, user, want{
		sources: eventSources(req.GetSources(), user, conversation), view: viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_BASIC),
		start: walk.Start, end: walk.End, conversation: conversation != "",
	})
	if err != nil {
		return nil, walk, err
	}
	walk.Caller, walk.Tenant, walk.Fingerprint = a.binding()
	walk.Owner, walk.User, walk.Conversation = a.owner, a.user, conversation
	walk.Sources, walk.Unavailable = req.GetSources(), a.tenant.Unavailable
	walk.View, walk.Filter, walk.Encoded = req.GetView(), req.GetFilter(), true
	walk.Narrow = !a.allUsers
	if err := checkSources(a, &walk); err != nil {
		return nil, walk, err
	}
	if conversation != "" {
		if _, err := a.conversation(ctx, fieldParent, conversation); err != nil {
			return nil, walk, err
		}
	}
	return a, walk, nil
}

// eventSources are the sources that a request asks for: those it names, else all that apply to its parent.
func eventSources(named []parleyv1.Source, user, conversation string) []parleyv1.Source {
	switch {
	case len(named) > 0:
		return named
	case conversation != "":
		return []parleyv1.Source{parleyv1.Source_SOURCE_CHAT}
	case user == resource.AnyUser:
		return []parleyv1.Source{parleyv1.Source_SOURCE_CALL}
	default:
		return []parleyv1.Source{parleyv1.Source_SOURCE_COPILOT, parleyv1.Source_SOURCE_CHAT, parleyv1.Source_SOURCE_CALL}
	}
}

// checkSources applies the rules that hang on the parent, before Graph is asked anything.
func checkSources(a *asked, walk *query.Events) error {
	const call = parleyv1.Source_SOURCE_CALL
	only := func(src parleyv1.Source) bool {
		return !slices.ContainsFunc(walk.Sources, func(s parleyv1.Source) bool { return s != src })
	}
	switch {
	case a.owner == resource.AnyUser && walk.Conversation != "":
		return a.noWildcard(fieldParent)
	case a.owner == resource.AnyUser:
		if !only(call) {
			return a.noWildcard(fieldParent)
		}
	case walk.Conversation != "":
		if !only(parleyv1.Source_SOURCE_CHAT) {
			return apierror.Invalid("sources", "below a conversation there are the chat's own messages only; "+
				"ask the user's events for Copilot interactions and calls")
		}
	case a.unresolved && slices.Contains(walk.Sources, call) && only(call):
		return errUserID(fieldParent)
	case a.unresolved:
		walk.Unavailable = maps.Clone(walk.Unavailable)
		if walk.Unavailable == nil {
			walk.Unavailable = make(map[parleyv1.Source]parleyv1.SourceState, 1)
		}
		if _, known := walk.Unavailable[call]; !known {
			walk.Unavailable[call] = parleyv1.SourceState_SOURCE_STATE_FAILED
		}
	}
	return nil
}

// explain gives the reason of a source that was not asked because the user's object id is unknown.
func explain(a *asked, reports []*parleyv1.SourceReport) {
	if !a.unresolved {
		return
	}
	for _, report := range reports {
		if report.GetSource() == parleyv1.Source_SOURCE_CALL && report.GetState() == parleyv1.SourceState_SOURCE_STATE_FAILED {
			report.Reason = reasons.Text(parleyv1.ErrorReason_ERROR_REASON_USER_ID_REQUIRED)
		}
	}
}

// GetEvent reads one event whole.
func (e *events) GetEvent(ctx context.Context, req *parleyv1.GetEventRequest) (*parleyv1.Event, error) {
	user, ref, err := resource.ParseEvent(req.GetName())
	if err != nil {
		return nil, err
	}
	a, err := e.access.askFor(ctx, fieldName, user, want{
		sources: []parleyv1.Source{ref.Source}, view: viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_FULL),
	})
	if err != nil {
		return nil, err
	}
	if ref.Source != parleyv1.Source_SOURCE_CALL {
		err = a.noWildcard(fieldName)
	} else if a.unresolved {
		err = errUserID(fieldName)
	}
	if err != nil {
		return nil, err
	}
	getter := a.sources.Getters[ref.Source]
	if err := a.available(ref.Source); err != nil || getter == nil {
		return nil, ofReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	event, err := getter.Event(source.WithPriority(ctx, source.Interactive), a.owner, a.user, ref)
	if a.notIn(err) {
		return nil, ofReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	}
	if err != nil {
		return nil, of(ref.Source, err)
	}
	shown, ok := view.Apply(event, viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_FULL)).(*parleyv1.Event)
	if !ok {
		return nil, ofReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	infoOf(ctx).handed.events++
	return shown, nil
}
