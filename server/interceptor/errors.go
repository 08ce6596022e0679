package interceptor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/graphclient/graph"
	"github.com/parley-gateway/parley/server/apierror"
)

// errorConverter converts errors from below it into errors of the contract, and logs the details that only the operator may know.
type errorConverter struct{ logger *slog.Logger }

func (c errorConverter) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	if err != nil {
		return nil, c.convert(ctx, info.FullMethod, err)
	}
	return answer, nil
}

func (c errorConverter) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return c.convert(stream.Context(), info.FullMethod, next(srv, stream))
}

// convert returns the error of the contract for a failure of a method; nil stays nil.
func (c errorConverter) convert(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	st := apierror.FromError(err)
	attrs := []slog.Attr{slog.String("rpc", method)}
	var graphErr *graph.Error
	switch {
	case errors.As(err, &graphErr) && graphErr.Kind != graph.KindCanceled:
		level := slog.LevelWarn
		if expected(graphErr.Kind) {
			level = slog.LevelDebug // an answer like others
		}
		c.logger.LogAttrs(ctx, level, "graph failed", append(attrs, slog.Any("graph", graphErr))...)
	case st.Code() == codes.Internal:
		c.logger.LogAttrs(ctx, slog.LevelError, "internal failure", append(attrs, slog.String("types", typesOf(err)))...)
	}
	return st.Err()
}

// expected reports whether an error of Graph is about what was asked for, and no trouble of the gateway or of the tenant: a thing that is
// not there, a user without a licence or right, a caller's day that is used up.
func expected(kind graph.Kind) bool {
	switch kind {
	case graph.KindNotFound, graph.KindGone, graph.KindUserNotLicensed, graph.KindUserRefused, graph.KindUserRole, graph.KindAccessDenied,
		graph.KindCallerLimit, graph.KindSignIn:
		return true
	default:
		return false
	}
}

// typesOf names the types of an error and its causes. Texts of unknown errors may quote content and are not logged.
func typesOf(err error) string {
	var types []string
	for ; err != nil; err = errors.Unwrap(err) {
		types = append(types, fmt.Sprintf("%T", err))
	}
	return strings.Join(types, " ")
}
