package server

import (
	"context"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/rest"

	validation "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/protovalidate"
)

// apiPrefix begins the methods of the API; health, reflection and channelz do not have it.
const apiPrefix = "/parley.v1."

func isAPI(method string) bool { return strings.HasPrefix(method, apiPrefix) }

// link is one interceptor in both forms; nil = none of that form.
type link struct {
	name   string
	unary  grpc.UnaryServerInterceptor
	stream grpc.StreamServerInterceptor
}

// chain is the interceptors of a door, the outermost first.
type chain []link

// chain lists every interceptor in the order in which a call meets them. Both doors have the same ones, but for what HTTP
// alone can ask. The order matters:
//
//  1. Call makes the record of the call that all others read and write.
//  2. Arrival notes that the call's message is there, and its end (gRPC alone; HTTP has nothing to wait for).
//  3. Places holds what the call keeps until the last byte of its answer is out, and lets streams be ended that wait for their
//     reader.
//  4. Answer headers writes the request id, and where the answer came from.
//  5. Metrics and the log see the status that the caller sees. Between them, recovery turns a panic anywhere below into
//     INTERNAL, which is counted; the log line of such a call is the panic's.
//  6. Errors converts what comes from below into the errors of the contract; nothing above it converts.
//  7. Request headers refuses odd headers before anybody reads one of them.
//  8. Identity finds out who calls. No request is looked at, and nothing is recorded, before that.
//  9. Audit ends the record of the call with what its caller gets. It stands above everything that can refuse a known caller.
//  10. Recheck asks before each part of a stream whether its caller may still have it. What it refuses is on record.
//  11. Deadline gives a call without a deadline its own and cuts those that are too far, so that waiting for a place counts.
//  12. Limits takes a place, within the share of the caller.
//  13. Freshness reads cache-control and notes where the answer comes from.
//  14. Validation holds the request against the rules of its proto.
//  15. Conditional compares an answer with what the caller has (REST alone). It stands below audit, which records that nothing
//     was handed out.
func (s *Server) chain(door string) (chain, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return nil, err
	}
	cfg := &s.cfg
	failures := conversion{cfg.Logger}
	hold := places{stall: cfg.StreamStall, handlers: &s.handlers, failures: failures}
	counts, panics, log := counting{cfg.Metrics}, recovery{cfg.Logger}, logging{cfg.Logger}
	who := &identity{auth: authenticator(cfg), rates: s.rates, logger: cfg.Logger}
	links := chain{{"call", calling{door}.unary, calling{door}.stream}}
	if door == doorGRPC {
		links = append(links, link{"arrival", arrival{}.unary, arrival{}.stream})
	}
	links = append(links, chain{
		{"places", hold.unary, hold.stream},
		{"answer headers", headerWriter{}.unary, headerWriter{}.stream},
		{"metrics", counts.unary, counts.stream},
		{"recovery", panics.unary, panics.stream},
		{"logging", log.unary, log.stream},
		{"errors", failures.unary, failures.stream},
		{"request headers", headerCheck{}.unary, headerCheck{}.stream},
		{"identity", who.unary, who.stream},
		{"audit", auditing{}.unary, auditing{}.stream},
		{"recheck", nil, recheck{cfg.Policy, cfg.Now}.stream},
		{"deadline", deadline{cfg.CallTime, cfg.MaxDeadline}.unary, nil},
		{"limits", s.limits.unary, s.limits.stream},
		{"freshness", freshness{}.unary, freshness{}.stream},
		{"validation", validation.UnaryServerInterceptor(validator), validation.StreamServerInterceptor(validator)},
	}...)
	if door == doorREST {
		links = append(links, link{"conditional", rest.Conditional, nil})
	}
	return links, nil
}

func (c chain) unary() (list []grpc.UnaryServerInterceptor) {
	for _, l := range c {
		if l.unary != nil {
			list = append(list, l.unary)
		}
	}
	return list
}

func (c chain) stream() (list []grpc.StreamServerInterceptor) {
	for _, l := range c {
		if l.stream != nil {
			list = append(list, l.stream)
		}
	}
	return list
}

// deadline gives a call without a deadline one, so that it answers with what it has, and cuts a deadline that is too far.
type deadline struct{ usual, most time.Duration }

func (d deadline) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	left := d.usual
	if end, ok := ctx.Deadline(); ok {
		if left = d.most; time.Until(end) <= left {
			return next(ctx, req)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return next(ctx, req)
}
