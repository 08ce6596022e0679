package server

import (
	"context"
	"strings"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/rest"

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
func (s *Server) chain(who *identity, door teller) (chain, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	id := requestID{door}
	return chain{
		{"request id", id.unary, id.stream},
		{"metrics", s.metricsUnary, s.metricsStream},
		{"recovery", s.recoverUnary, s.recoverStream},
		{"logging", s.logUnary, s.logStream},
		{"errors", s.errorsUnary, s.errorsStream},
		{"identity", who.unary, who.stream},
		{"audit", s.auditUnary, s.auditStream},
		{"deadline", s.deadlineUnary, passStream},
		{"limits", s.limits.unary, s.limits.stream},
		{"freshness", freshnessUnary, freshnessStream},
		{"validation", onceValid(validation.UnaryServerInterceptor(validator)), validation.StreamServerInterceptor(validator)},
	}, nil
}

// onceValid validates the request of a URL over REST once: it is the same message for each call. A List of events that
// surely keeps the rules is not validated at all.
func onceValid(validate grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if list, ok := req.(*parleyv1.ListEventsRequest); ok && surelyValid(list) {
			return next(ctx, req)
		}
		call, ok := ctx.Value(callOverRESTKey{}).(*rest.Call)
		if !ok || call.Valid == nil {
			return validate(ctx, req, info, next)
		}
		if call.Valid.Load() {
			return next(ctx, req)
		}
		return validate(ctx, req, info, func(ctx context.Context, req any) (any, error) {
			call.Valid.Store(true)
			return next(ctx, req)
		})
	}
}

// chain is the interceptors from the outside in. It runs them itself, which costs less than grpc's own chaining and is the
// same for both doors.
type chain []link

// unary is the chain as one interceptor. A List of events is answered with its page, which the codec and the REST face know.
func (c chain) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	run, ok := runs.Get().(*unaryRun)
	if !ok {
		run = &unaryRun{}
		run.next = run.step
	}
	run.links, run.info, run.handler = c, info, handler
	call := &callContext{Context: ctx}
	answer, err := run.step(call, req)
	run.links, run.info, run.handler = nil, nil, nil
	runs.Put(run)
	if page := call.info.page; page != nil && err == nil && answer == any(page.Message) {
		return page, nil
	}
	return answer, err
}

// runs are those of calls that have ended. One whose call panicked is not among them.
var runs sync.Pool

// unaryRun is one call on its way in. Every link calls what follows at most once, so a place in the chain is enough.
type unaryRun struct {
	links   chain // those that follow
	info    *grpc.UnaryServerInfo
	handler grpc.UnaryHandler
	next    grpc.UnaryHandler
}

func (r *unaryRun) step(ctx context.Context, req any) (any, error) {
	if len(r.links) == 0 {
		return r.handler(ctx, req)
	}
	first := &r.links[0]
	r.links = r.links[1:]
	return first.unary(ctx, req, r.info, r.next)
}

// stream is the chain as one interceptor.
func (c chain) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if len(c) == 0 {
		return handler(srv, stream)
	}
	return c[0].stream(srv, stream, info, func(srv any, stream grpc.ServerStream) error {
		return c[1:].stream(srv, stream, info, handler)
	})
}

// options makes the server options of a chain.
func (c chain) options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.UnaryInterceptor(c.unary), grpc.StreamInterceptor(c.stream)}
}

func passStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, stream)
}

// deadlineUnary gives a call without a deadline one, so that it answers with what it has.
func (s *Server) deadlineUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if _, ok := ctx.Deadline(); ok || !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	bound := &infoOf(ctx).deadline
	bound.Context, bound.at = ctx, time.Now().Add(s.cfg.CallTime)
	defer bound.end()
	return next(bound, req)
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
