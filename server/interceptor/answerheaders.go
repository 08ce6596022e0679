package interceptor

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/requestid"
)

const (
	headerCacheStatus = "cache-status"
	headerAge         = "age"
)

// answerHeaders writes the headers of an answer: the request id, and where the answer came from.
type answerHeaders struct{}

// unary hands the headers to the transport: at once where the call ended well, with the status otherwise. Only callers who may read every
// user are told where the answer came from: it reveals that, and when, somebody else has read the same data.
func (answerHeaders) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	info := callinfo.FromContext(ctx)
	md := metadata.MD{requestid.Header: {info.ID}}
	if status := info.Recorder.Status(); status != "" && info.Grant != nil && info.Grant.AllUsers {
		md[headerCacheStatus] = []string{status}
		md[headerAge] = []string{strconv.FormatInt(int64(info.Recorder.Age()/time.Second), 10)}
	}
	if err != nil {
		_ = grpc.SetHeader(ctx, md) // the transport is gone if this fails
		return nil, err
	}
	if err := grpc.SendHeader(ctx, md); err != nil { // takes md as it is, SetHeader copies it
		return nil, err
	}
	return answer, nil
}

func (answerHeaders) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := stream.SetHeader(metadata.Pairs(requestid.Header, callinfo.FromContext(stream.Context()).ID)); err != nil {
		return err
	}
	return next(srv, stream)
}
