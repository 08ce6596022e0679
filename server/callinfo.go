package server

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/inproc"
	"github.com/parley-gateway/parley/server/requestid"
)

// callInfo is what is known of one call: every fact of it that interceptors and services share. It is written by the goroutine
// that handles the call.
type callInfo struct {
	// id is the request id, the caller's or a new one; rpc the method's name without its service; door how the call came.
	id, rpc, door string
	// request is the call on its connection; nil where nothing bounds it.
	request *admission.Request
	// web is the REST request behind the call; nil for gRPC.
	web *inproc.Call

	// hold is what the call holds until its answer is out; nil where it holds nothing.
	hold *keeping
	// cut ends a stream over gRPC although it waits for its reader; nil = it cannot be cut.
	cut func(err error)
	// out lets a stream be ended for others; nil for unary calls.
	out *outside

	// caller is who asks, and callerID the caller's stable name, by which the context of the call tells graphclient whose
	// requests these are. Set by the identity interceptor.
	caller   *authn.Caller
	callerID string
	// tenant is the alias of the tenant that was read; set by the service.
	tenant string
	// granted is what the policy allowed; nil until it did. Set by the service.
	granted *accessGrant
	// record is the audit record of the call, where it is begun.
	record   audit.Call
	recorded bool
	// handed is what was handed out so far; set by the service.
	handed handed

	// recorder notes where the parts of the answer come from, where recording is set.
	recorder  cache.Recorder
	recording bool
	// cacheStatus and age tell where the answer came from; set by the freshness interceptor of unary calls.
	cacheStatus, age string

	// Room for what hold and granted point to, so that it is allocated with the info.
	ownHold keeping
	grant   accessGrant
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

// begin notes what the transport knows of the call. The request id is that of the HTTP request where there is one, else the
// caller's or a new one.
func (i *callInfo) begin(ctx context.Context, method, door string) {
	i.rpc, i.door = method[strings.LastIndexByte(method, '/')+1:], door
	i.request, i.web, i.hold = admission.RequestOf(ctx), inproc.FromContext(ctx), keepingOf(ctx)
	if i.id = requestid.FromContext(ctx); i.id == "" {
		i.id = requestid.Of(metadata.ValueFromIncomingContext(ctx, requestid.Header))
	}
}

// cutStream ends a stream although it waits for its reader; err is what the reader is told then.
func (i *callInfo) cutStream(err error) {
	switch {
	case i.cut != nil:
		i.cut(err)
	case i.web != nil && i.web.Cut != nil:
		i.web.Cut()
	}
}

// header returns the first value of a request header, or "".
func header(ctx context.Context, name string) string {
	if values := metadata.ValueFromIncomingContext(ctx, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// calling makes the record of a call that all others write to.
type calling struct{ door string }

func (c calling) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	call := &callContext{Context: ctx}
	call.info.begin(ctx, rpc.FullMethod, c.door)
	return next(call, req)
}

func (c calling) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	call := &callContext{Context: stream.Context()}
	call.info.begin(stream.Context(), rpc.FullMethod, c.door)
	return next(srv, &streamWith{stream, call})
}

// headerWriter writes the headers of an answer: the request id, and where the answer came from.
type headerWriter struct{}

// unary hands the headers to the transport: at once where the call ended well, with the status otherwise.
func (headerWriter) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	answer, err := next(ctx, req)
	info := infoOf(ctx)
	md := metadata.MD{requestid.Header: {info.id}}
	if info.cacheStatus != "" {
		md[headerCacheStatus], md[headerAge] = []string{info.cacheStatus}, []string{info.age}
	}
	if err != nil {
		_ = grpc.SetHeader(ctx, md) // the transport is gone if this fails
		return nil, err
	}
	if err := grpc.SendHeader(ctx, md); err != nil { // takes md as it is, SetHeader copies it
		return nil, err
	}
	return answer, nil
}

func (headerWriter) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := stream.SetHeader(metadata.Pairs(requestid.Header, infoOf(stream.Context()).id)); err != nil {
		return err
	}
	return next(srv, stream)
}

// streamWith is a server stream under another context.
type streamWith struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream carries its context
}

// Context returns the replaced context.
func (s *streamWith) Context() context.Context { return s.ctx }
