package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gatewayv1 "github.com/parley-gateway/parley/gen/gateway/parley/v1"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// newMux returns the mux with the generated handlers of all services. The mux tries the routes that were registered last first, so
// the busiest service is the last one.
func (h *Handler) newMux() (*runtime.ServeMux, error) {
	conn := h.conn
	mux := runtime.NewServeMux(
		runtime.WithMiddlewares(h.checkRequest),
		// The clean request has no headers. Those that the services read come from the call.
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(func(ctx context.Context, _ *http.Request) metadata.MD { return callOf(ctx).headers }),
		runtime.WithOutgoingHeaderMatcher(outgoing),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		// Paths come decoded, and are not decoded again.
		runtime.WithUnescapingMode(runtime.UnescapingModeLegacy),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableChunkedEncoding(), // net/http knows when it is needed
		runtime.WithWriteContentLength(),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler{}),
		runtime.WithMarshalerOption(sseType, marshaler{sse: true}),
		runtime.WithForwardResponseOption(setHeaders),
		runtime.WithForwardResponseRewriter(rewrite),
		runtime.WithErrorHandler(h.handleError),
		runtime.WithStreamErrorHandler(handleStreamError),
		runtime.WithRoutingErrorHandler(handleRoutingError),
	)
	ctx := context.Background() // the handlers do not keep it
	for _, err := range []error{
		gatewayv1.RegisterUserServiceHandlerClient(ctx, mux, parleyv1.NewUserServiceClient(conn)),
		gatewayv1.RegisterCopilotUsageServiceHandlerClient(ctx, mux, parleyv1.NewCopilotUsageServiceClient(conn)),
		gatewayv1.RegisterConversationServiceHandlerClient(ctx, mux, parleyv1.NewConversationServiceClient(conn)),
		gatewayv1.RegisterEventServiceHandlerClient(ctx, mux, parleyv1.NewEventServiceClient(conn)),
	} {
		if err != nil {
			return nil, err
		}
	}
	return mux, nil
}

// outgoing names the headers of an answer that come from its metadata. Middleware sets the request id.
func outgoing(key string) (string, bool) {
	switch key {
	case "cache-status":
		return "Cache-Status", true
	case "age":
		return "Age", true
	default:
		return "", false
	}
}

// setHeaders sets the headers of an answer before its body. The mux calls it with a nil message when a stream begins, with a message for
// each frame, and with the message of any other answer. An answer that the client has already ends here, with 304.
func setHeaders(ctx context.Context, w http.ResponseWriter, message proto.Message) error {
	c := callOf(ctx)
	switch {
	case message == nil:
		c.setStreamHeaders(w)
	case !c.method.stream:
		c.setMessageHeaders(w)
	}
	return nil
}

func (c *call) setMessageHeaders(w http.ResponseWriter) {
	header := w.Header()
	if c.tag != "" {
		header["Etag"], header["Cache-Control"] = []string{c.tag}, valueRevalidate
	}
	// Who asks, and of which tenant, decides what the answer is.
	header["Vary"] = append(slices.Clip(header["Vary"]), valueVary...)
	boundWrite(w)
	if c.http.Unchanged {
		header.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
	}
}

func (c *call) setStreamHeaders(w http.ResponseWriter) {
	unboundWrite(w)
	header := w.Header()
	header.Set("X-Accel-Buffering", "no")
	if c.method.download {
		header["Content-Security-Policy"] = valueSandbox
		return // the first chunk decides about the rest
	}
	header.Add("Vary", "Accept-Encoding")
	if c.gzip {
		c.out.startGzip()
	}
}

// rewrite gives the marshaler the call, which holds the answer of the service, in place of the reply of the generated handler. The bytes of
// a download are written as they are.
func rewrite(ctx context.Context, _ proto.Message) (any, error) {
	c := callOf(ctx)
	if body, ok := c.rpc.Answer.(*httpbody.HttpBody); ok {
		if !c.out.headersSent {
			c.out.Header().Set("Content-Disposition", disposition(body.GetContentType(), c.rpc.Request))
		}
		return body, nil
	}
	return c, nil
}

// handleError answers a call that failed before any part of its answer was written. One that failed before its method was called, since
// its request cannot be read, passes the interceptors first.
func (h *Handler) handleError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	c := callOf(ctx)
	if c.rpc.Request == nil {
		err = h.refusal(c, err)
	}
	c.out.undoGzip()
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for key, values := range md.HeaderMD {
			if name, ok := outgoing(key); ok {
				w.Header()[name] = values
			}
		}
	}
	st := c.status(err)
	if c.isReconnecting(st) {
		c.refuseAsStream(st)
		return
	}
	writeStatus(w, st)
}

// refusal returns the error of a request that cannot be read. It calls the method with an empty request all the same, so that the
// interceptors find out the caller first: the error is theirs about the caller, or the problem.
func (h *Handler) refusal(c *call, problem error) error {
	c.http.Unreadable = problem
	err := h.invokeEmpty(c.outgoing(), c.method)
	if err == nil {
		return errInternal()
	}
	return err
}

// invokeEmpty calls a method with an empty request, and returns the error that precedes its first message.
func (h *Handler) invokeEmpty(ctx context.Context, m *method) error {
	if !m.stream {
		return h.conn.Invoke(ctx, m.name, m.empty, nil)
	}
	stream, err := h.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, m.name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(m.empty); err != nil {
		return err
	}
	_, err = stream.Header()
	return err
}

// isReconnecting reports whether the call is an EventSource's that comes back, and that is to try again later. An EventSource that is
// answered with an error status gives up for good, and tells its page neither the status nor the body.
func (c *call) isReconnecting(st *status.Status) bool {
	_, again := apierror.Retry(st)
	return again && c.http.Reconnect && (st.Code() == codes.Unavailable || st.Code() == codes.ResourceExhausted)
}

// refuseAsStream answers with a stream of nothing but the error. The client keeps the id that it
// has, and comes back after the wait.
func (c *call) refuseAsStream(st *status.Status) {
	header := c.out.Header()
	header.Set("Content-Type", sseType)
	header.Set("X-Accel-Buffering", "no")
	boundWrite(&c.out)
	c.out.WriteHeader(http.StatusOK)
	_, _ = c.out.Write(marshaler{sse: true}.errorLine(st)) // the client is gone if this fails
}

// status returns the error of a call, with the names of fields as the client sent them.
func (c *call) status(err error) *status.Status {
	return apierror.Renamed(apierror.Complete(status.Convert(err)), c.clientName)
}

// clientName returns the name by which the client gave a field of the request; its own where it did not.
func (c *call) clientName(field string) string {
	if name := c.clientNames[protoreflect.Name(field)]; name != "" {
		return name
	}
	return field
}

// handleStreamError returns the error that ends a stream after its first frame. A download breaks the connection instead, so that
// nobody takes a part for the whole.
func handleStreamError(ctx context.Context, err error) *status.Status {
	c := callOf(ctx)
	if c.method.download {
		c.logger.WarnContext(ctx, "a download broke off")
		panic(http.ErrAbortHandler) //nolint:forbidigo // net/http's way to break a connection
	}
	return apierror.WithResumeToken(c.status(err), c.lines.token)
}

// handleRoutingError answers for a path that no method has.
func handleRoutingError(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, _ int) {
	if c := callOf(ctx); !c.reads() {
		writeError(w, errMethod())
		return
	}
	writeError(w, errPath())
}
