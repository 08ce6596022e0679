package server

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// keeping is what a call holds until the last byte of its answer is out: its place, and what it counts for.
type keeping struct {
	// cut makes the answer of a call over REST be written no further. It is not called once the call has ended.
	cut  func()
	conn *agedConn // of a call over gRPC

	mu     sync.Mutex
	ends   []func()
	room   [2]func() // of ends
	handed bool      // the method has answered
	sent   bool      // nothing of the answer is still to be written
	over   bool
	late   *time.Timer
}

// until has a function run at the end.
func (k *keeping) until(end func()) {
	k.mu.Lock()
	if !k.over {
		if k.ends == nil {
			k.ends = k.room[:0]
		}
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
	sent := k.sent
	if !k.over && k.late == nil && stall > 0 {
		k.late = time.AfterFunc(stall, k.giveUp)
	}
	k.mu.Unlock()
	if sent {
		k.end()
	}
}

// out notes that nothing of the answer is still to be written: its last byte is out, or its reader is gone.
func (k *keeping) out() {
	k.mu.Lock()
	k.sent = true
	handed := k.handed
	k.mu.Unlock()
	if handed {
		k.end()
	}
}

type keepingKey struct{}

// keepingOf is what the connection of a call over gRPC has begun for it; nil over REST.
func keepingOf(ctx context.Context) *keeping {
	k, _ := ctx.Value(keepingKey{}).(*keeping)
	return k
}

// keepUntilWritten has a function run when the answer of the context's call is written; outside of a call at once.
func keepUntilWritten(ctx context.Context, end func()) {
	if k := infoOf(ctx).hold; k != nil {
		k.until(end)
		return
	}
	end()
}

// releaseKept has what the context's call keeps end soon.
func releaseKept(ctx context.Context) {
	if k := infoOf(ctx).hold; k != nil {
		k.release()
	}
}

// noteCaller tells the connection of the context's call who calls.
func noteCaller(ctx context.Context) {
	if info := infoOf(ctx); info.hold != nil && info.hold.conn != nil {
		info.hold.conn.calls(info.callerID)
	}
}

// places holds what a call keeps until the last byte of its answer is out, and lets streams be ended that wait for their reader.
type places struct {
	stall    time.Duration   // that a reader may take nothing
	handlers *sync.WaitGroup // of streams over gRPC
	failures conversion
}

// unary holds what the call keeps until its answer is written: over REST when the request ends, over gRPC when its stream does.
func (p places) unary(ctx context.Context, req any, rpc *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if !isAPI(rpc.FullMethod) {
		return next(ctx, req)
	}
	info := infoOf(ctx)
	if info.hold == nil {
		info.hold = &info.ownHold
	}
	if info.web != nil {
		info.hold.cut = info.web.Cut
	}
	k, answered := info.hold, false
	defer func() {
		if !answered {
			k.end()
		}
	}()
	answer, err := next(ctx, req)
	if err != nil {
		return nil, err
	}
	if info.web == nil && k.conn == nil {
		return answer, nil // nobody would tell the end
	}
	answered = true
	k.hand(p.stall)
	if info.web != nil {
		info.web.OnEnd(k.end)
	}
	return answer, nil
}

// stream lets a stream over gRPC be ended although it waits for its reader: the handler runs on a goroutine of its own,
// which the end of the call wakes. Close waits for it.
func (p places) stream(srv any, stream grpc.ServerStream, rpc *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	info := infoOf(stream.Context())
	if info.web != nil || !isAPI(rpc.FullMethod) {
		return next(srv, stream)
	}
	ended, cut := make(chan error, 1), make(chan error, 1)
	info.cut = func(err error) {
		select {
		case cut <- p.failures.convert(stream.Context(), rpc.FullMethod, err):
		default:
		}
	}
	if info.hold == nil {
		info.hold = &info.ownHold
	}
	k := info.hold
	p.handlers.Go(func() {
		err := next(srv, stream)
		if k.hand(p.stall); k.conn == nil {
			k.end()
		}
		ended <- err
	})
	select {
	case err := <-ended:
		return err
	case err := <-cut:
		return err
	}
}
