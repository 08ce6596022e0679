package lifetime

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
)

var errPlanned = errors.New("planned")

func newCloser(ctx context.Context) (context.Context, *StreamCloser) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &StreamCloser{cancel: cancel, abort: func(error) {}}
}

func sent() error { return nil }

// TestStopWaitsForTheCheckpoint: a stream that is to end goes on until the checkpoint of the batch that is out, and its error has
// that checkpoint's token.
func TestStopWaitsForTheCheckpoint(t *testing.T) {
	t.Parallel()
	ctx, closer := newCloser(t.Context())
	if err := closer.SendFrame(Content, "", sent); err != nil {
		t.Fatal(err)
	}
	closer.stopAtCheckpoint(errPlanned)
	if ctx.Err() != nil {
		t.Error("the stream ends between a batch and its checkpoint")
	}
	if err := closer.SendFrame(Notice, "", sent); err != nil {
		t.Errorf("a notice before the checkpoint: %v", err)
	}
	if err := closer.SendFrame(Checkpoint, "token", sent); !errors.Is(err, errPlanned) {
		t.Errorf("after the checkpoint: %v", err)
	}
	if err := closer.SendFrame(Content, "", sent); !errors.Is(err, errPlanned) {
		t.Errorf("another batch: %v", err)
	}
	if err := closer.Result(context.Canceled); !errors.Is(err, errPlanned) || TokenOf(err) != "token" {
		t.Errorf("ended with %v, token %q", err, TokenOf(err))
	}
}

// TestStopBetweenFrames: where no batch waits for its checkpoint, a stream ends at once; its summary is still sent.
func TestStopBetweenFrames(t *testing.T) {
	t.Parallel()
	ctx, closer := newCloser(t.Context())
	closer.stopAtCheckpoint(errPlanned)
	if !errors.Is(context.Cause(ctx), errPlanned) {
		t.Errorf("the stream goes on: %v", context.Cause(ctx))
	}
	if err := closer.SendFrame(Summary, "token", sent); err != nil || closer.Result(nil) != nil {
		t.Errorf("summary: %v, %v", err, closer.Result(nil))
	}
}

// TestAStreamThatMakesRoomEndsSoon: a stream that makes room ends a moment later wherever it stands, unless it is over.
func TestAStreamThatMakesRoomEndsSoon(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]bool{"under way": false, "over": true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, closer := newCloser(t.Context())
			var told error
			closer.abort = func(err error) { told = err }
			if err := closer.SendFrame(Checkpoint, "token", sent); err != nil {
				t.Fatal(err)
			}
			if err := closer.SendFrame(Content, "", sent); err != nil {
				t.Fatal(err)
			}
			closer.Stop(errPlanned)
			if ctx.Err() != nil {
				t.Errorf("%s: ended at once", name)
			}
			if over {
				closer.finish()
			}
			time.Sleep(closeWithin)
			synctest.Wait()
			if over != (told == nil) || !over && (TokenOf(told) != "token" || ctx.Err() == nil) {
				t.Errorf("%s: told %v", name, told)
			}
		})
	}
}

// TestAStalledReaderIsToldThePlannedEnd: a reader who takes nothing for too long is told the planned end.
func TestAStalledReaderIsToldThePlannedEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, closer := newCloser(t.Context())
		closer.stall = time.Minute
		err := closer.Send(func() error {
			<-ctx.Done()
			return ctx.Err()
		})
		if err == nil || closer.Result(err) == nil || ctx.Err() == nil {
			t.Errorf("%v, %v", err, context.Cause(ctx))
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	own := &failure.StreamError{Err: errPlanned, ResumeToken: "own"}
	for name, c := range map[string]struct {
		err   error
		token string
		want  string
	}{"none": {errPlanned, "", ""}, "added": {errPlanned, "new", "new"}, "kept": {own, "new", "own"}} {
		if got := TokenOf(WithToken(c.err, c.token)); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestPartOf(t *testing.T) {
	t.Parallel()
	for want, message := range map[Part]any{
		Content:    &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{}},
		Notice:     &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: &parleyv1.Notice{}}},
		Checkpoint: &parleyv1.StreamConversationsResponse{Frame: &parleyv1.StreamConversationsResponse_Checkpoint{Checkpoint: &parleyv1.Checkpoint{}}},
		Summary:    &parleyv1.StreamCopilotUsageResponse{Frame: &parleyv1.StreamCopilotUsageResponse_Summary{Summary: &parleyv1.Summary{}}},
	} {
		if got := PartOf(message); got != want {
			t.Errorf("%v is %d, want %d", message, got, want)
		}
	}
	if PartOf("a chunk") != Content {
		t.Error("a chunk is no content")
	}
}

// TestAnEvictedStreamEndsOnceItCanEndWell: a stream that was evicted before it knew how to end well ends so as soon as it does.
func TestAnEvictedStreamEndsOnceItCanEndWell(t *testing.T) {
	t.Parallel()
	var first, second []error
	eviction := NewEviction(func(reason error) { first = append(first, reason) })
	eviction.Evict(errPlanned)
	eviction.Evict(context.Canceled)
	eviction.OnEvict(func(reason error) { second = append(second, reason) })
	if len(first) != 1 || len(second) != 1 || !errors.Is(second[0], errPlanned) {
		t.Errorf("%v, %v", first, second)
	}
	var none *Eviction
	none.OnEvict(nil)
}

// TestAHoldIsGivenBackOnce: what a call holds is given back once, when its answer is out and its method has answered.
func TestAHoldIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	ended := 0
	h := &Hold{}
	for range 3 {
		h.OnEnd(func() { ended++ })
	}
	h.noteSent()
	if ended != 0 {
		t.Error("given back before the method has answered")
	}
	h.Answered(time.Hour)
	h.End()
	if ended != 3 {
		t.Errorf("%d of 3 given back", ended)
	}
	h.OnEnd(func() { ended++ })
	if ended != 4 {
		t.Error("what comes late is not given back at once")
	}
}
