package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/apierror"
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
	c.metrics.Request(method, code, reason, infoOf(ctx).tenant, time.Since(start))
}

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

// panicked logs where a panic happened. Its value may hold anything, so only its type is logged.
func (r recovery) panicked(ctx context.Context, method string, value any) error {
	r.logger.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("rpc", method), slog.String("request_id", infoOf(ctx).id),
		slog.String("type", fmt.Sprintf("%T", value)), slog.String("stack", string(debug.Stack())))
	return apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_INTERNAL).GRPCStatus().Err()
}

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
	if !isAPI(method) {
		level = slog.LevelDebug
	}
	if !l.logger.Enabled(ctx, level) {
		return
	}
	st := status.Convert(err)
	l.logger.LogAttrs(ctx, level, "call",
		slog.String("rpc", method), slog.String("code", st.Code().String()), slog.String("reason", apierror.Reason(st)),
		slog.Duration("took", time.Since(start)), slog.String("request_id", infoOf(ctx).id))
}

// conversion makes what comes from below it the errors of the contract, and logs what only the operator may know of them.
type conversion struct{ logger *slog.Logger }

func (c conversion) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	if err != nil {
		return nil, c.convert(ctx, info.FullMethod, err)
	}
	return answer, nil
}

func (c conversion) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return c.convert(stream.Context(), info.FullMethod, next(srv, stream))
}

// convert returns the error of the contract for a failure of a method; nil stays nil.
func (c conversion) convert(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	st := apierror.FromError(err)
	attrs := []slog.Attr{slog.String("rpc", method), slog.String("request_id", infoOf(ctx).id)}
	var graph *graphclient.Error
	switch {
	case errors.As(err, &graph) && graph.Kind != graphclient.KindCanceled:
		level := slog.LevelWarn
		if graph.Kind == graphclient.KindNotFound {
			level = slog.LevelDebug // an answer like others
		}
		c.logger.LogAttrs(ctx, level, "graph failed", append(attrs, slog.Any("graph", graph))...)
	case st.Code() == codes.Internal:
		c.logger.LogAttrs(ctx, slog.LevelError, "internal failure", append(attrs, slog.String("types", typesOf(err)))...)
	}
	return st.Err()
}

// typesOf names the types of an error and its causes. Texts of unknown errors may quote content and are not logged.
func typesOf(err error) string {
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return strings.Join(types, " ")
}
