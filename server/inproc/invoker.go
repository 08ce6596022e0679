package inproc

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Invoker calls the methods of the services that are registered with it, as a client connection does. Register before the first
// call; it is then safe for concurrent use.
type Invoker struct {
	unary   grpc.UnaryServerInterceptor
	stream  grpc.StreamServerInterceptor
	calls   map[string]unaryMethod
	streams map[string]streamMethod
}

var (
	_ grpc.ClientConnInterface = (*Invoker)(nil)
	_ grpc.ServiceRegistrar    = (*Invoker)(nil)
)

type unaryMethod struct {
	service any
	handler grpc.MethodHandler
}

type streamMethod struct {
	service any
	handler grpc.StreamHandler
	info    *grpc.StreamServerInfo
}

// New returns an Invoker whose calls pass the interceptors in turn, the first one outermost, as grpc.ChainUnaryInterceptor
// and grpc.ChainStreamInterceptor have them.
func New(unary []grpc.UnaryServerInterceptor, stream []grpc.StreamServerInterceptor) *Invoker {
	c := &Invoker{unary: passUnary, stream: passStream, calls: map[string]unaryMethod{}, streams: map[string]streamMethod{}}
	for _, outer := range slices.Backward(unary) {
		c.unary = aroundUnary(outer, c.unary)
	}
	for _, outer := range slices.Backward(stream) {
		c.stream = aroundStream(outer, c.stream)
	}
	return c
}

func passUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(ctx, req)
}

func passStream(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(service, stream)
}

func aroundUnary(outer, inner grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		return outer(ctx, req, info, func(ctx context.Context, req any) (any, error) { return inner(ctx, req, info, handler) })
	}
}

func aroundStream(outer, inner grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		return outer(service, stream, info, func(service any, stream grpc.ServerStream) error {
			return inner(service, stream, info, handler)
		})
	}
}

// RegisterService implements grpc.ServiceRegistrar.
func (c *Invoker) RegisterService(desc *grpc.ServiceDesc, service any) {
	prefix := "/" + desc.ServiceName + "/"
	for _, method := range desc.Methods {
		c.calls[prefix+method.MethodName] = unaryMethod{service, method.Handler}
	}
	for _, method := range desc.Streams {
		info := &grpc.StreamServerInfo{
			FullMethod: prefix + method.StreamName, IsClientStream: method.ClientStreams, IsServerStream: method.ServerStreams,
		}
		c.streams[info.FullMethod] = streamMethod{service, method.Handler, info}
	}
}

// Invoke implements grpc.ClientConnInterface. Of the options it knows grpc.Header and grpc.Trailer.
func (c *Invoker) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	to, ok := c.calls[method]
	if !ok {
		return unknown(method)
	}
	call := FromContext(ctx)
	if call != nil {
		call.Request = args
	}
	writer := &headerWriter{method: method}
	answer, err := to.handler(to.service, grpc.NewContextWithServerTransportStream(ServerContext(ctx), writer),
		func(request any) error { return copyMessage(request, args) }, c.unary)
	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			*opt.HeaderAddr = writer.header
		case grpc.TrailerCallOption:
			*opt.TrailerAddr = writer.trailer
		}
	}
	if err != nil {
		return err
	}
	if call != nil {
		call.Answer = answer
	}
	if message, ok := answer.(proto.Message); ok {
		return share(reply, message)
	}
	return nil
}

// ServerContext returns the context of the handler of a call: the outgoing metadata of ctx are its incoming ones, and its peer has the TLS
// state of the call.
func ServerContext(ctx context.Context) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx)
	if call := FromContext(ctx); call != nil && call.TLS != nil {
		ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: credentials.TLSInfo{State: *call.TLS}})
	}
	return metadata.NewIncomingContext(ctx, md)
}

func unknown(method string) error {
	return status.Errorf(codes.Unimplemented, "unknown method %s", method)
}

// copyMessage makes one message equal to another of its type.
func copyMessage(to, from any) error {
	target, source, err := sameType(to, from)
	if err == nil {
		proto.Merge(target, source)
	}
	return err
}

// share makes an empty message equal to another of its type. What lies below the message's own fields is shared, so neither
// may be changed.
func share(to, from any) error {
	target, source, err := sameType(to, from)
	if err != nil {
		return err
	}
	into := target.ProtoReflect()
	source.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		into.Set(field, value)
		return true
	})
	into.SetUnknown(source.ProtoReflect().GetUnknown())
	return nil
}

func sameType(to, from any) (target, source proto.Message, err error) {
	target, isTarget := to.(proto.Message)
	source, isSource := from.(proto.Message)
	if !isTarget || !isSource || target.ProtoReflect().Descriptor() != source.ProtoReflect().Descriptor() {
		return nil, nil, status.Error(codes.Internal, "a message of another type")
	}
	return target, source, nil
}

// headerWriter collects the header and the trailer that the handler of a call sets.
type headerWriter struct {
	method          string
	header, trailer metadata.MD
}

var _ grpc.ServerTransportStream = (*headerWriter)(nil)

// Method implements grpc.ServerTransportStream.
func (h *headerWriter) Method() string { return h.method }

// SetHeader implements grpc.ServerTransportStream.
func (h *headerWriter) SetHeader(md metadata.MD) error {
	h.header = with(h.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream.
func (h *headerWriter) SendHeader(md metadata.MD) error { return h.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream.
func (h *headerWriter) SetTrailer(md metadata.MD) error {
	h.trailer = with(h.trailer, md)
	return nil
}

func with(set, md metadata.MD) metadata.MD {
	if len(set) == 0 {
		return md
	}
	return metadata.Join(set, md)
}
