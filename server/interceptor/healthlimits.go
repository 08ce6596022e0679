package interceptor

import (
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
)

// healthAndReflection bounds the streams that need no caller, those of health and reflection. They end when the server stops, which they would hold up.
func (l *Limits) healthAndReflection(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if callinfo.IsAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	if !callinfo.FromContext(stream.Context()).Request.AddWatch() {
		l.Shed(metrics.ShedOpen)
		return overloaded("this connection has as many streams of health and reflection as one may have")
	}
	ctx, release := l.Shutdown.AfterBegin(stream.Context())
	defer release()
	return next(srv, &streamWith{stream, ctx})
}
