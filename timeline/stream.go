package timeline

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
	"github.com/parley-gateway/parley/timeline/window"
)

const (
	batchLeast = 256 << 10              // events that lie together in one array go out as they are from this size on
	batchBytes = 512 << 10              // a batch of this size is sent
	batchMost  = 1 << 20                // an event that would take a batch above this begins another one
	batchWait  = 100 * time.Millisecond // how long a batch waits for more
)

// StreamEvents emits the whole interval as frames. emit may block: reading stops with it. After the first checkpoint
// errors are *StreamError; an error of emit is returned as it is.
func (e *Engine) StreamEvents(
	ctx context.Context, have query.Sources, req query.Events, token string, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	ctx = source.WithPriority(ctx, source.Background)
	to, err := req.Resolve(have)
	if err != nil {
		return err
	}
	if req.Reconnect && e.Finished(have, req, token) {
		return nil
	}
	w, err := e.open(ctx, have, &req, to, token, "resume_token")
	if err != nil {
		return err
	}
	defer w.fetch.close()
	account, release := e.account(ctx)
	defer release()
	w.limit(e.cfg.Ahead, usualAhead, account)
	account.Add(batchBytes) // a batch is on its way
	defer account.Add(-batchBytes)
	w.enrich(have)
	s := &stream{w: w, emit: emit, sent: time.Now()}
	s.notices.send = func(n *parleyv1.Notice) error {
		return s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: n}})
	}
	return s.run(ctx)
}

// emitError marks an error of the reader's side.
type emitError struct{ error }

func (e emitError) Unwrap() error { return e.error }

// streamError is what a stream that ended with err returns; last is the token of its last checkpoint, empty before the first.
func streamError(err error, last string) error {
	if err == nil {
		return nil
	}
	if own := (emitError{}); errors.As(err, &own) {
		return own.error
	}
	if last == "" {
		return err
	}
	return &failure.StreamError{Err: err, ResumeToken: last}
}

// stream cuts a walk into frames.
type stream struct {
	w       *walk
	emit    func(*parleyv1.StreamEventsResponse) error
	parts   [][]byte  // of the batch's list of events; none = nothing to send
	size    int       // of them together
	count   int       // of the events in them
	last    string    // token of the last checkpoint
	sent    time.Time // of the last checkpoint
	began   time.Time // of the batch
	notices notices
}

func (s *stream) run(ctx context.Context) error {
	err := s.frames(ctx)
	return streamError(err, s.last)
}

func (s *stream) frames(ctx context.Context) error {
	timer := time.NewTimer(s.w.engine.cfg.Heartbeat)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, v := s.w.step()
		if err := s.notices.tell(s.w.news()); err != nil {
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
			if s.size > 0 {
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
	if s.size > 0 {
		at = window.Earlier(at, s.began.Add(batchWait))
	}
	return at
}

// add puts the events at the head of a track into the batch; a full batch is sent before or after.
func (s *stream) add(t *track) error {
	e := t.head()
	if s.size > 0 && s.size+e.Size() > batchMost {
		if err := s.flush(); err != nil {
			return err
		}
	}
	events, n, err := s.w.stretch(t, math.MaxInt, s.room(t))
	if err != nil {
		return err
	}
	if s.size == 0 {
		s.began = time.Now()
	}
	s.parts = append(s.parts, events)
	s.size += len(events)
	s.count += n
	if s.size >= batchBytes || len(s.parts) == 1 && s.size >= batchLeast {
		return s.flush()
	}
	return nil
}

// room is how many bytes of events the batch still takes. What does not fit into one batch is cut into equal ones.
func (s *stream) room(t *track) int {
	room := batchMost - s.size
	if whole := t.active.Chunk.BasicSize(); s.size == 0 && whole > batchMost {
		room = min(room, whole/(whole/batchMost+1)+whole/len(t.active.Chunk.Entries))
	}
	return room
}

// deliver sends the batch. Unless its reader takes pieces, those that lie in different arrays are copied into one.
func (s *stream) deliver() error {
	if err := s.notices.begin(); err != nil {
		return err
	}
	if s.w.req.Batch != nil {
		if err := s.w.req.Batch(query.Batch{Pieces: s.parts, Count: s.count}); err != nil {
			return emitError{err}
		}
		return nil
	}
	batch := &parleyv1.EventBatch{}
	if err := setEvents(s.w.req, batch, s.joined()); err != nil {
		return err
	}
	return s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
}

func (s *stream) joined() []byte {
	if len(s.parts) == 1 {
		return s.parts[0]
	}
	return slices.Concat(s.parts...)
}

// flush sends the batch, if there is one, and a checkpoint.
func (s *stream) flush() error {
	if s.size > 0 {
		if err := s.deliver(); err != nil {
			return err
		}
		clear(s.parts)
		s.parts, s.size, s.count = s.parts[:0], 0, 0
	}
	if err := s.notices.begin(); err != nil {
		return err
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

// finish sends what is left and the summary.
func (s *stream) finish() error {
	if s.size > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if err := s.notices.begin(); err != nil {
		return err
	}
	token, err := s.w.token(true)
	if err != nil {
		return err
	}
	return s.send(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: &parleyv1.Summary{
		Complete: s.w.complete(), Notices: s.notices.all, Sources: s.w.reports(), ResumeToken: token,
	}}})
}

func (s *stream) send(frame *parleyv1.StreamEventsResponse) error {
	if err := s.emit(frame); err != nil {
		return emitError{err}
	}
	return nil
}
