package service

import (
	"context"
	"path"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/timeline"
)

func newEvents(s *Services) *events {
	e := &events{Services: s}
	e.listInfo = &grpc.UnaryServerInfo{Server: e, FullMethod: parleyv1.EventService_ListEvents_FullMethodName}
	e.list = func(ctx context.Context, req any) (any, error) {
		request, ok := req.(*parleyv1.ListEventsRequest)
		if !ok {
			return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL)
		}
		return e.listPage(ctx, request)
	}
	return e
}

// listPage answers ListEvents with one page, whose events stay encoded.
func (e *events) listPage(ctx context.Context, req *parleyv1.ListEventsRequest) (*timeline.Page, error) {
	around, err := readAnchor(req)
	if err != nil {
		return nil, err
	}
	access, q, err := e.prepare(ctx, req, around)
	if err != nil {
		return nil, err
	}
	have := sourcesWithNames(access, &q, req.GetEnrich())
	var page *timeline.Page
	if size := pageSize(req.GetPageSize()); around == nil {
		page, err = e.engine.PageEvents(ctx, have, q, req.GetPageToken(), size)
	} else {
		page, err = e.pageAround(ctx, access, have, q, around, req.GetPageToken(), size)
	}
	if err != nil {
		return nil, err
	}
	if namesAsked(req.GetEnrich()) {
		if page, err = namedPage(ctx, access, &q, page); err != nil {
			return nil, err
		}
	}
	if access.unresolved {
		page = page.With(proto.CloneOf(page.Message), page.Events)
		explainUnresolved(access, page.Message.GetSources())
	}
	return page, nil
}

// eventService describes the EventService as the generated code does, but for ListEvents: the generated handler would have it
// answer with a message, and listPage answers with a page.
func eventService() *grpc.ServiceDesc {
	desc := parleyv1.EventService_ServiceDesc
	desc.Methods = slices.Clone(desc.Methods)
	name := path.Base(parleyv1.EventService_ListEvents_FullMethodName)
	for i := range desc.Methods {
		if m := &desc.Methods[i]; m.MethodName == name {
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
	if interceptor == nil {
		return service.list(ctx, request)
	}
	return interceptor(ctx, request, service.listInfo, service.list)
}
