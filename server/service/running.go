package service

import (
	"context"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// endWait is how long a stream over the tenant waits for the end of an equal one: a caller may reconnect before the gateway has noticed that
// the connection broke.
const endWait = 5 * time.Second

// runningStreams holds the streams over the tenant that run, so that no two of them do the same work.
type runningStreams struct {
	mu    sync.Mutex
	byKey map[string]*runningStream
}

// runningStream is a stream that runs.
type runningStream struct {
	stop func(reason error)
	done chan struct{} // closed after its end
}

func newRunningStreams() *runningStreams {
	return &runningStreams{byKey: make(map[string]*runningStream)}
}

// enter waits until no stream with the key runs, and adds the stream; leave removes it, and stop ends it from outside. A stream that resumes
// from a token ends the running one, because its caller has received all that this one has sent. The error is ALREADY_RUNNING when the
// running stream does not end in time, or the error of the context.
func (r *runningStreams) enter(ctx context.Context, key string, resumes bool, stop func(reason error)) (leave func(), err error) {
	timeout := time.NewTimer(endWait)
	defer timeout.Stop()
	for {
		other, entered := r.tryEnter(key, stop)
		if other == nil {
			return func() { r.leave(key, entered) }, nil
		}
		if resumes {
			other.stop(errTakenOver())
		}
		select {
		case <-other.done:
		case <-timeout.C:
			return nil, apierror.ForReason(parleyv1.ErrorReason_ERROR_REASON_ALREADY_RUNNING)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryEnter adds a stream and returns it as entered. Where a stream with the key runs, it adds nothing and returns that one as other.
func (r *runningStreams) tryEnter(key string, stop func(error)) (other, entered *runningStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.byKey[key]; other != nil {
		return other, nil
	}
	entered = &runningStream{stop, make(chan struct{})}
	r.byKey[key] = entered
	return nil, entered
}

func (r *runningStreams) leave(key string, entered *runningStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byKey, key)
	close(entered.done)
}

// errTakenOver ends a stream whose caller has gone on from its token in another call. It is not to be repeated: the two would end each
// other in turns.
func errTakenOver() *apierror.Error {
	err := apierror.New(parleyv1.ErrorReason_ERROR_REASON_ALREADY_RUNNING, "the same caller has gone on from a token of this stream in another call")
	err.RetryAfter = 0
	return err
}
