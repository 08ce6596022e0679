package interceptor

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/parley-gateway/parley/server/callinfo"
)

// holding begins the hold of a call, which lasts until the last byte of its answer is out, and lets streams be ended that wait for their
// client.
type holding struct {
	stall    time.Duration   // that a client may take nothing
	handlers *sync.WaitGroup // of streams over gRPC
	errors   errorConverter
}

// unary ends the hold when the answer is written: over REST when the writing ends, over gRPC when the connection says so.
func (h holding) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	info := callinfo.FromContext(ctx)
	hold, answered := info.BeginHold(), false
	if info.HTTP != nil {
		hold.AbortWrite = info.HTTP.Abort
	}
	defer func() {
		if !answered {
			hold.End()
		}
	}()
	answer, err := next(ctx, req)
	if err != nil {
		return nil, err
	}
	if info.HTTP == nil && !hold.Tracked() {
		return answer, nil // nobody would tell the end
	}
	answered = true
	hold.Answered(h.stall)
	if info.HTTP != nil {
		info.HTTP.OnEnd(hold.End)
	}
	return answer, nil
}

// stream lets a stream over gRPC be ended although it waits for its client: the handler runs on a goroutine of its own,
// which the end of the call wakes. The server's Close waits for it (Config.Handlers).
func (h holding) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	info := callinfo.FromContext(stream.Context())
	if info.HTTP != nil {
		return next(srv, stream)
	}
	ended, aborted := make(chan error, 1), make(chan error, 1)
	info.AbortGRPC = func(err error) {
		select {
		case aborted <- h.errors.convert(stream.Context(), rpc.FullMethod, err):
		default:
		}
	}
	hold := info.BeginHold()
	h.handlers.Go(func() {
		err := next(srv, stream)
		hold.Answered(h.stall)
		if !hold.Tracked() {
			hold.End()
		}
		ended <- err
	})
	select {
	case err := <-ended:
		return err
	case err := <-aborted:
		return err
	}
}
