package interceptor

import (
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
)

// healthAndReflection bounds the streams of health and reflection, which need no caller. They end soon after the server begins to stop,
// since they would hold it up.
func (l *Limits) healthAndReflection(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if callinfo.IsAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	if !callinfo.FromContext(stream.Context()).Admission.AddWatch() {
		l.Shed(metrics.ShedOpen)
		return overloaded("this connection has as many streams of health and reflection as one may have")
	}
	ctx, release := l.Shutdown.AfterBegin(stream.Context())
	defer release()
	return next(srv, &streamWith{stream, ctx})
}
