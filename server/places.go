package server

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"github.com/parley-gateway/parley/server/inproc"
)

// keeping is what a call holds until the last byte of its answer is out: its place, and what it counts for.
type keeping struct {
	// cut makes the answer of a call over REST be written no further. It is not called once the call has ended.
	cut  func()
	conn *agedConn // of a call over gRPC

	mu     sync.Mutex
	ends   []func()
	queued int  // messages that the transport holds
	handed bool // the method has answered
	lost   bool // so is the connection: nothing that is queued comes back
	over   bool
	late   *time.Timer
}

// until has a function run at the end.
func (k *keeping) until(end func()) {
	k.mu.Lock()
	if !k.over {
		k.ends = append(k.ends, end)
		end = func() {}
	}
	k.mu.Unlock()
	end()
}

// end gives everything back. It may be called more than once.
func (k *keeping) end() {
	k.mu.Lock()
	ends := k.ends
	k.ends, k.over = nil, true
	if k.late != nil {
		k.late.Stop()
	}
	k.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

// release ends what is kept soon: an answer that nobody has read a moment later is given up. Over gRPC its connection goes with
// it, since the library cannot take back what it has queued.
func (k *keeping) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.over:
	case k.late == nil:
		k.late = time.AfterFunc(hardAfter, k.giveUp)
	default:
		k.late.Reset(hardAfter)
	}
}

// giveUp makes an answer be written no further, and looks again, since the method may not have answered yet. On a connection
// that several callers share the answer stays queued, and only its place is given back.
func (k *keeping) giveUp() {
	k.mu.Lock()
	if k.over {
		k.mu.Unlock()
		return
	}
	k.late.Reset(hardAfter)
	handed := k.handed
	if handed && k.conn == nil && k.cut != nil {
		k.cut()
	}
	k.mu.Unlock()
	switch {
	case !handed || k.conn == nil:
	case k.conn.isShared():
		k.end()
	default:
		k.conn.hangUp()
	}
}

// hand notes that the method has answered. A reader who takes nothing for so long is given up.
func (k *keeping) hand(stall time.Duration) {
	k.mu.Lock()
	k.handed = true
	lost := k.lost
	if !k.over && k.late == nil && stall > 0 {
		k.late = time.AfterFunc(stall, k.giveUp)
	}
	k.mu.Unlock()
	if lost {
		k.end()
	}
}

// lose notes that the connection has ended.
func (k *keeping) lose() {
	k.mu.Lock()
	k.lost = true
	handed := k.handed
	k.mu.Unlock()
	if handed {
		k.end()
	}
}

// queue counts a message that goes to the transport; done says that it is out. The last one gives everything back once the
// method has answered.
func (k *keeping) queue() (done func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queued++
	return func() {
		k.mu.Lock()
		k.queued--
		last := k.handed && k.queued == 0
		k.mu.Unlock()
		if last {
			k.end()
		}
	}
}

// queuing is a stream over gRPC whose messages are counted until they are out.
type queuing struct {
	streamWith

	kept *keeping
}

// SendMsg implements grpc.ServerStream.
func (s *queuing) SendMsg(message any) error {
	return s.streamWith.SendMsg(&keptAnswer{message, s.kept.queue()})
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

// releaseKept has what the context's call keeps end soon.
func releaseKept(ctx context.Context) {
	if k, ok := ctx.Value(keepingKey{}).(*keeping); ok {
		k.release()
	}
}

// noteCaller tells the connection of the context's call who calls.
func noteCaller(ctx context.Context) {
	if k, ok := ctx.Value(keepingKey{}).(*keeping); ok && k.conn != nil {
		k.conn.calls(infoOf(ctx).callerID)
	}
}

// keptAnswer is an answer over gRPC and what ends when the transport is done with it.
type keptAnswer struct {
	answer any
	end    func()
}

// places holds what a call keeps until the last byte of its answer is out, and lets streams be ended that wait for their reader.
type places struct {
	ages     *ages
	stall    time.Duration   // that a reader may take nothing
	handlers *sync.WaitGroup // of streams over gRPC
	failures conversion
}

// unary holds what the call keeps until its answer is written: over REST when the request ends, over gRPC when the
// transport gives the last bytes of the answer back.
func (p places) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isAPI(info.FullMethod) {
		return next(ctx, req)
	}
	k := &keeping{}
	call := inproc.FromContext(ctx)
	if call != nil {
		k.cut = call.Cut
	} else if k.conn = p.ages.lifeOf(ctx); k.conn != nil {
		k.conn.keep(k)
	}
	answered := false
	defer func() {
		if !answered {
			k.end()
		}
	}()
	answer, err := next(context.WithValue(ctx, keepingKey{}, k), req)
	if err != nil {
		return nil, err
	}
	answered = true
	k.hand(p.stall)
	if call != nil {
		call.OnEnd(k.end)
		return answer, nil
	}
	return &keptAnswer{answer, k.end}, nil
}

type cutKey struct{}

// stream lets a stream over gRPC be ended although it waits for its reader: the handler runs on a goroutine of its own,
// which the end of the call wakes. Close waits for it.
func (p places) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if inproc.FromContext(stream.Context()) != nil || !isAPI(info.FullMethod) {
		return next(srv, stream)
	}
	ended, cut := make(chan error, 1), make(chan error, 1)
	ctx := context.WithValue(stream.Context(), cutKey{}, func(err error) {
		select {
		case cut <- p.failures.convert(stream.Context(), info.FullMethod, err):
		default:
		}
	})
	k := &keeping{conn: p.ages.lifeOf(ctx)}
	if k.conn != nil {
		k.conn.keep(k)
	}
	ctx = context.WithValue(ctx, keepingKey{}, k)
	p.handlers.Go(func() {
		done := k.queue()
		err := next(srv, &queuing{streamWith{stream, ctx}, k})
		k.hand(p.stall)
		done()
		ended <- err
	})
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
