package interceptor

import (
	"context"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/callinfo"
)

// arrival notes that the call's message has come, and at the end that the call is over.
type arrival struct{}

func (arrival) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	request := callinfo.FromContext(ctx).Admission
	request.Received()
	defer request.End()
	return next(ctx, req)
}

func (arrival) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	request := callinfo.FromContext(stream.Context()).Admission
	defer request.End()
	return next(srv, &arriving{stream, request})
}

// arriving is a stream whose message may not have come yet.
type arriving struct {
	grpc.ServerStream

	request *admission.Request
}

// RecvMsg implements grpc.ServerStream.
func (a *arriving) RecvMsg(message any) error {
	err := a.ServerStream.RecvMsg(message)
	if err == nil {
		a.request.Received()
	}
	return err
}
