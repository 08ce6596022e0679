package timeline

import (
	"context"
	"errors"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
)

const (
	batchBytes = 512 << 10              // a batch of this size is sent
	batchMost  = 1 << 20                // an event that would take a batch above this begins another one
	batchWait  = 100 * time.Millisecond // how long a batch waits for more
)

// StreamEvents emits the whole interval as frames. emit may block: reading stops with it. After the first checkpoint
// errors are *StreamError; an error of emit is returned as it is.
func (e *Engine) StreamEvents(
	ctx context.Context, have Sources, req EventsRequest, token string, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	ctx = source.WithPriority(ctx, source.Background)
	w, err := e.open(ctx, have, &req, token, "resume_token")
	if err != nil {
		return err
	}
	defer w.fetch.close()
	w.limit(e.cfg.Ahead, e.cfg.AheadRows)
	w.enrich(have)
	s := &stream{w: w, emit: emit, last: token, sent: time.Now()}
	pooled, ok := e.batches.Get().(*[]byte)
	if !ok {
		room := make([]byte, 0, batchBytes+batchBytes/8)
		pooled = &room
	}
	s.free = *pooled
	defer func() {
		if *pooled = s.free; cap(s.free) > 0 && cap(s.free) <= 2*batchMost {
			e.batches.Put(pooled)
		}
	}()
	return s.run(ctx)
}

// emitError marks an error of the reader's side.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// stream cuts a walk into frames.
type stream struct {
	w     *walk
	emit  func(*parleyv1.StreamEventsResponse) error
	batch []byte    // its list of events; nil = nothing to send
	free  []byte    // room for the next batch
	last  string    // token of the last checkpoint
	sent  time.Time // of the last checkpoint
	began time.Time // of the batch
	all   []*parleyv1.Notice
}

func (s *stream) run(ctx context.Context) error {
	err := s.frames(ctx)
	if err == nil {
		return nil
	}
	if own := (emitError{}); errors.As(err, &own) {
		return own.error
	}
	if s.last == "" {
		return err
	}
	return &StreamError{Err: err, ResumeToken: s.last}
}

func (s *stream) frames(ctx context.Context) error {
	timer := time.NewTimer(s.w.engine.cfg.Heartbeat)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, v := s.w.step()
		if err := s.tell(); err != nil {
			return err
		}
		var err error
		switch v {
		case ready:
			err = s.add(t)
		case waiting:
			timer.Reset(time.Until(s.due()))
			err = s.w.wait(ctx, timer.C)
		case ended:
			return s.finish()
		default:
			if s.batch != nil {
				if err := s.flush(); err != nil {
					return err
				}
			}
			return s.w.fatal()
		}
		if err == nil && !time.Now().Before(s.due()) {
			err = s.flush()
		}
		if err != nil {
			return err
		}
	}
}

// due is when a checkpoint must be sent.
func (s *stream) due() time.Time {
	at := s.sent.Add(s.w.engine.cfg.Heartbeat)
	if s.batch != nil {
		at = earlier(at, s.began.Add(batchWait))
	}
	return at
}

// add puts the head of a track into the batch; a full batch is sent before or after.
func (s *stream) add(t *track) error {
	e := t.head()
	if n := len(e.basic) + len(e.unmapped) + 8; s.batch != nil && len(s.batch)+n > batchMost {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if s.batch == nil {
		s.batch, s.free, s.began = s.free, nil, time.Now()
	}
	var err error
	if s.batch, err = s.w.shown(s.batch, batchEvents, e, maxFrame-frameRoom); err != nil {
		return err
	}
	s.w.take(t)
	if len(s.batch) >= batchBytes {
		return s.flush()
	}
	return nil
}

// flush sends the batch, if there is one, and a checkpoint.
func (s *stream) flush() error {
	if s.batch != nil {
		batch := &parleyv1.EventBatch{}
		if err := s.w.setEvents(batch, s.batch); err != nil {
			return err
		}
		list := s.batch
		s.batch = nil
		defer func() { s.free = list[:0] }() // a reader of bytes has used them when emit returns
		if err := s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}}); err != nil {
			return err
		}
	}
	token, err := s.w.token(false)
	if err != nil {
		return err
	}
	err = s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{
		Checkpoint: &parleyv1.Checkpoint{ResumeToken: token, Sources: s.w.progress()},
	}})
	s.last, s.sent = token, time.Now()
	return err
}

// tell sends notices as soon as there is something to say.
func (s *stream) tell() error {
	for _, n := range s.w.news() {
		s.all = append(s.all, n)
		if err := s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: n}}); err != nil {
			return err
		}
	}
	return nil
}

// finish sends what is left and the summary.
func (s *stream) finish() error {
	if s.batch != nil {
		if err := s.flush(); err != nil {
			return err
		}
	}
	token, err := s.w.token(true)
	if err != nil {
		return err
	}
	return s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{
		Complete: s.w.complete(), Notices: s.all, Sources: s.w.reports(), ResumeToken: token,
	}}})
}

func (s *stream) send(frame *parleyv1.StreamEventsResponse) error {
	if err := s.emit(frame); err != nil {
		return emitError{err}
	}
	return nil
}
