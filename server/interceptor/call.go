package interceptor

import (
	"context"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/callinfo"
)

// call puts a new callinfo.Info into the context of a call; all other interceptors read and write it.
type call struct{ protocol string }

func (c call) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	return next(callinfo.NewContext(ctx, rpc.FullMethod, c.protocol), req)
}

func (c call) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &streamWith{stream, callinfo.NewContext(stream.Context(), rpc.FullMethod, c.protocol)})
}
