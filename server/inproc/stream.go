package inproc

import (
	"context"
	"io"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// NewStream implements grpc.ClientConnInterface for methods with one request. The context must hold a Call; options are
// ignored.
func (c *Invoker) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	to, ok := c.streams[method]
	if !ok || to.info.IsClientStream {
		return nil, unknown(method)
	}
	call := FromContext(ctx)
	if call == nil {
		return nil, status.Error(codes.Internal, "a stream without a call, which would never end")
	}
	s := &clientStream{call: call, server: &serverStream{ctx: ServerContext(ctx)}}
	s.ctx = ctx
	s.next, call.stop = iter.Pull(func(yield func(any) bool) {
		s.server.send = yield
		s.err = c.stream(to.service, s.server, to.info, to.handler)
		s.server.send = nil
	})
	return s, nil
}

// clientStream is the caller's side. The handler runs while Header or RecvMsg wait for its next message.
type clientStream struct {
	ctx    context.Context //nolint:containedctx // grpc.ClientStream carries its context
	call   *Call
	server *serverStream
	next   func() (any, bool)
	err    error // of the handler, when it has returned

	buffered, started, done bool // a message waits for RecvMsg; the handler was started; it has returned
}

var _ grpc.ClientStream = (*clientStream)(nil)

// Context implements grpc.ClientStream.
func (s *clientStream) Context() context.Context { return s.ctx }

// SendMsg implements grpc.ClientStream: it takes the request.
func (s *clientStream) SendMsg(request any) error {
	s.server.request, s.call.Request = request, request
	return nil
}

// CloseSend implements grpc.ClientStream.
func (*clientStream) CloseSend() error { return nil }

// Trailer implements grpc.ClientStream.
func (s *clientStream) Trailer() metadata.MD { return s.server.writer.trailer }

// Header implements grpc.ClientStream. It waits for the first message, or for the end of the handler: an error that precedes
// every message is returned here.
func (s *clientStream) Header() (metadata.MD, error) {
	if !s.started {
		s.buffered = s.pull()
	}
	if s.done && s.err != nil {
		return s.server.writer.header, s.err
	}
	return s.server.writer.header, nil
}

// pull runs the handler until its next message, which is the call's answer then, and reports whether there is one.
func (s *clientStream) pull() bool {
	if s.done {
		return false
	}
	s.started = true
	message, ok := s.next()
	s.call.Answer, s.done = message, !ok
	return ok
}

// RecvMsg implements grpc.ClientStream.
func (s *clientStream) RecvMsg(reply any) error {
	if !s.buffered && !s.pull() {
		if s.err != nil {
			return s.err
		}
		return io.EOF
	}
	s.buffered = false
	if message, ok := s.call.Answer.(proto.Message); ok {
		return share(reply, message)
	}
	return nil
}

// serverStream is the handler's side.
type serverStream struct {
	ctx     context.Context //nolint:containedctx // grpc.ServerStream carries its context
	request any             // nil once received
	send    func(any) bool  // nil when nobody takes messages any more
	writer  headerWriter
}

var _ grpc.ServerStream = (*serverStream)(nil)

var errGone = status.Error(codes.Canceled, "the caller is gone")

// ErrTaken is the error of a message that the caller took, and left before it asked for the next one: some or all of it may have been handed
// on. With any other error of SendMsg nothing of the message was.
var ErrTaken = status.Error(codes.Canceled, "the caller left while it had a message")

// Context implements grpc.ServerStream.
func (s *serverStream) Context() context.Context { return s.ctx }

// SetHeader implements grpc.ServerStream.
func (s *serverStream) SetHeader(md metadata.MD) error { return s.writer.SetHeader(md) }

// SendHeader implements grpc.ServerStream.
func (s *serverStream) SendHeader(md metadata.MD) error { return s.writer.SendHeader(md) }

// SetTrailer implements grpc.ServerStream.
func (s *serverStream) SetTrailer(md metadata.MD) { _ = s.writer.SetTrailer(md) } // never fails

// SendMsg implements grpc.ServerStream. It is called by the goroutine that the handler began on, and the caller is done with
// the message when it returns. It fails with ErrTaken where the caller took the message.
func (s *serverStream) SendMsg(message any) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if s.send == nil {
		return errGone
	}
	if !s.send(message) {
		s.send = nil
		return ErrTaken
	}
	return nil
}

// RecvMsg implements grpc.ServerStream: there is one message, the request.
func (s *serverStream) RecvMsg(message any) error {
	if s.request == nil {
		return io.EOF
	}
	request := s.request
	s.request = nil
	return copyMessage(message, request)
}
