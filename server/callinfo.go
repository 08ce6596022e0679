package server

import (
	"context"
	"math/rand/v2"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/parley-gateway/parley/cache"
	"github.com/parley-gateway/parley/graphclient"
	"github.com/parley-gateway/parley/server/audit"
	"github.com/parley-gateway/parley/server/callers"
	"github.com/parley-gateway/parley/timeline"
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
	// callerID is the caller's stable name, by which the context of the call tells graphclient whose requests these are.
	callerID string
	// rpc is the method's name without its service.
	rpc string
	// tenant is the alias of the tenant that was read; set by the service.
	tenant string
	// granted is what the policy allowed, with the record of it; nil until it did. Set by the service.
	granted *grant
	// page is the answer of a List of events; set by the service.
	page *timeline.Page
	// cacheStatus and age tell where the answer came from; set by the freshness interceptor of unary calls.
	cacheStatus, age string
	// recorder notes what that is made of, where recording is set.
	recorder  cache.Recorder
	recording bool
	// Room for what every call needs once, so that it is allocated with the info.
	asked    asked
	grant    grant
	sources  [4]string
	told     [3]string
	record   audit.Call
	recorded bool // the record is begun
	deadline deadline
}

type callInfoKey struct{}

// callContext is the context of a call; it holds the call's info. The chain makes it for unary calls, requestID for streams.
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

// infoOf returns the call's info; outside of a call a fresh one.
func infoOf(ctx context.Context) *callInfo {
	if info, ok := ctx.Value(callInfoKey{}).(*callInfo); ok {
		return info
	}
	return &callInfo{}
}

// begin takes or makes the request id.
func (i *callInfo) begin(ctx context.Context, method string) {
	i.id, i.rpc = givenID(ctx), method[strings.LastIndexByte(method, '/')+1:]
	if i.id == "" {
		i.id = newID()
	}
}

// newID is 120 random bits in base32. They tell calls apart and keep no secret.
func newID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	var text [24]byte
	bits := rand.Uint64() //nolint:gosec // see above
	for i := range text {
		if i == 12 {
			bits = rand.Uint64() //nolint:gosec // see above
		}
		text[i] = letters[bits%32]
		bits >>= 5
	}
	return string(text[:])
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

// teller hands the headers of an answer to the door that the call came through.
type teller interface {
	// unary tells a call's headers when it has ended: at once where it ended well, with the status otherwise.
	unary(ctx context.Context, info *callInfo, ok bool) error
	// stream tells what is known of a stream before its first message.
	stream(stream grpc.ServerStream, info *callInfo) error
}

// requestID begins a call and ends it with the headers of its answer.
type requestID struct{ door teller }

func (r requestID) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	info := infoOf(ctx)
	info.begin(ctx, rpc.FullMethod)
	answer, err := next(ctx, req)
	if told := r.door.unary(ctx, info, err == nil); told != nil && err == nil {
		return nil, told
	}
	return answer, err
}

func (r requestID) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	call := &callContext{Context: stream.Context()}
	call.info.begin(call, rpc.FullMethod)
	if err := r.door.stream(stream, &call.info); err != nil {
		return err
	}
	return next(srv, &streamWith{stream, call})
}

// overGRPC tells headers as metadata.
type overGRPC struct{}

var _ teller = overGRPC{}

func (overGRPC) unary(ctx context.Context, info *callInfo, ok bool) error {
	// One array for all values.
	info.told = [3]string{info.id, info.cacheStatus, info.age}
	values := info.told[:]
	md := metadata.MD{headerRequestID: values[0:1:1]}
	if info.cacheStatus != "" {
		md[headerCacheStatus], md[headerAge] = values[1:2:2], values[2:3:3]
	}
	if ok {
		return grpc.SendHeader(ctx, md) // takes md as it is, SetHeader copies it
	}
	return grpc.SetHeader(ctx, md)
}

func (overGRPC) stream(stream grpc.ServerStream, info *callInfo) error {
	return stream.SetHeader(metadata.Pairs(headerRequestID, info.id))
}

// streamWith is a server stream under another context.
type streamWith struct {
	grpc.ServerStream

	ctx context.Context //nolint:containedctx // grpc.ServerStream carries its context
}

// Context returns the replaced context.
func (s *streamWith) Context() context.Context { return s.ctx }
