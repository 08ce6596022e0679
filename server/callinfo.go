package server

import (
	"context"
	"crypto/rand"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/server/callers"
)

const (
	headerRequestID = "x-request-id"
	maxRequestID    = 128
)

// callInfo is what one call learns about itself. It is written by the goroutine that handles the call.
type callInfo struct {
	// id is the request id, the caller's or a new one.
	id string
	// door is how the call came, and caller who asks; set by the identity interceptor.
	door   string
	caller *callers.Caller
	// rpc is the method's name without its service.
	rpc string
	// tenant is the alias of the tenant that was read; set by the service.
	tenant string
	// granted is what the policy allowed, with the record of it; nil until it did. Set by the service.
	granted *grant
}

type callInfoKey struct{}

// infoOf returns the call's info; outside of a call a fresh one.
func infoOf(ctx context.Context) *callInfo {
	if info, ok := ctx.Value(callInfoKey{}).(*callInfo); ok {
		return info
	}
	return &callInfo{}
}

// withInfo begins a call: it takes or makes the request id and returns the header that tells it.
func withInfo(ctx context.Context, method string) (context.Context, metadata.MD) {
	info := &callInfo{id: givenID(ctx), rpc: method[strings.LastIndexByte(method, '/')+1:]}
	if info.id == "" {
		info.id = rand.Text()
	}
	return context.WithValue(ctx, callInfoKey{}, info), metadata.Pairs(headerRequestID, info.id)
}

// givenID is the request id that the caller sent, if it is a plain word.
func givenID(ctx context.Context) string {
	id := header(ctx, headerRequestID)
	if id == "" || len(id) > maxRequestID {
		return ""
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return id
}

// header returns the first value of a request header, or "".
func header(ctx context.Context, name string) string {
	if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

func requestIDUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	ctx, md := withInfo(ctx, info.FullMethod)
	if err := grpc.SetHeader(ctx, md); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func requestIDStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	ctx, md := withInfo(stream.Context(), info.FullMethod)
	if err := stream.SetHeader(md); err != nil {
		return err
	}
	return next(srv, &streamWith{stream, ctx})
}

// streamWith is a server stream under another context.
type streamWith struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream carries its context
}

// Context returns the replaced context.
func (s *streamWith) Context() context.Context { return s.ctx }
