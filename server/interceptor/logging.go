package interceptor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	st, info := status.Convert(err), callinfo.FromContext(ctx)
	attrs := []slog.Attr{
		slog.String("rpc", method), slog.String("code", st.Code().String()), slog.String("reason", apierror.Reason(st)),
		slog.String("transport", info.Protocol), slog.String("tenant", info.Tenant), slog.String("caller", hashed(info.CallerID)),
		slog.Int64("events", info.Rows),
	}
	if info.Complete != nil {
		attrs = append(attrs, slog.Bool("complete", *info.Complete))
	}
	l.logger.LogAttrs(ctx, level, "call", append(attrs, slog.Int64("graph_requests", info.GraphRequests.Load()),
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000))...)
}

// hashed is the caller of a line: equal for equal callers, and no name. Audit records have the caller's id.
func hashed(caller string) string {
	if caller == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("parley caller\x00" + caller))
	return hex.EncodeToString(sum[:8])
}
