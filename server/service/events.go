package service

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-gateway/parley/eventwire/view"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/resource"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/query"
)

// events is the EventService.
type events struct {
	parleyv1.UnimplementedEventServiceServer

	*Services
}

var _ parleyv1.EventServiceServer = (*events)(nil)

// eventsAsked is what ListEventsRequest and StreamEventsRequest have in common.
type eventsRequest interface {
	conversationsRequest
	intervalRequest

	GetSources() []parleyv1.Source
}

// spanAsked is the interval of a request.
type intervalRequest interface {
	GetStartTime() *timestamppb.Timestamp
	GetEndTime() *timestamppb.Timestamp
}

// shapeAsked is how the answer to a request is to look.
type shapedRequest interface {
	GetOrderBy() string
	GetView() parleyv1.EventView
	GetFilter() string
}

// listPage answers ListEvents with one page, whose events stay the bytes that they are.
func (e *events) listPage(ctx context.Context, req *parleyv1.ListEventsRequest) (*timeline.Page, error) {
	target, q, err := e.prepare(ctx, req)
	if err != nil {
		return nil, err
	}
	page, err := e.engine.PageEvents(ctx, target.sources, q, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	if target.unresolved {
		page = &timeline.Page{Message: proto.CloneOf(page.Message), Events: page.Events, Count: page.Count}
		explain(target, page.Message.GetSources())
	}
	callinfo.FromContext(ctx).Handed.List(page.Count, page.Message.GetComplete())
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
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	request := new(parleyv1.ListEventsRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, req any) (any, error) {
		request, ok := req.(*parleyv1.ListEventsRequest)
		if !ok {
			return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
		}
		return service.listPage(ctx, request)
	}
	if interceptor == nil {
		return answer(ctx, request)
	}
	info := &grpc.UnaryServerInfo{Server: srv, FullMethod: parleyv1.EventService_ListEvents_FullMethodName}
	return interceptor(ctx, request, info, answer)
}

// StreamEvents sends all frames.
func (e *events) StreamEvents(req *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	target, q, err := e.prepare(stream.Context(), req)
	if err != nil {
		return err
	}
	q.Reconnect = callinfo.FromContext(stream.Context()).Reconnecting()
	rows := func(frame *parleyv1.StreamEventsResponse) int { return len(frame.GetBatch().GetEvents()) }
	return run(e.streams, stream, target, rows, func(ctx context.Context, out *sender[parleyv1.StreamEventsResponse, *parleyv1.StreamEventsResponse]) error {
		batch := &query.Batch{}
		q.Batch = func(b query.Batch) error {
			*batch = b // what sends it has read it when it returns
			return out.batch(batch)
		}
		return e.engine.StreamEvents(ctx, target.sources, q, req.GetResumeToken(), out.frame)
	})
}

// prepare resolves a request and proves that the user belongs to the conversation it names.
func (e *events) prepare(ctx context.Context, req eventsRequest) (*callTarget, query.Events, error) {
	var q query.Events
	user, conversation, err := resource.ParseParent(req.GetParent())
	if err != nil {
		return nil, q, err
	}
	if q.Start, err = instant("start_time", req.GetStartTime()); err != nil {
		return nil, q, err
	}
	if q.End, err = instant("end_time", req.GetEndTime()); err != nil {
		return nil, q, err
	}
	if q.OrderBy, err = eventOrder(req.GetOrderBy()); err != nil {
		return nil, q, err
	}
	target, err := e.access.authorizeUser(ctx, fieldParent, user, accessScope{
		sources: eventSources(req.GetSources(), user, conversation), view: viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_BASIC),
		start: q.Start, end: q.End, conversation: conversation != "",
	})
	if err != nil {
		return nil, q, err
	}
	q.Caller, q.Tenant, q.Fingerprint = target.binding()
	q.Owner, q.User, q.Conversation = target.owner, target.user, conversation
	q.Sources, q.Unavailable = req.GetSources(), target.tenant.Unavailable
	q.View, q.Filter, q.Encoded = req.GetView(), req.GetFilter(), true
	q.Narrow = !target.allUsers
	if err := checkSources(target, &q); err != nil {
		return nil, q, err
	}
	if conversation != "" {
		if _, err := target.conversation(ctx, fieldParent, conversation); err != nil {
			return nil, q, err
		}
	}
	return target, q, nil
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
func checkSources(target *callTarget, q *query.Events) error {
	const call = parleyv1.Source_SOURCE_CALL
	only := func(src parleyv1.Source) bool {
		return !slices.ContainsFunc(q.Sources, func(s parleyv1.Source) bool { return s != src })
	}
	switch {
	case target.owner == resource.AnyUser && q.Conversation != "":
		return target.noWildcard(fieldParent)
	case target.owner == resource.AnyUser:
		if !only(call) {
			return target.noWildcard(fieldParent)
		}
	case q.Conversation != "":
		if !only(parleyv1.Source_SOURCE_CHAT) {
			return apierror.Invalid("sources", "below a conversation there are the chat's own messages only; "+
				"ask the user's events for Copilot interactions and calls")
		}
	case target.unresolved && slices.Contains(q.Sources, call) && only(call):
		return errUserID(fieldParent)
	case target.unresolved:
		q.Unavailable = maps.Clone(q.Unavailable)
		if q.Unavailable == nil {
			q.Unavailable = make(map[parleyv1.Source]parleyv1.SourceState, 1)
		}
		if _, known := q.Unavailable[call]; !known {
			q.Unavailable[call] = parleyv1.SourceState_SOURCE_STATE_FAILED
		}
	}
	return nil
}

// explain gives the reason of a source that was not asked because the user's object id is unknown.
func explain(target *callTarget, reports []*parleyv1.SourceReport) {
	if !target.unresolved {
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
	target, err := e.access.authorizeUser(ctx, fieldName, user, accessScope{
		sources: []parleyv1.Source{ref.Source}, view: viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_FULL),
	})
	if err != nil {
		return nil, err
	}
	if ref.Source != parleyv1.Source_SOURCE_CALL {
		err = target.noWildcard(fieldName)
	} else if target.unresolved {
		err = errUserID(fieldName)
	}
	if err != nil {
		return nil, err
	}
	getter := target.sources.Getters[ref.Source]
	if err := target.available(ref.Source); err != nil || getter == nil {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_SOURCE_NOT_IN_CLOUD)
	}
	event, err := getter.Event(source.WithPriority(ctx, source.Interactive), target.owner, target.user, ref)
	if target.notIn(err) {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_NOT_FOUND)
	}
	if err != nil {
		return nil, apierror.WithSource(ref.Source, err)
	}
	shown, ok := view.Apply(event, viewOr(req.GetView(), parleyv1.EventView_EVENT_VIEW_FULL)).(*parleyv1.Event)
	if !ok {
		return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
	}
	callinfo.FromContext(ctx).Handed.Rows++
	return shown, nil
}
