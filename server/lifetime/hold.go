package lifetime

import (
	"context"
	"sync"
	"time"
)

// Hold keeps the resources of a call, such as its place, until the last byte of its answer is out. OnEnd adds to it, and the end releases all. It is
// in one of these states:
//
//	running ──Answered──▶ answered ──noteSent──▶ over     the usual way over gRPC: the connection says when the last byte is out
//	running ──noteSent──▶ sent ──Answered──▶ over         the client is gone, or the stream was aborted, before the method has answered
//	any ──End──▶ over                                     the request over REST has ended, or the method failed
//
// EndSoon, and an answer that the client does not take in time, arm a timer. When it fires, an answered call is given up: over REST its writing is
// aborted, over gRPC its connection breaks, or on a connection of several callers only the hold ends. A call that is still running is
// looked at again after the same time.
type Hold struct {
	// AbortWrite stops the writing of the answer of a call over REST; nil = it cannot be stopped. It is not called after the call has ended.
	AbortWrite func()
	conn       *conn // of a call over gRPC

	mu          sync.Mutex
	onEnd       []func()
	onEndArray  [2]func() // memory of the first two
	answered    bool      // the method has answered
	sent        bool      // nothing of the answer is still to be written
	ended       bool
	giveUpTimer *time.Timer
}

// OnEnd has a function run at the end.
func (h *Hold) OnEnd(end func()) {
	h.mu.Lock()
	if !h.ended {
		if h.onEnd == nil {
			h.onEnd = h.onEndArray[:0]
		}
		h.onEnd = append(h.onEnd, end)
		end = func() {}
	}
	h.mu.Unlock()
	end()
}

// End gives everything back. It may be called more than once.
func (h *Hold) End() {
	h.mu.Lock()
	ends := h.onEnd
	h.onEnd, h.ended = nil, true
	if h.giveUpTimer != nil {
		h.giveUpTimer.Stop()
	}
	h.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

// EndSoon ends the hold after a moment (closeWithin): an answer that the client has not taken by then is given up. Over gRPC its connection breaks
// too, since the library cannot take back bytes that it has queued, unless several callers share it.
func (h *Hold) EndSoon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended:
	case h.giveUpTimer == nil:
		h.giveUpTimer = time.AfterFunc(closeWithin, h.giveUp)
	default:
		h.giveUpTimer.Reset(closeWithin)
	}
}

// giveUp stops the writing of an answer, and tries again after closeWithin, since the method may not have answered yet. On a connection
// that several callers share, the answer stays queued, and only the hold ends.
func (h *Hold) giveUp() {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		return
	}
	h.giveUpTimer.Reset(closeWithin)
	answered := h.answered
	if answered && h.conn == nil && h.AbortWrite != nil {
		h.AbortWrite()
	}
	h.mu.Unlock()
	switch {
	case !answered || h.conn == nil:
	case h.conn.hasSeveralCallers():
		h.End()
	default:
		h.conn.hangUp()
	}
}

// Answered notes that the method has answered. An answer that the client does not take within stall is given up.
func (h *Hold) Answered(stall time.Duration) {
	h.mu.Lock()
	h.answered = true
	sent := h.sent
	if !h.ended && h.giveUpTimer == nil && stall > 0 {
		h.giveUpTimer = time.AfterFunc(stall, h.giveUp)
	}
	h.mu.Unlock()
	if sent {
		h.End()
	}
}

// noteSent notes that nothing of the answer is still to be written: its last byte is sent, or the client is gone.
func (h *Hold) noteSent() {
	h.mu.Lock()
	h.sent = true
	answered := h.answered
	h.mu.Unlock()
	if answered {
		h.End()
	}
}

type holdKey struct{}

// HoldFromContext returns the hold that the connection of a call over gRPC has begun; nil over REST.
func HoldFromContext(ctx context.Context) *Hold {
	h, _ := ctx.Value(holdKey{}).(*Hold)
	return h
}

// Tracked reports whether the connection of the call ends the hold when the answer is out; only connections over gRPC do.
func (h *Hold) Tracked() bool { return h.conn != nil }

// NoteCaller tells the connection who calls over it, if there is one.
func (h *Hold) NoteCaller(caller string) {
	if h != nil && h.conn != nil {
		h.conn.noteCaller(caller)
	}
}
