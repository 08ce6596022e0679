package interceptor

import (
	"context"
	"errors"
	"sync"

	"github.com/parley-gateway/parley/server/admission"
	"github.com/parley-gateway/parley/server/authn"
	"github.com/parley-gateway/parley/server/metrics"
)

// Bounds of the bodies of requests over REST that are being read, in bytes: of all together, and of one caller, so that nobody takes all.
const (
	bodiesLimit = 32 << 20
	bodiesEach  = 4 << 20
)

// Bodies admits the bodies of requests over REST. The call of a body begins when all of it was read, and its interceptors with it. So that
// strangers cannot have bodies read, Bodies finds out who calls before; the interceptor identity does so again, and refuses who is not
// accepted. It is safe for concurrent use.
type Bodies struct {
	auth authn.Authenticator
	shed func(cause string)
	each int64

	mu      sync.Mutex
	all     int64
	callers map[string]int64
}

// NewBodies makes Bodies under which nothing is read. shared says that callers share the room; without it there is one caller, who has all
// of it.
func NewBodies(auth authn.Authenticator, shared bool, shed func(cause string)) *Bodies {
	b := &Bodies{auth: auth, shed: shed, each: bodiesLimit, callers: make(map[string]int64)}
	if shared {
		b.each = bodiesEach
	}
	return b
}

// Admit admits a body of so many bytes. ctx is that of a handler of the call. After the body was read, or given up, call leave. The error is
// that of a caller who is not accepted, or says that there is no room.
func (b *Bodies) Admit(ctx context.Context, bytes int64) (leave func(), err error) {
	caller, err := b.auth.Authenticate(ctx)
	if refusal, ok := errors.AsType[*authn.RefusedError](err); ok {
		return nil, errNotAccepted(refusal)
	}
	if err != nil {
		return nil, err
	}
	id := caller.ID()
	admission.RequestOf(ctx).Authenticate(id) // strangers do not displace the connection while the body comes
	if !b.take(id, bytes) {
		b.shed(metrics.ShedBodies)
		return nil, overloaded("bodies of requests that have not come whole take all room that there is for them, or this caller's part of it")
	}
	return func() { b.giveBack(id, bytes) }, nil
}

// take takes bytes for a caller if they fit.
func (b *Bodies) take(caller string, bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all+bytes > bodiesLimit || b.callers[caller]+bytes > b.each {
		return false
	}
	b.all += bytes
	b.callers[caller] += bytes
	return true
}

func (b *Bodies) giveBack(caller string, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all -= bytes
	if b.callers[caller] -= bytes; b.callers[caller] == 0 {
		delete(b.callers, caller)
	}
}
