package conformance

import (
	"errors"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// grpcService plays cases over gRPC.
type grpcService struct {
	parleyv1.UnimplementedEventServiceServer

	server *Server
}

// StreamEvents implements parleyv1.EventServiceServer.
func (s *grpcService) StreamEvents(request *parleyv1.StreamEventsRequest, stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]) error {
	from, ok := peer.FromContext(stream.Context())
	if !ok {
		return status.Error(codes.Internal, "a call without a peer")
	}
	header, _ := metadata.FromIncomingContext(stream.Context())
	over := &grpcLink{stream: stream, conn: s.server.conns.get(from.Addr)}
	return s.server.script.play(stream.Context(), request, strings.Join(header.Get("authorization"), ", "), over, func() {
		s.server.replace()
		<-stream.Context().Done()
	})
}

// grpcLink is a connection over gRPC.
type grpcLink struct {
	stream grpc.ServerStreamingServer[parleyv1.StreamEventsResponse]
	conn   *conn
}

func (l *grpcLink) send(frame *parleyv1.StreamEventsResponse, extra extraFields) error {
	if frame.GetFrame() == nil || extra == withUnknown {
		frame = proto.CloneOf(frame)
		addUnknown(frame.ProtoReflect())
	}
	return l.stream.Send(frame)
}

func (l *grpcLink) fail(st *status.Status) error { return st.Err() }

// cut sends a frame with the mark at which the connection ends.
func (l *grpcLink) cut(torn bool) error {
	frame := &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{
		Checkpoint: &parleyv1.Checkpoint{ResumeToken: string(cutMark)},
	}}
	if torn {
		frame.Frame = &parleyv1.StreamEventsResponse_Batch{Batch: &parleyv1.EventBatch{Events: []*parleyv1.Event{
			{Name: string(tearMark), Uid: "torn", Version: 1, Body: &parleyv1.Body{PlainText: strings.Repeat("x", 1000)}},
		}}}
	}
	if err := l.stream.Send(frame); err != nil {
		return err
	}
	<-l.stream.Context().Done()
	return errCut
}

func (l *grpcLink) reset() error {
	if l.conn == nil {
		return errors.New("an unknown connection")
	}
	l.conn.reset()
	return errCut
}

// flush does nothing: what is sent goes out in order, and so does what ends a call.
func (*grpcLink) flush() {}
