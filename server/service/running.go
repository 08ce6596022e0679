package service

import (
	"context"
	"sync"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
)

// endWait is how long a stream over the tenant waits for the end of an equal one: a caller who has gone away and comes back may be faster
// than the news of it.
const endWait = 5 * time.Second

// running knows the streams over the tenant that run, so that the same work is not done twice.
type running struct {
	mu  sync.Mutex
	all map[string]*runningStream
}

// runningStream is a stream that runs.
type runningStream struct {
	stop func(reason error)
	done chan struct{} // closed after its end
}

func newRunning() *running { return &running{all: make(map[string]*runningStream)} }

// enter waits until no stream with the key runs, and enters one that stop ends. A stream that goes on from a token ends the one that runs:
// its caller has the place that this one has reached, or a later one. leave ends the entry. The error is that of a stream that does not
// end in time, or of the context.
func (r *running) enter(ctx context.Context, key string, resumes bool, stop func(reason error)) (leave func(), err error) {
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

// tryEnter enters a stream, or returns the one that runs.
func (r *running) tryEnter(key string, stop func(error)) (other, entered *runningStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.all[key]; other != nil {
		return other, nil
	}
	entered = &runningStream{stop, make(chan struct{})}
	r.all[key] = entered
	return nil, entered
}

func (r *running) leave(key string, entered *runningStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, key)
	close(entered.done)
}

// errTakenOver ends a stream whose caller has gone on from its token in another call. It is not to be repeated: the two would end each
// other in turns.
func errTakenOver() *apierror.Error {
	err := apierror.New(parleyv1.ErrorReason_ERROR_REASON_ALREADY_RUNNING, "the same caller has gone on from a token of this stream in another call")
	err.RetryAfter = 0
	return err
}
