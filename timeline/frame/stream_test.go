package frame_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/frame"
)

// step is one thing that rows do.
type step struct {
	state frame.State
	takes time.Duration // of Waiting: how long
	size  int           // of Ready: of the row
	news  string        // a notice that comes with it
}

// script is rows, batch and report that follow a list of steps.
type script struct {
	steps  []step
	err    error
	size   int // of the batch
	rows   int
	tokens int
	until  time.Time // when what is waited for is there
	emit   func(string) error
}

func (s *script) Step() frame.State {
	if len(s.steps) == 0 {
		return frame.Ended
	}
	return s.steps[0].state
}

func (s *script) Wait(ctx context.Context, timer <-chan time.Time) error {
	if s.until.IsZero() {
		s.until = time.Now().Add(s.steps[0].takes)
	}
	there := time.NewTimer(time.Until(s.until))
	defer there.Stop()
	select {
	case <-there.C:
		s.steps, s.until = s.steps[1:], time.Time{}
		return nil
	case <-timer:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *script) Err() error { return s.err }

func (s *script) Size() int { return s.size }

func (s *script) Add() (frame.Fit, error) {
	if s.size > 0 && s.size+s.steps[0].size > frame.MaxBatch {
		return frame.DoesNotFit, nil
	}
	s.size += s.steps[0].size
	s.rows++
	s.steps = s.steps[1:]
	if s.size >= frame.TargetBatch {
		return frame.Full, nil
	}
	return frame.Added, nil
}

func (s *script) Send() error {
	rows := s.rows
	s.size, s.rows = 0, 0
	return frame.Emit(s.emit, fmt.Sprintf("batch of %d", rows))
}

func (s *script) News() []*parleyv1.Notice {
	if len(s.steps) == 0 || s.steps[0].news == "" {
		return nil
	}
	code := s.steps[0].news
	s.steps[0].news = ""
	return []*parleyv1.Notice{{Code: code}}
}

func (s *script) Checkpoint() (*parleyv1.Checkpoint, error) {
	s.tokens++
	return &parleyv1.Checkpoint{ResumeToken: strconv.Itoa(s.tokens)}, nil
}

func (s *script) Summary() (*parleyv1.Summary, error) { return &parleyv1.Summary{}, nil }

// run streams a script and returns its frames, each with the milliseconds since the beginning.
func run(ctx context.Context, s *script, linger time.Duration) (frames []string, err error) {
	began := time.Now()
	emit := s.emit
	s.emit = func(f string) error {
		frames = append(frames, fmt.Sprintf("%d %s", time.Since(began).Milliseconds(), f))
		if emit != nil {
			return emit(f)
		}
		return nil
	}
	stream := frame.Stream[string]{
		Rows: s, Batch: s, Report: s, Emit: s.emit, Heartbeat: 15 * time.Second, Linger: linger,
		Frames: frame.Frames[string]{
			Notice:     func(n *parleyv1.Notice) string { return n.GetCode() },
			Checkpoint: func(c *parleyv1.Checkpoint) string { return "checkpoint " + c.GetResumeToken() },
			Summary:    func(s *parleyv1.Summary) string { return fmt.Sprintf("summary of %d", len(s.GetNotices())) },
		},
	}
	return frames, stream.Run(ctx)
}

func TestStreamCutsRowsIntoFrames(t *testing.T) {
	t.Parallel()
	const small, large = 1 << 10, 3 * frame.MaxBatch / 4
	row, big := step{state: frame.Ready, size: small}, step{state: frame.Ready, size: large}
	half := step{state: frame.Ready, size: frame.TargetBatch - 1}
	wait := func(d time.Duration) step { return step{state: frame.Waiting, takes: d} }
	for _, test := range []struct {
		name   string
		steps  []step
		linger time.Duration
		want   []string
	}{
		{"nothing", nil, 0, []string{"0 summary of 0"}},
		{"rows of one batch", []step{row, row, row}, 0, []string{"0 batch of 3", "0 checkpoint 1", "0 summary of 0"}},
		{"a full batch", []step{row, big, row}, 0, []string{
			"0 batch of 2", "0 checkpoint 1", "0 batch of 1", "0 checkpoint 2", "0 summary of 0",
		}},
		{"a row without room", []step{half, big}, 0, []string{
			"0 batch of 1", "0 checkpoint 1", "0 batch of 1", "0 checkpoint 2", "0 summary of 0",
		}},
		{"a batch that does not linger", []step{row, wait(time.Second), row}, 0, []string{
			"0 batch of 1", "0 checkpoint 1", "1000 batch of 1", "1000 checkpoint 2", "1000 summary of 0",
		}},
		{"a batch that lingers", []step{row, wait(50 * time.Millisecond), row, wait(time.Second)}, 100 * time.Millisecond, []string{
			"100 batch of 2", "100 checkpoint 1", "1050 summary of 0",
		}},
		{"heartbeats", []step{row, wait(40 * time.Second), row}, 0, []string{
			"0 batch of 1", "0 checkpoint 1", "15000 checkpoint 2", "30000 checkpoint 3", "40000 batch of 1", "40000 checkpoint 4", "40000 summary of 0",
		}},
		{"notices wait for another frame", []step{
			{state: frame.Waiting, takes: time.Second, news: "EARLY"}, row, {state: frame.Waiting, takes: time.Second, news: "LATE"},
		}, 100 * time.Millisecond, []string{
			"1100 EARLY", "1100 LATE", "1100 batch of 1", "1100 checkpoint 1", "2000 summary of 2",
		}},
		{"notices behind another frame are sent at once", []step{
			row, wait(time.Second), {state: frame.Waiting, takes: time.Second, news: "LATE"},
		}, 0, []string{"0 batch of 1", "0 checkpoint 1", "1000 LATE", "2000 summary of 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				frames, err := run(t.Context(), &script{steps: test.steps}, test.linger)
				if diff := cmp.Diff(test.want, frames); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

// TestErrorsCarryTheLastCheckpoint: errors of the rows carry the token of the last checkpoint, errors of the reader come as they are.
func TestErrorsCarryTheLastCheckpoint(t *testing.T) {
	t.Parallel()
	broken, gone := errors.New("broken"), errors.New("gone")
	row := step{state: frame.Ready, size: 1}
	t.Run("before a checkpoint", func(t *testing.T) {
		t.Parallel()
		frames, err := run(t.Context(), &script{err: broken, steps: []step{{state: frame.Broken, news: "WHY"}}}, 0)
		if err != broken || len(frames) > 0 { //nolint:errorlint // the very error
			t.Errorf("%v, %v", err, frames)
		}
	})
	t.Run("behind a checkpoint", func(t *testing.T) {
		t.Parallel()
		frames, err := run(t.Context(), &script{err: broken, steps: []step{row, {state: frame.Broken}}}, time.Second)
		known, ok := errors.AsType[*failure.StreamError](err)
		if !ok || known.ResumeToken != "1" || !errors.Is(err, broken) || len(frames) != 2 {
			t.Errorf("%v, %v", err, frames)
		}
	})
	t.Run("the reader has left", func(t *testing.T) {
		t.Parallel()
		emits := 0
		emit := func(string) error {
			if emits++; emits > 2 {
				return gone
			}
			return nil
		}
		if _, err := run(t.Context(), &script{emit: emit, steps: []step{row}}, 0); err != gone { //nolint:errorlint // the very error
			t.Errorf("error %v", err)
		}
	})
	t.Run("the call is over", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			frames, err := run(ctx, &script{steps: []step{row, {state: frame.Waiting, takes: time.Minute}}}, 0)
			known, ok := errors.AsType[*failure.StreamError](err)
			if !ok || known.ResumeToken != "1" || !errors.Is(err, context.DeadlineExceeded) || len(frames) != 2 {
				t.Errorf("%v, %v", err, frames)
			}
		})
	})
}
