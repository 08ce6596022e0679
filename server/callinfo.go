package server

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/requestid"
)

// callInfo is what one call learns about itself. It is written by the goroutine that handles the call.
type callInfo struct {
	// id is the request id, the caller's or a new one.
	id string
	// door is how the call came, and caller who asks; set by the identity interceptor.
	door   string
	caller *authn.Caller
	// callerID is the caller's stable name, by which the context of the call tells graphclient whose requests these are.
	callerID string
	// rpc is the method's name without its service.
	rpc string
	// tenant is the alias of the tenant that was read; set by the service.
	tenant string
	// granted is what the policy allowed, with the record of it; nil until it did. Set by the service.
	granted *accessGrant
	// handed is what was handed out so far; set by the service.
	handed handed
	// cacheStatus and age tell where the answer came from; set by the freshness interceptor of unary calls.
	cacheStatus, age string
	// recorder notes what that is made of, where recording is set.
	recorder  cache.Recorder
	recording bool
	// Room for what every call needs once, so that it is allocated with the info.
	grant    accessGrant
	record   audit.Call
	recorded bool // the record is begun
}

// handed is what a call has handed out. It is written by the goroutine that sends.
type handed struct {
	events   int64 // or conversations, rows, users
	bytes    int64 // of a download
	complete *bool // what the answer says of itself: nil = nothing, else &whole
	whole    bool
}

// list notes the answer of a List.
func (h *handed) list(rows int, complete bool) {
	h.events += int64(rows)
	h.setComplete(complete)
}

// setComplete notes what the answer says of itself.
func (h *handed) setComplete(complete bool) { h.whole, h.complete = complete, &h.whole }

type callInfoKey struct{}

// callContext is the context of a call; it holds the call's info.
type callContext struct {
	context.Context //nolint:containedctx // it is one itself

	info callInfo
}

// Value implements context.Context.
func (c *callContext) Value(key any) any {
	switch key.(type) {
	case callInfoKey:
		return &c.info
	case cache.RecorderKey:
		if c.info.recording {
			return &c.info.recorder
		}
	case graphclient.CallerKey:
		if c.info.callerID != "" {
			return &c.info.callerID
		}
	}
	return c.Context.Value(key)
}

// infoOf returns the call's info; outside of a call a fresh one, which knows of the HTTP request at most.
func infoOf(ctx context.Context) *callInfo {
	if info, ok := ctx.Value(callInfoKey{}).(*callInfo); ok {
		return info
	}
	return &callInfo{id: requestid.FromContext(ctx)}
}

// begin takes or makes the request id: that of the HTTP request where there is one, else the caller's or a new one.
func (i *callInfo) begin(ctx context.Context, method string) {
	i.rpc = method[strings.LastIndexByte(method, '/')+1:]
	if i.id = requestid.FromContext(ctx); i.id == "" {
		i.id = requestid.Of(metadata.ValueFromIncomingContext(ctx, requestid.Header))
	}
}

// header returns the first value of a request header, or "".
func header(ctx context.Context, name string) string {
	if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// requestIDUnary begins a call and ends it with the headers of its answer.
func requestIDUnary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	call := &callContext{Context: ctx}
	call.info.begin(call, rpc.FullMethod)
	answer, err := next(call, req)
	if told := call.info.tell(ctx, err == nil); told != nil && err == nil {
		return nil, told
	}
	return answer, err
}

func requestIDStream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	call := &callContext{Context: stream.Context()}
	call.info.begin(call, rpc.FullMethod)
	if err := stream.SetHeader(metadata.Pairs(requestid.Header, call.info.id)); err != nil {
		return err
	}
	return next(srv, &streamWith{stream, call})
}

// tell hands the headers of an answer to the transport: at once where the call ended well, with the status otherwise.
func (i *callInfo) tell(ctx context.Context, ok bool) error {
	md := metadata.MD{requestid.Header: {i.id}}
	if i.cacheStatus != "" {
		md[headerCacheStatus], md[headerAge] = []string{i.cacheStatus}, []string{i.age}
	}
	if ok {
		return grpc.SendHeader(ctx, md) // takes md as it is, SetHeader copies it
	}
	return grpc.SetHeader(ctx, md)
}

// streamWith is a server stream under another context.
type streamWith struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream carries its context
}

// Context returns the replaced context.
func (s *streamWith) Context() context.Context { return s.ctx }
