package interceptor

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// recovery turns a panic anywhere below it into INTERNAL.
type recovery struct{ logger *slog.Logger }

func (r recovery) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, r.panicked(ctx, info.FullMethod, p)
		}
	}()
	return next(ctx, req)
}

func (r recovery) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(stream.Context(), info.FullMethod, p)
		}
	}()
	return next(srv, stream)
}

func (r recovery) panicked(ctx context.Context, method string, value any) error {
	LogPanic(ctx, r.logger, method, value)
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL).GRPCStatus().Err()
}

// LogPanic logs where a panic happened. Its value may hold anything, so only its type is logged.
func LogPanic(ctx context.Context, logger *slog.Logger, method string, value any) {
	logger.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("rpc", method), slog.String("type", fmt.Sprintf("%T", value)), slog.String("stack", string(debug.Stack())))
}
