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

	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/fault"
)

// metricsUnary counts calls when they end.
func (s *Server) metricsUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := next(ctx, req)
	s.count(ctx, info.FullMethod, err, start)
	return answer, err
}

func (s *Server) metricsStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	start := time.Now()
	err := next(srv, stream)
	s.count(stream.Context(), info.FullMethod, err, start)
	return err
}

func (s *Server) count(ctx context.Context, method string, err error, start time.Time) {
	code, reason := codes.OK.String(), ""
	if err != nil {
		st := status.Convert(err)
		code, reason = st.Code().String(), fault.Reason(st)
	}
	s.cfg.Metrics.Request(method, code, reason, infoOf(ctx).tenant, time.Since(start))
}

// recoverUnary turns a panic into INTERNAL.
func (s *Server) recoverUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			answer, err = nil, s.panicked(ctx, info.FullMethod, p)
		}
	}()
	return next(ctx, req)
}

func (s *Server) recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(stream.Context(), info.FullMethod, p)
		}
	}()
	return next(srv, stream)
}

// panicked logs where a panic happened. Its value may hold anything, so only its type is logged.
func (s *Server) panicked(ctx context.Context, method string, value any) error {
	s.cfg.Logger.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("rpc", method), slog.String("request_id", infoOf(ctx).id),
		slog.String("type", fmt.Sprintf("%T", value)), slog.String("stack", string(debug.Stack())))
	return ofReason(fault.ReasonInternal).GRPCStatus().Err()
}

// logUnary writes a line for each call: no body, filter, user or name.
func (s *Server) logUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	start := time.Now()
	answer, err := next(ctx, req)
	s.log(ctx, info.FullMethod, err, start)
	return answer, err
}

func (s *Server) logStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	start := time.Now()
	err := next(srv, stream)
	s.log(stream.Context(), info.FullMethod, err, start)
	return err
}

func (s *Server) log(ctx context.Context, method string, err error, start time.Time) {
	level := slog.LevelInfo
	if !isAPI(method) {
		level = slog.LevelDebug
	}
	if !s.cfg.Logger.Enabled(ctx, level) {
		return
	}
	st := status.Convert(err)
	s.cfg.Logger.LogAttrs(ctx, level, "call",
		slog.String("rpc", method), slog.String("code", st.Code().String()), slog.String("reason", fault.Reason(st)),
		slog.Duration("took", time.Since(start)), slog.String("request_id", infoOf(ctx).id))
}

// convert makes the error of the contract, and logs what only the operator may know of it.
func (s *Server) convert(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	st := toStatus(err)
	attrs := []slog.Attr{slog.String("rpc", method), slog.String("request_id", infoOf(ctx).id)}
	var graph *graphclient.Error
	switch {
	case errors.As(err, &graph) && graph.Kind != graphclient.KindCanceled:
		level := slog.LevelWarn
		if graph.Kind == graphclient.KindNotFound {
			level = slog.LevelDebug // an answer like others
		}
		s.cfg.Logger.LogAttrs(ctx, level, "graph failed", append(attrs, slog.Any("graph", graph))...)
	case st.Code() == codes.Internal:
		s.cfg.Logger.LogAttrs(ctx, slog.LevelError, "internal failure", append(attrs, slog.String("types", typesOf(err)))...)
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
