package interceptor

import (
	"context"
	"encoding/hex"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-gateway/parley/internal/spans"
	"github.com/parley-gateway/parley/server/callinfo"
)

// Tracer begins spans, below the span of the caller where there is one.
type Tracer interface {
	spans.Tracer
	// Remote returns a context below a span of the caller's, which the caller has recorded or not.
	Remote(ctx context.Context, parent spans.Place, sampled bool) context.Context
	// Recorded reports whether the span of a context is recorded.
	Recorded(ctx context.Context) bool
}

// tracing makes the span of a call, below the caller's span, by whichever transport it comes. What the floors below do for a call that
// is recorded becomes spans below it.
type tracing struct{ tracer Tracer }

func (t tracing) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	below, span := t.begin(ctx, rpc.FullMethod)
	answer, err := next(below, req)
	end(ctx, span, err)
	return answer, err
}

func (t tracing) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	below, span := t.begin(stream.Context(), rpc.FullMethod)
	err := next(srv, &streamWith{stream, below})
	end(stream.Context(), span, err)
	return err
}

// begin begins the span of a call.
func (t tracing) begin(ctx context.Context, method string) (context.Context, *spans.Active) {
	info := callinfo.FromContext(ctx)
	if parent, sampled, ok := callinfo.Parent(ctx); ok {
		ctx = t.tracer.Remote(ctx, parent, sampled)
	}
	below, span := spans.Start(spans.NewContext(ctx, t.tracer), strings.TrimPrefix(method, "/"), spans.Server)
	if !t.tracer.Recorded(below) {
		span.End("")
		return ctx, nil // the floors below begin no spans
	}
	place := span.Place()
	info.TraceID, info.Traced = hex.EncodeToString(place.Trace[:]), true
	return below, span
}

// end ends the span of a call. Its attributes are the facts of the call's log line.
func end(ctx context.Context, span *spans.Active, err error) {
	if !span.Traced() {
		return
	}
	info, failed := callinfo.FromContext(ctx), ""
	code, reason := outcome(err)
	if code != codes.OK.String() {
		failed = code
	}
	span.Text("rpc.response.status_code", code)
	span.Text("parley.reason", reason)
	span.Text("parley.transport", info.Protocol)
	span.Text("parley.tenant", info.Tenant)
	span.Text("parley.request_id", info.ID)
	span.Number("parley.events", info.Rows)
	span.Number("parley.graph_requests", info.GraphRequests.Load())
	span.End(failed)
}
