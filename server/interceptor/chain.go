// Package interceptor holds the interceptors between a protocol and the services, one a file, each with its own dependencies. Chain
// lists their order. A call comes with its metadata and its decoded request, from grpc-go or from package inproc; the answer or the
// frames of the service go back through the same interceptors, and errors leave as errors of the contract. The interceptors find out who
// calls, bound what a call takes and record it; package service decides what the caller may read. All of them share one callinfo.Info.
package interceptor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/authz"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/metrics"

	validation "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/protovalidate"
)

// Config has the dependencies of the interceptors of a server.
type Config struct {
	// Authenticator finds out who calls, Rates bounds how often each caller begins a call, and Policy is asked again while
	// streams run.
	Authenticator authn.Authenticator
	Rates         *admission.Rates
	Policy        authz.PolicySource
	// Audit records who reads what; nil = nothing is recorded.
	Audit *audit.Log
	// Limits bounds the calls and streams that run at one time. All protocols share it.
	Limits  *Limits
	Metrics *metrics.Metrics
	// Tracer traces calls; nil = nobody does.
	Tracer Tracer
	Logger *slog.Logger
	Now    func() time.Time
	// CallTime is the time of a unary call without a deadline, MaxDeadline the longest time of any other unary call.
	CallTime, MaxDeadline time.Duration
	// StreamStall is how long a client may take nothing of an answer.
	StreamStall time.Duration
	// Handlers counts the goroutines on which streams over gRPC run.
	Handlers *sync.WaitGroup
	// Conditional compares answers over REST with the copy that their client has.
	Conditional grpc.UnaryServerInterceptor
}

// Interceptor is one interceptor in both forms; nil = none of that form.
type Interceptor struct {
	Name   string
	Unary  grpc.UnaryServerInterceptor
	Stream grpc.StreamServerInterceptor
}

// List is the interceptors of a protocol, the outermost first.
type List []Interceptor

// requestRules is the validator of requests. All chains share it: it compiles the rules of a message once, when it first meets one.
var requestRules = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// Chain lists the interceptors of a protocol in the order in which a call meets them. Both protocols have the same ones, but for
// those that only one of them needs. The order matters:
//
//  1. Call puts a callinfo.Info into the context, which all other interceptors read and write.
//  2. Arrival notes that the call's message is there, and its end (gRPC alone; HTTP has nothing to wait for).
//  3. Hold begins the hold of a call, which lasts until the last byte of its answer is out, and lets streams over gRPC be ended that
//     wait for their client. A stream over REST has none: its answer is out when its handler returns. Below it trace, where calls are
//     traced, begins the span of the call: the handler of a stream that hold aborts runs on for a moment, and so does its span.
//  4. Answer headers writes the request id and, of unary calls, where the answer came from.
//  5. Metrics and the log see the status that the caller sees. Between them, recovery turns a panic anywhere below into
//     INTERNAL, which is counted; the log line of such a call is the panic's.
//  6. Errors converts what comes from below into the errors of the contract. Above it only recovery makes one, of a panic, and hold, of a
//     stream that it aborts.
//  7. Request headers refuses headers that are doubled or not printable. Before it, only the request id and the traceparent are read, and
//     one that is not of its form is ignored.
//  8. Identity finds out who calls, and refuses a caller who begins too many calls (CALLER_LIMIT), which is not audited. No request is
//     looked at before that.
//  9. Audit opens the audit record of the call, into which the service writes what it is about to read, and ends it with the outcome. It
//     stands above everything else that can refuse a known caller.
//  10. Reading ends a call whose request cannot be read (REST alone). Its caller is known, counted and logged by then.
//  11. Recheck authorizes the caller again before each part of a stream. It stands below audit, which records its refusals.
//  12. Deadline gives a unary call without a deadline one, and caps longer ones. Streams pass. It stands above limits, so that waiting
//     for a place counts.
//  13. Limits takes a place, within the share of the caller. Streams of health and reflection have limits of their own (health and
//     reflection limits).
//  14. Freshness reads cache-control and notes where the answer comes from.
//  15. Validation checks the request against the rules in its proto. The service then authorizes the call.
//  16. Conditional compares an answer with what the caller has (REST alone). It stands below audit, which records that nothing
//     was handed out.
//  17. Selection leaves out of an answer the fields that the caller does not select. It stands below conditional, so that the entity tag
//     is that of the answer as it goes out.
func Chain(cfg *Config, protocol string) (List, error) {
	validator, err := requestRules()
	if err != nil {
		return nil, err
	}
	begin, headers := call{protocol}, answerHeaders{}
	counts, panics, log, converter := counting{cfg.Metrics}, recovery{cfg.Logger}, logging{cfg.Logger}, errorConverter{cfg.Logger}
	hold := holding{stall: cfg.StreamStall, handlers: cfg.Handlers, errors: converter}
	record := auditing{cfg.Audit, cfg.Metrics}
	who := &identity{auth: cfg.Authenticator, rates: cfg.Rates, logger: cfg.Logger}
	list := List{{"call", begin.unary, begin.stream}}
	if protocol == callinfo.GRPC {
		list = append(list, Interceptor{"arrival", arrival{}.unary, arrival{}.stream})
	}
	list = append(list, ofAPI("hold", hold.unary, hold.stream))
	if cfg.Tracer != nil {
		list = append(list, ofAPI("trace", tracing{cfg.Tracer}.unary, tracing{cfg.Tracer}.stream))
	}
	list = append(list, List{
		{"answer headers", headers.unary, headers.stream},
		{"metrics", counts.unary, counts.stream},
		{"recovery", panics.unary, panics.stream},
		{"logging", log.unary, log.stream},
		{"errors", converter.unary, converter.stream},
		check("request headers", checkHeaders),
		check("identity", who.identify),
		ofAPI("audit", record.unary, record.stream),
	}...)
	if protocol == callinfo.REST {
		list = append(list, check("reading", refuseUnreadable))
	}
	list = append(list, List{
		ofAPI("recheck", nil, recheck{cfg.Policy, cfg.Now}.stream),
		ofAPI("deadline", deadline{cfg.CallTime, cfg.MaxDeadline}.unary, nil),
		ofAPI("limits", cfg.Limits.unary, cfg.Limits.stream),
		{"health and reflection limits", nil, cfg.Limits.healthAndReflection},
		ofAPI("freshness", freshness{}.unary, freshness{}.stream),
		{"validation", validation.UnaryServerInterceptor(validator), validation.StreamServerInterceptor(validator)},
	}...)
	if protocol == callinfo.REST {
		list = append(list, Interceptor{"conditional", cfg.Conditional, nil})
	}
	return append(list, ofAPI("selection", selection{}.unary, selection{}.stream)), nil
}

// ofAPI is an interceptor of the methods of the API alone. Health and reflection pass it.
func ofAPI(name string, unary grpc.UnaryServerInterceptor, stream grpc.StreamServerInterceptor) Interceptor {
	i := Interceptor{Name: name}
	if unary != nil {
		i.Unary = func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if !callinfo.IsAPI(info.FullMethod) {
				return next(ctx, req)
			}
			return unary(ctx, req, info, next)
		}
	}
	if stream != nil {
		i.Stream = func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			if !callinfo.IsAPI(info.FullMethod) {
				return next(srv, ss)
			}
			return stream(srv, ss, info, next)
		}
	}
	return i
}

// check is an interceptor that refuses calls of the API before anything below it sees them.
func check(name string, refuse func(ctx context.Context) error) Interceptor {
	return ofAPI(name, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if err := refuse(ctx); err != nil {
			return nil, err
		}
		return next(ctx, req)
	}, func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if err := refuse(stream.Context()); err != nil {
			return err
		}
		return next(srv, stream)
	})
}

// Unary returns the interceptors of unary calls.
func (l List) Unary() (all []grpc.UnaryServerInterceptor) {
	for _, i := range l {
		if i.Unary != nil {
			all = append(all, i.Unary)
		}
	}
	return all
}

// Stream returns the interceptors of streams.
func (l List) Stream() (all []grpc.StreamServerInterceptor) {
	for _, i := range l {
		if i.Stream != nil {
			all = append(all, i.Stream)
		}
	}
	return all
}

// streamWith is a server stream under another context.
type streamWith struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream carries its context
}

// Context returns the replaced context.
func (s *streamWith) Context() context.Context { return s.ctx }
