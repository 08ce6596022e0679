package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/fault"
)

// call is one open server stream and its messages, read one at a time.
type call struct {
	grpc.ClientStream

	answer protoreflect.MessageType
	raw    *rawFrame // of a stream of events; nil for others
}

// open sends the request of a stream route; change may alter it before. The stream ends when ctx does.
func (h *Handler) open(
	ctx context.Context, conn *grpc.ClientConn, rt *route, r *http.Request, params map[string]string, change func(proto.Message),
) (*call, error) {
	ctx, err := runtime.AnnotateContext(ctx, h.mux, r, rt.method, runtime.WithHTTPPathPattern(rt.pattern))
	if err != nil {
		return nil, errTimeout()
	}
	values, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	request := rt.request.New().Interface()
	if err := runtime.PopulateQueryParameters(request, values, utilities.NewDoubleArray(nil)); err != nil {
		return nil, fault.Invalid("query", "a query parameter cannot be read")
	}
	for name, value := range params {
		if err := runtime.PopulateFieldFromPath(request, name, value); err != nil {
			return nil, fault.Invalid(name, "cannot be read from the path")
		}
	}
	if change != nil {
		change(request)
	}
	var raw *rawFrame
	var options []grpc.CallOption
	if rt.answer.Descriptor() == (*parleyv1.StreamEventsResponse)(nil).ProtoReflect().Descriptor() {
		raw, options = &rawFrame{}, []grpc.CallOption{grpc.ForceCodecV2(newRawCodec())}
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, rt.method, options...)
	if err != nil {
		return nil, err
	}
	if err := stream.SendMsg(request); err != nil {
		// io.EOF here: the reason comes with the first Recv.
		return &call{ClientStream: stream, answer: rt.answer, raw: raw}, nil //nolint:nilerr // see above
	}
	if err := stream.CloseSend(); err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	return &call{ClientStream: stream, answer: rt.answer, raw: raw}, nil
}

// nextFrame returns the next frame; io.EOF ends the stream well.
func (c *call) nextFrame() (frame, error) {
	if c.raw != nil {
		return c.nextRaw()
	}
	message, err := c.next()
	if err != nil {
		return frame{}, err
	}
	return readFrame(message), nil
}

// next returns the next message; io.EOF ends the stream well.
func (c *call) next() (proto.Message, error) {
	message := c.answer.New().Interface()
	if err := c.RecvMsg(message); err != nil {
		return nil, err
	}
	return message, nil
}

// headers copies the answer's metadata into the HTTP headers. Call it after the first next.
func (c *call) headers(header http.Header) {
	if md, err := c.Header(); err == nil {
		setAnswerHeaders(header, md)
	}
}
