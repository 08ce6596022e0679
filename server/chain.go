package server

import (
	"context"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"

	validation "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/protovalidate"
)

// apiPrefix begins the methods of the API; health, reflection and channelz do not have it.
const apiPrefix = "/parley.v1."

func isAPI(method string) bool { return strings.HasPrefix(method, apiPrefix) }

// link is one interceptor in both forms.
type link struct {
	name   string
	unary  grpc.UnaryServerInterceptor
	stream grpc.StreamServerInterceptor
}

// chain is every interceptor from the outside in. The order matters: metrics and the log see the final status and the
// request id; a panic anywhere below is caught and counted; nobody's request is looked at before it is known who asks; and
// the record of a call ends with the status that its caller sees.
func (s *Server) chain(who *identity) ([]link, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	return []link{
		{"request id", requestIDUnary, requestIDStream},
		{"metrics", s.metricsUnary, s.metricsStream},
		{"recovery", s.recoverUnary, s.recoverStream},
		{"logging", s.logUnary, s.logStream},
		{"errors", s.errorsUnary, s.errorsStream},
		{"identity", who.unary, who.stream},
		{"audit", s.auditUnary, s.auditStream},
		{"deadline", s.deadlineUnary, passStream},
		{"limits", s.limits.unary, s.limits.stream},
		{"freshness", freshnessUnary, freshnessStream},
		{"validation", validation.UnaryServerInterceptor(validator), validation.StreamServerInterceptor(validator)},
	}, nil
}

// chained makes the server options of a chain.
func chained(links []link) []grpc.ServerOption {
	unary := make([]grpc.UnaryServerInterceptor, 0, len(links))
	stream := make([]grpc.StreamServerInterceptor, 0, len(links))
	for _, l := range links {
		unary = append(unary, l.unary)
		stream = append(stream, l.stream)
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary...), grpc.ChainStreamInterceptor(stream...)}
}

func passStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, stream)
}

// deadlineUnary gives a call without a deadline one, so that it answers with what it has.
func (s *Server) deadlineUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if _, ok := ctx.Deadline(); ok || !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallTime)
	defer cancel()
	return next(ctx, req)
}

// errorsUnary converts what the inner interceptors and the services return.
func (s *Server) errorsUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	if err != nil {
		return nil, s.convert(ctx, info.FullMethod, err)
	}
	return answer, nil
}

func (s *Server) errorsStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return s.convert(stream.Context(), info.FullMethod, next(srv, stream))
}
