package server

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/parley-gateway/parley/server/inproc"
)

// keeping is what a call holds until the last byte of its answer is out: its place, and what it counts for.
type keeping struct {
	mu   sync.Mutex
	ends []func()
	over bool
}

// until has a function run at the end.
func (k *keeping) until(end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		end()
		return
	}
	k.ends = append(k.ends, end)
}

// end gives everything back. It may be called more than once.
func (k *keeping) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, end := range k.ends {
		end()
	}
	k.ends, k.over = nil, true
}

type keepingKey struct{}

// keepUntilWritten has a function run when the answer of the context's call is written; outside of a call at once.
func keepUntilWritten(ctx context.Context, end func()) {
	if k, ok := ctx.Value(keepingKey{}).(*keeping); ok {
		k.until(end)
		return
	}
	end()
}

// keptAnswer is an answer over gRPC and what ends when the transport is done with it.
type keptAnswer struct {
	answer any
	end    func()
}

// placesUnary holds what the call keeps until its answer is written: over REST when the request ends, over gRPC when the
// transport gives the last bytes of the answer back.
func placesUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	k := &keeping{}
	handed := false
	defer func() {
		if !handed {
			k.end()
		}
	}()
	answer, err := next(context.WithValue(ctx, keepingKey{}, k), req)
	if err != nil {
		return nil, err
	}
	handed = true
	if call := inproc.FromContext(ctx); call != nil {
		call.OnEnd(k.end)
		return answer, nil
	}
	return &keptAnswer{answer, k.end}, nil
}

type cutKey struct{}

// placesStream lets a stream over gRPC be ended although it waits for its reader: the handler runs on a goroutine of its own,
// which the end of the call wakes. Close waits for it.
func (s *Server) placesStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if inproc.FromContext(stream.Context()) != nil || !isAPI(info.FullMethod) {
		return next(srv, stream)
	}
	ended, cut := make(chan error, 1), make(chan error, 1)
	ctx := context.WithValue(stream.Context(), cutKey{}, func(err error) {
		select {
		case cut <- s.convert(stream.Context(), info.FullMethod, err):
		default:
		}
	})
	s.handlers.Go(func() { ended <- next(srv, &streamWith{stream, ctx}) })
	select {
	case err := <-ended:
		return err
	case err := <-cut:
		return err
	}
}

// cutOf returns what ends the stream of a context although it waits for its reader; err is what the reader is told then.
func cutOf(ctx context.Context) func(err error) {
	if cut, ok := ctx.Value(cutKey{}).(func(error)); ok {
		return cut
	}
	if call := inproc.FromContext(ctx); call != nil && call.Cut != nil {
		return func(error) { call.Cut() }
	}
	return func(error) {}
}

// ending is a pool of one buffer: it learns when the transport is done with it.
type ending struct{ end func() }

// Get implements mem.BufferPool; nobody asks.
func (ending) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put implements mem.BufferPool.
func (e ending) Put(*[]byte) { e.end() }

// leastCounted is the size of a buffer from which on the transport gives it back.
const leastCounted = 1 << 10

// until has a function run when the transport is done with the largest part of a message, or at once if that is small.
func until(parts mem.BufferSlice, end func()) mem.BufferSlice {
	largest := -1
	for i, part := range parts {
		if part.Len() >= leastCounted && (largest < 0 || part.Len() >= parts[largest].Len()) {
			largest = i
		}
	}
	if largest < 0 {
		end()
		return parts
	}
	data := parts[largest].ReadOnlyData()
	below := parts[largest]
	parts[largest] = mem.NewBuffer(&data, ending{func() {
		below.Free()
		end()
	}})
	return parts
}
