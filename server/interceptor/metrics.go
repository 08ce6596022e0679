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

func (c counting) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := next(ctx, req)
	c.count(ctx, info.FullMethod, err, start)
	return answer, err
}

func (c counting) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	start := time.Now()
	err := next(srv, stream)
	c.count(stream.Context(), info.FullMethod, err, start)
	return err
}

func (c counting) count(ctx context.Context, method string, err error, start time.Time) {
	code, reason := codes.OK.String(), ""
	if err != nil {
		st := status.Convert(err)
		code, reason = st.Code().String(), apierror.Reason(st)
	}
	c.metrics.Request(method, code, reason, callinfo.FromContext(ctx).Tenant, time.Since(start))
}
