package frame

import (
	"context"
	"errors"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/failure"
)

// Fit says whether a batch had room for rows.
type Fit int

// The values of Fit.
const (
	DoesNotFit Fit = iota // none: the batch has to be sent first
	Added                 // the batch takes more
	Full                  // the batch is to be sent
)

// Batch collects the rows of one frame.
type Batch interface {
	// Add moves rows that are ready into the batch. It adds none that would take the batch above MaxBatch, unless it is empty.
	Add() (Fit, error)
	// Size is the size of the rows on the wire; 0 = none.
	Size() int
	// Send sends the batch and empties it. It sends by Emit, which marks the errors of the client.
	Send() error
}

// Report makes the other frames of a stream.
type Report interface {
	// News returns the notices that are new.
	News() []*parleyv1.Notice
	// Checkpoint says how far the rows were delivered.
	Checkpoint() (*parleyv1.Checkpoint, error)
	// Summary says what was read, after the last row; its notices are left out.
	Summary() (*parleyv1.Summary, error)
}

// Frames makes the frames of one method.
type Frames[F any] struct {
	Notice     func(*parleyv1.Notice) F
	Checkpoint func(*parleyv1.Checkpoint) F
	Summary    func(*parleyv1.Summary) F
}

// Stream divides rows into frames. A checkpoint follows each batch, and comes at least once a heartbeat.
type Stream[F any] struct {
	Rows   Rows
	Batch  Batch
	Report Report
	Frames Frames[F]
	// Emit takes the frames. It may block: reading stops with it.
	Emit func(F) error
	// Heartbeat is the longest time between two checkpoints.
	Heartbeat time.Duration
	// Linger is how long a batch waits for rows that are still being read; 0 = it is sent before they are waited for.
	Linger time.Duration

	began          time.Time // beginning of the batch
	lastCheckpoint time.Time
	lastToken      string // of the last checkpoint
	notices        notices
}

// Run emits all rows. After the first checkpoint errors are *failure.StreamError; an error of Emit is returned as it is.
func (s *Stream[F]) Run(ctx context.Context) error {
	s.lastCheckpoint = time.Now()
	s.notices.send = func(n *parleyv1.Notice) error { return Emit(s.Emit, s.Frames.Notice(n)) }
	return WithResumeToken(s.run(ctx), s.lastToken)
}

// WithResumeToken returns the error of a stream: one of Emit as it is, and any other with the token of the last checkpoint, if there was one.
func WithResumeToken(err error, token string) error {
	if own := (emitError{}); errors.As(err, &own) {
		return own.error
	}
	if err == nil || token == "" {
		return err
	}
	return &failure.StreamError{Err: err, ResumeToken: token}
}

// emitError is an error of Emit: the client does not take the frame.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// Emit hands a frame to emit, and marks its error as one of the client's.
func Emit[F any](emit func(F) error, frame F) error {
	if err := emit(frame); err != nil {
		return emitError{err}
	}
	return nil
}

func (s *Stream[F]) run(ctx context.Context) error {
	timer := time.NewTimer(s.Heartbeat)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		state := s.Rows.Step()
		if err := s.notices.add(s.Report.News()); err != nil {
			return err
		}
		var err error
		switch state {
		case Ready:
			err = s.add()
		case Waiting:
			err = s.wait(ctx, timer)
		case Ended:
			return s.finish()
		case Broken, Paused:
			if err := s.sendBatch(); err != nil {
				return err
			}
			return s.Rows.Err()
		}
		if err == nil && !time.Now().Before(s.nextCheckpoint()) {
			err = s.checkpoint()
		}
		if err != nil {
			return err
		}
	}
}

// nextCheckpoint returns the time at which a checkpoint must be sent.
func (s *Stream[F]) nextCheckpoint() time.Time {
	at := s.lastCheckpoint.Add(s.Heartbeat)
	if s.Batch.Size() == 0 || s.Linger == 0 {
		return at
	}
	if waited := s.began.Add(s.Linger); waited.Before(at) {
		return waited
	}
	return at
}

// add puts rows that are ready into the batch.
func (s *Stream[F]) add() error {
	empty := s.Batch.Size() == 0
	fit, err := s.Batch.Add()
	if err == nil && fit == DoesNotFit {
		if err := s.sendBatch(); err != nil {
			return err
		}
		empty = true
		fit, err = s.Batch.Add()
	}
	if err != nil {
		return err
	}
	if empty {
		s.began = time.Now()
	}
	if fit == Full {
		return s.sendBatch()
	}
	return nil
}

// wait waits for rows, at most until a checkpoint is due.
func (s *Stream[F]) wait(ctx context.Context, timer *time.Timer) error {
	if s.Linger == 0 && s.Batch.Size() > 0 {
		return s.sendBatch()
	}
	timer.Reset(time.Until(s.nextCheckpoint()))
	return s.Rows.Wait(ctx, timer.C)
}

// sendBatch sends the batch, if there is one, and a checkpoint.
func (s *Stream[F]) sendBatch() error {
	if s.Batch.Size() == 0 {
		return nil
	}
	return s.checkpoint()
}

// checkpoint sends the batch, if there is one, and a checkpoint in any case.
func (s *Stream[F]) checkpoint() error {
	if err := s.notices.commit(); err != nil {
		return err
	}
	if s.Batch.Size() > 0 {
		if err := s.Batch.Send(); err != nil {
			return err
		}
	}
	checkpoint, err := s.Report.Checkpoint()
	if err != nil {
		return err
	}
	err = Emit(s.Emit, s.Frames.Checkpoint(checkpoint))
	s.lastToken, s.lastCheckpoint = checkpoint.GetResumeToken(), time.Now()
	return err
}

// finish sends what is left and the summary.
func (s *Stream[F]) finish() error {
	if err := s.sendBatch(); err != nil {
		return err
	}
	if err := s.notices.commit(); err != nil {
		return err
	}
	summary, err := s.Report.Summary()
	if err != nil {
		return err
	}
	summary.Notices = s.notices.all
	return Emit(s.Emit, s.Frames.Summary(summary))
}
