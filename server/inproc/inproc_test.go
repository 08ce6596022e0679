package inproc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/inproc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service answers with what it is made of.
type service struct {
	parleyv1.UnimplementedCopilotUsageServiceServer

	list   func(context.Context, *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error)
	stream func(*parleyv1.StreamCopilotUsageRequest, grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error
}

func (s *service) ListCopilotUsage(ctx context.Context, req *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error) {
	return s.list(ctx, req)
}

func (s *service) StreamCopilotUsage(req *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
	return s.stream(req, stream)
}

// clientOf is a client of a service behind interceptors that write their names.
func clientOf(s *service, names ...string) (client parleyv1.CopilotUsageServiceClient, passed *[]string) {
	passed = &[]string{}
	unary := make([]grpc.UnaryServerInterceptor, 0, len(names))
	stream := make([]grpc.StreamServerInterceptor, 0, len(names))
	for _, name := range names {
		unary = append(unary, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			*passed = append(*passed, name+info.FullMethod)
			return next(ctx, req)
		})
		stream = append(stream, func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			*passed = append(*passed, name+info.FullMethod)
			return next(service, stream)
		})
	}
	conn := inproc.New(unary, stream)
	parleyv1.RegisterCopilotUsageServiceServer(conn, s)
	return parleyv1.NewCopilotUsageServiceClient(conn), passed
}

func rows(period string) *parleyv1.ListCopilotUsageResponse {
	return &parleyv1.ListCopilotUsageResponse{Rows: []*parleyv1.CopilotUsageRow{{UserPrincipalName: period}}, Complete: true}
}

func notice(code string) *parleyv1.StreamCopilotUsageResponse {
	return &parleyv1.StreamCopilotUsageResponse{Frame: &parleyv1.StreamCopilotUsageResponse_Notice{Notice: &parleyv1.Notice{Code: code}}}
}

// TestUnaryCallHandsOverMessagesAndHeaders: interceptors run in turn, metadata and deadline arrive, headers and trailers come back, and the handler has a request
// of its own.
func TestUnaryCallHandsOverMessagesAndHeaders(t *testing.T) {
	t.Parallel()
	request := &parleyv1.ListCopilotUsageRequest{Period: "D7"}
	client, passed := clientOf(&service{list: func(ctx context.Context, req *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		deadline, bounded := ctx.Deadline()
		if req == request || !proto.Equal(req, request) || len(md.Get("a")) != 2 || !bounded || time.Until(deadline) > time.Minute {
			t.Errorf("%v, %v, %v", req, md, deadline)
		}
		if peer := authn.TLSPeer(ctx); peer == nil || peer.ServerName != "here" {
			t.Errorf("TLS %+v", peer)
		}
		err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("b", "1")), grpc.SendHeader(ctx, metadata.Pairs("b", "2")), grpc.SetTrailer(ctx, metadata.Pairs("c", "3")))
		return rows(req.GetPeriod()), err
	}}, "one", "two")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call := &inproc.Call{TLS: &tls.ConnectionState{ServerName: "here"}}
	ctx = inproc.NewContext(metadata.AppendToOutgoingContext(ctx, "a", "1", "a", "2"), call)
	var header, trailer metadata.MD
	got, err := client.ListCopilotUsage(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil || !proto.Equal(got, rows("D7")) {
		t.Fatalf("%v, %v", got, err)
	}
	if diff := cmp.Diff([]metadata.MD{{"b": {"1", "2"}}, {"c": {"3"}}}, []metadata.MD{header, trailer}); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if answer, ok := call.Answer.(*parleyv1.ListCopilotUsageResponse); !ok || !proto.Equal(answer, got) {
		t.Errorf("answer %v", call.Answer)
	}
	const method = parleyv1.CopilotUsageService_ListCopilotUsage_FullMethodName
	if diff := cmp.Diff([]string{"one" + method, "two" + method}, *passed); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// TestErrorsOfUnaryCallsKeepTheirHeaders: errors come as they are, with the headers, and what is not registered is unimplemented.
func TestErrorsOfUnaryCallsKeepTheirHeaders(t *testing.T) {
	t.Parallel()
	client, _ := clientOf(&service{list: func(ctx context.Context, _ *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error) {
		return nil, errors.Join(grpc.SetHeader(ctx, metadata.Pairs("b", "1")), status.Error(codes.DataLoss, "lost"))
	}})
	var header metadata.MD
	_, err := client.ListCopilotUsage(t.Context(), &parleyv1.ListCopilotUsageRequest{}, grpc.Header(&header))
	if status.Code(err) != codes.DataLoss || len(header) != 1 {
		t.Errorf("%v, %v", err, header)
	}
	conn := inproc.New(nil, nil)
	_, err = parleyv1.NewUserServiceClient(conn).ListUsers(t.Context(), &parleyv1.ListUsersRequest{})
	_, streamErr := parleyv1.NewEventServiceClient(conn).StreamEvents(inproc.NewContext(t.Context(), &inproc.Call{}), &parleyv1.StreamEventsRequest{})
	if status.Code(err) != codes.Unimplemented || status.Code(streamErr) != codes.Unimplemented {
		t.Errorf("%v, %v", err, streamErr)
	}
	if _, err := client.StreamCopilotUsage(t.Context(), &parleyv1.StreamCopilotUsageRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("a stream that nobody ends: %v", err)
	}
}

// TestAnswersThatAreNoMessages: an interceptor may return anything; the caller has it beside an empty reply.
func TestAnswersThatAreNoMessages(t *testing.T) {
	t.Parallel()
	conn := inproc.New([]grpc.UnaryServerInterceptor{func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		return "words", nil
	}}, nil)
	parleyv1.RegisterCopilotUsageServiceServer(conn, &service{})
	call := &inproc.Call{}
	got, err := parleyv1.NewCopilotUsageServiceClient(conn).ListCopilotUsage(inproc.NewContext(t.Context(), call), &parleyv1.ListCopilotUsageRequest{})
	if err != nil || proto.Size(got) != 0 || call.Answer != "words" {
		t.Errorf("%v, %v, %v", got, err, call.Answer)
	}
}

// TestStreamHandsOverOneMessageAtATime: Header waits for the first message, each message is used before the next is made, and headers arrive.
func TestStreamHandsOverOneMessageAtATime(t *testing.T) {
	t.Parallel()
	made := 0
	client, passed := clientOf(&service{stream: func(req *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
		if err := stream.SetHeader(metadata.Pairs("a", req.GetPeriod())); err != nil {
			return err
		}
		for _, code := range []string{"A", "B"} {
			made++
			if err := stream.Send(notice(code)); err != nil {
				return err
			}
		}
		stream.SetTrailer(metadata.Pairs("b", "1"))
		return nil
	}}, "one", "two")
	call := &inproc.Call{}
	stream, err := client.StreamCopilotUsage(inproc.NewContext(t.Context(), call), &parleyv1.StreamCopilotUsageRequest{Period: "D7"})
	if err != nil || made != 0 {
		t.Fatal(err, made)
	}
	defer call.End()
	for range 2 {
		if header, err := stream.Header(); err != nil || header.Get("a")[0] != "D7" || made != 1 {
			t.Fatal(header, err, made)
		}
	}
	for i, code := range []string{"A", "B"} {
		if got, err := stream.Recv(); err != nil || !proto.Equal(got, notice(code)) || made != i+1 {
			t.Fatal(got, err, made)
		}
	}
	for range 2 {
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("end %v", err)
		}
	}
	if stream.Trailer().Get("b") == nil || len(*passed) != 2 || !strings.HasPrefix((*passed)[0], "one/") {
		t.Errorf("%v, %v", stream.Trailer(), *passed)
	}
}

// TestStreamErrorBeforeTheFirstMessageIsHeaders: a failure before every message is Header's, a later one is the next message's.
func TestStreamErrorBeforeTheFirstMessageIsHeaders(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1} {
		client, _ := clientOf(&service{stream: func(_ *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
			for range before {
				if err := stream.Send(notice("A")); err != nil {
					return err
				}
			}
			return status.Error(codes.DataLoss, "lost")
		}})
		call := &inproc.Call{}
		stream, err := client.StreamCopilotUsage(inproc.NewContext(t.Context(), call), &parleyv1.StreamCopilotUsageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Header(); (status.Code(err) == codes.DataLoss) != (before == 0) {
			t.Errorf("%d before: header %v", before, err)
		}
		for range before {
			if _, err := stream.Recv(); err != nil {
				t.Error(err)
			}
		}
		if _, err := stream.Recv(); status.Code(err) != codes.DataLoss {
			t.Errorf("%d before: %v", before, err)
		}
		call.End()
	}
}

// TestEndWaitsForTheHandler: a stream that its caller leaves ends its handler, which End waits for; the last message counts as taken, and
// later ones are refused.
func TestEndWaitsForTheHandler(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]bool{"before the first message": false, "after one": true} {
		began, ended := false, false
		client, _ := clientOf(&service{stream: func(_ *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
			began = true
			left, later := stream.Send(notice("A")), stream.Send(notice("B"))
			if !errors.Is(left, inproc.ErrTaken) || status.Code(later) != codes.Canceled || errors.Is(later, inproc.ErrTaken) {
				t.Errorf("%v, %v", left, later)
			}
			ended = true
			return left
		}})
		ctx, cancel := context.WithCancel(t.Context())
		call := &inproc.Call{}
		stream, err := client.StreamCopilotUsage(inproc.NewContext(ctx, call), &parleyv1.StreamCopilotUsageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if read {
			if _, err := stream.Recv(); err != nil {
				t.Error(err)
			}
		}
		call.End() // as a caller whose context goes on may do with a handler that waits for nothing
		cancel()
		call.End()
		if began != read || ended != read {
			t.Errorf("%s: began %t, ended %t", name, began, ended)
		}
	}
}

// TestNoMessageIsTakenAfterTheContextEnds: a message is not taken when the context of the call has ended.
func TestNoMessageIsTakenAfterTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := clientOf(&service{stream: func(_ *parleyv1.StreamCopilotUsageRequest, stream grpc.ServerStreamingServer[parleyv1.StreamCopilotUsageResponse]) error {
		cancel()
		return stream.Send(notice("A"))
	}})
	call := &inproc.Call{}
	stream, err := client.StreamCopilotUsage(inproc.NewContext(ctx, call), &parleyv1.StreamCopilotUsageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer call.End()
	if _, err := stream.Recv(); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestReplyOfAnotherTypeIsAnError: a reply of another type than the answer is an error, not a message with odd fields.
func TestReplyOfAnotherTypeIsAnError(t *testing.T) {
	t.Parallel()
	conn := inproc.New(nil, nil)
	parleyv1.RegisterCopilotUsageServiceServer(conn, &service{list: func(_ context.Context, req *parleyv1.ListCopilotUsageRequest) (*parleyv1.ListCopilotUsageResponse, error) {
		return rows(req.GetPeriod()), nil
	}})
	const method = parleyv1.CopilotUsageService_ListCopilotUsage_FullMethodName
	for name, err := range map[string]error{
		"reply":   conn.Invoke(t.Context(), method, &parleyv1.ListCopilotUsageRequest{}, &httpbody.HttpBody{}),
		"request": conn.Invoke(t.Context(), method, &httpbody.HttpBody{}, &parleyv1.ListCopilotUsageResponse{}),
	} {
		if status.Code(err) != codes.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}
