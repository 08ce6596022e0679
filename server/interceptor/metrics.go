package interceptor

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"
)

// counting counts calls when they end.
type counting struct{ metrics *metrics.Metrics }

func (c counting) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := next(ctx, req)
	code, reason := outcome(err)
	info := callinfo.FromContext(ctx)
	c.metrics.Request(rpc.FullMethod, code, reason, info.Tenant, exemplar(info), time.Since(start))
	return answer, err
}

func (c counting) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	start := time.Now()
	c.metrics.StreamBegins(rpc.FullMethod)
	var err error
	defer func() {
		code, reason := outcome(err)
		info := callinfo.FromContext(stream.Context())
		c.metrics.StreamEnds(rpc.FullMethod, code, reason, info.Tenant, exemplar(info), time.Since(start))
	}()
	err = next(srv, &timed{ServerStream: stream, onFirst: func() { c.metrics.FirstFrame(rpc.FullMethod, time.Since(start)) }})
	return err
}

// exemplar is the id of the trace that shows where a measured time went; empty where none is recorded.
func exemplar(info *callinfo.Info) string {
	if info.Traced {
		return info.TraceID
	}
	return ""
}

// outcome is how a call ended, as metrics name it.
func outcome(err error) (code, reason string) {
	if err == nil {
		return codes.OK.String(), ""
	}
	st := status.Convert(err)
	return st.Code().String(), apierror.Reason(st)
}

// timed is a stream that calls a function after its first message is sent.
type timed struct {
	grpc.ServerStream

	onFirst func() // nil after the first message
}

// SendMsg implements grpc.ServerStream.
func (s *timed) SendMsg(message any) error {
	err := s.ServerStream.SendMsg(message)
	if s.onFirst != nil && err == nil {
		s.onFirst()
		s.onFirst = nil
	}
	return err
}
