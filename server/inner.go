package server

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/fault"
	"github.com/parley-gateway/parley/server/rest"
)

// inner runs the calls of the REST face in this process: the same services behind the same chain as over gRPC. What a call
// knows of its caller is the metadata that package rest lets through and the TLS connection of the request; nothing but the
// REST face can make one.
type inner struct {
	chain   chain
	calls   map[string]innerCall
	streams map[string]innerStream
}

var _ rest.Backend = (*inner)(nil)

// innerCall is a unary method.
type innerCall struct {
	info    *grpc.UnaryServerInfo
	handler grpc.UnaryHandler
}

// innerStream is a streaming method.
type innerStream struct {
	info    *grpc.StreamServerInfo
	service any
	handler grpc.StreamHandler
}

// newInner collects the methods of the services.
func (s *Server) newInner(links chain) *inner {
	n := &inner{links, map[string]innerCall{}, map[string]innerStream{}}
	chats, history, report, directory := &conversations{s: s}, &events{s: s}, &usage{s: s}, &users{s: s}
	n.addCall(parleyv1.ConversationService_ListConversations_FullMethodName, handle(chats.ListConversations))
	n.addCall(parleyv1.ConversationService_GetConversation_FullMethodName, handle(chats.GetConversation))
	n.addCall(parleyv1.EventService_ListEvents_FullMethodName, handle(history.ListEvents))
	n.addCall(parleyv1.EventService_GetEvent_FullMethodName, handle(history.GetEvent))
	n.addCall(parleyv1.CopilotUsageService_ListCopilotUsage_FullMethodName, handle(report.ListCopilotUsage))
	n.addCall(parleyv1.UserService_ListUsers_FullMethodName, handle(directory.ListUsers))
	n.addStreams(&parleyv1.ConversationService_ServiceDesc, chats)
	n.addStreams(&parleyv1.EventService_ServiceDesc, history)
	n.addStreams(&parleyv1.CopilotUsageService_ServiceDesc, report)
	return n
}

// handle gives a method the form of a handler.
func handle[Q proto.Message, A any](method func(context.Context, Q) (A, error)) grpc.UnaryHandler {
	return func(ctx context.Context, request any) (any, error) {
		asked, ok := request.(Q)
		if !ok {
			return nil, ofReason(fault.ReasonInternal)
		}
		answer, err := method(ctx, asked)
		if err != nil {
			return nil, err
		}
		if call, ok := ctx.Value(callOverRESTKey{}).(*rest.Call); ok && call.Same != nil && call.Same(answerOf(ctx, answer)) {
			return rest.Unchanged{Answer: answer}, nil
		}
		return answer, nil
	}
}

// answerOf is what the REST face sees of an answer: a page where there is one.
func answerOf(ctx context.Context, answer any) any {
	if page := infoOf(ctx).page; page != nil {
		return page
	}
	return answer
}

func (n *inner) addCall(method string, handler grpc.UnaryHandler) {
	n.calls[method] = innerCall{&grpc.UnaryServerInfo{FullMethod: method}, handler}
}

func (n *inner) addStreams(service *grpc.ServiceDesc, impl any) {
	for i := range service.Streams {
		desc := &service.Streams[i]
		method := "/" + service.ServiceName + "/" + desc.StreamName
		n.streams[method] = innerStream{&grpc.StreamServerInfo{FullMethod: method, IsServerStream: true}, impl, desc.Handler}
	}
}

// Unary implements rest.Backend.
func (n *inner) Unary(ctx context.Context, call *rest.Call, method string, request proto.Message) (any, error) {
	to, ok := n.calls[method]
	if !ok {
		return nil, fault.Complete(status.New(codes.Unimplemented, "")).Err()
	}
	return n.chain.unary(innerContext(ctx, call), request, to.info, to.handler)
}

// Stream implements rest.Backend.
func (n *inner) Stream(ctx context.Context, call *rest.Call, method string, request proto.Message, send func(any) error) error {
	to, ok := n.streams[method]
	if !ok {
		return fault.Complete(status.New(codes.Unimplemented, "")).Err()
	}
	stream := &pushStream{ctx: innerContext(ctx, call), request: request, send: send}
	return n.chain.stream(to.service, stream, to.info, to.handler)
}

// callOverREST is the context of a call of the REST face.
type callOverREST struct {
	context.Context //nolint:containedctx // it is one itself

	call *rest.Call
}

type callOverRESTKey struct{}

// Value implements context.Context.
func (c *callOverREST) Value(key any) any {
	if key == (callOverRESTKey{}) {
		return c.call
	}
	return c.Context.Value(key)
}

func innerContext(ctx context.Context, call *rest.Call) context.Context {
	if call.TLS != nil {
		ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: *call.TLS}})
	}
	if len(call.Header) > 0 {
		ctx = metadata.NewIncomingContext(ctx, call.Header)
	}
	return &callOverREST{ctx, call}
}

// overREST tells headers by the call itself.
type overREST struct{}

var _ teller = overREST{}

func (overREST) unary(ctx context.Context, info *callInfo, _ bool) error {
	return tellREST(ctx, info)
}

func (overREST) stream(stream grpc.ServerStream, info *callInfo) error {
	return tellREST(stream.Context(), info)
}

func tellREST(ctx context.Context, info *callInfo) error {
	call, ok := ctx.Value(callOverRESTKey{}).(*rest.Call)
	if !ok {
		return ofReason(fault.ReasonInternal)
	}
	call.RequestID, call.CacheStatus, call.Age = info.id, info.cacheStatus, info.age
	return nil
}

// pushStream is the server's side of a stream whose messages are handed to a function as they come.
type pushStream struct {
	ctx     context.Context //nolint:containedctx // grpc.ServerStream carries its context
	request proto.Message   // nil once received
	send    func(any) error
}

var _ grpc.ServerStream = (*pushStream)(nil)

// Context implements grpc.ServerStream.
func (p *pushStream) Context() context.Context { return p.ctx }

// SetHeader implements grpc.ServerStream; the REST face learns headers from its call.
func (*pushStream) SetHeader(metadata.MD) error { return nil }

// SendHeader implements grpc.ServerStream.
func (*pushStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer implements grpc.ServerStream.
func (*pushStream) SetTrailer(metadata.MD) {}

// SendMsg implements grpc.ServerStream. The message has been used when it returns.
func (p *pushStream) SendMsg(message any) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if frame, ok := message.(*eventFrame); ok {
		message = frame.batch
	}
	return p.send(message)
}

// RecvMsg implements grpc.ServerStream: there is one message, the request.
func (p *pushStream) RecvMsg(message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return ofReason(fault.ReasonInternal)
	}
	if p.request == nil {
		return io.EOF
	}
	proto.Merge(m, p.request)
	p.request = nil
	return nil
}
