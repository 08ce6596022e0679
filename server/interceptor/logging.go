package interceptor

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
)

// logging writes a line for each call: no body, filter, user or name.
type logging struct{ logger *slog.Logger }

func (l logging) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := next(ctx, req)
	l.log(ctx, info.FullMethod, err, start)
	return answer, err
}

func (l logging) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	start := time.Now()
	err := next(srv, stream)
	l.log(stream.Context(), info.FullMethod, err, start)
	return err
}

func (l logging) log(ctx context.Context, method string, err error, start time.Time) {
	level := slog.LevelInfo
	if !callinfo.IsAPI(method) {
		level = slog.LevelDebug
	}
	if !l.logger.Enabled(ctx, level) {
		return
	}
	st := status.Convert(err)
	l.logger.LogAttrs(ctx, level, "call",
		slog.String("rpc", method), slog.String("code", st.Code().String()), slog.String("reason", apierror.Reason(st)),
		slog.Duration("took", time.Since(start)), slog.String("request_id", callinfo.FromContext(ctx).ID))
}
