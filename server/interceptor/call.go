package interceptor

import (
	"context"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/callinfo"
)

// call makes the info of a call that all others read and write.
type call struct{ protocol string }

func (c call) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	return next(callinfo.NewContext(ctx, rpc.FullMethod, c.protocol), req)
}

func (c call) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &streamWith{stream, callinfo.NewContext(stream.Context(), rpc.FullMethod, c.protocol)})
}
