package parleyclient

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// TenantStream is the stream of the events of many users, read through any trouble.
type TenantStream struct {
	*Stream[TenantFrame, *parleyv1.StreamTenantEventsResponse]

	outcome *parleyv1.TenantSummary
}

// TenantFrame is a frame of StreamTenantEvents with what the frames of all streams have.
type TenantFrame struct {
	*parleyv1.StreamTenantEventsResponse
}

// GetCheckpoint returns the resume token of a checkpoint; nil = the frame is none.
func (f TenantFrame) GetCheckpoint() *parleyv1.Checkpoint {
	checkpoint := f.StreamTenantEventsResponse.GetCheckpoint()
	if checkpoint == nil {
		return nil
	}
	return &parleyv1.Checkpoint{ResumeToken: checkpoint.GetResumeToken()}
}

// GetSummary returns whether everything was read, the notices and the resume token; nil = the frame is no summary.
func (f TenantFrame) GetSummary() *parleyv1.Summary {
	summary := f.StreamTenantEventsResponse.GetSummary()
	if summary == nil {
		return nil
	}
	return &parleyv1.Summary{Complete: summary.GetComplete(), Notices: summary.GetNotices(), ResumeToken: summary.GetResumeToken()}
}

// TenantEvents returns the stream over the users of a request, which may carry a resume token of an earlier run. Its items are the
// frames with content: batches of events, copies, and the summaries of users. Frames since the last checkpoint come again after a cut:
// upsert events by owner, uid and version, copies by name, and users by name. A user's own summary is the end of the user's events.
func TenantEvents(client parleyv1.EventServiceClient, request *parleyv1.StreamTenantEventsRequest, options Options) *TenantStream {
	request = proto.CloneOf(request)
	s := &TenantStream{}
	s.Stream = New(Method[TenantFrame, *parleyv1.StreamTenantEventsResponse]{
		Open: func(ctx context.Context, resumeToken string) (Receiver[TenantFrame], error) {
			request.ResumeToken = resumeToken
			stream, err := client.StreamTenantEvents(ctx, request)
			if err != nil {
				return nil, err
			}
			return ReceiveTenant(stream), nil
		},
		Items: func(frame TenantFrame) []*parleyv1.StreamTenantEventsResponse {
			switch next := frame.GetFrame().(type) {
			case *parleyv1.StreamTenantEventsResponse_Batch, *parleyv1.StreamTenantEventsResponse_Copies, *parleyv1.StreamTenantEventsResponse_User:
				return []*parleyv1.StreamTenantEventsResponse{frame.StreamTenantEventsResponse}
			case *parleyv1.StreamTenantEventsResponse_Summary:
				s.outcome = next.Summary
			}
			return nil
		},
	}, request.GetResumeToken(), options)
	return s
}

// Outcome returns what was read of all users, and why something is missing: users with the state INCOMPLETE are asked for by their ids.
// It is nil until the stream has been read to its end.
func (s *TenantStream) Outcome() *parleyv1.TenantSummary { return s.outcome }

// ReceiveTenant makes of a call a receiver of its frames, for programs that make a Method of their own.
func ReceiveTenant(from grpc.ServerStreamingClient[parleyv1.StreamTenantEventsResponse]) Receiver[TenantFrame] {
	return tenantReceiver{from}
}

type tenantReceiver struct {
	from grpc.ServerStreamingClient[parleyv1.StreamTenantEventsResponse]
}

// Recv returns the next frame.
func (r tenantReceiver) Recv() (TenantFrame, error) {
	frame, err := r.from.Recv()
	return TenantFrame{frame}, err
}
