package timeline

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
)

// shape says how the frames F of a stream of T are made.
type shape[T proto.Message, F any] struct {
	show       func(T) T
	batch      func([]T) F
	notice     func(*parleyv1.Notice) F
	checkpoint func(*parleyv1.Checkpoint) F
	summary    func(*parleyv1.Summary) F
}

// chainStream cuts a chain into frames.
type chainStream[T proto.Message, F any] struct {
	c       *chain[T]
	shape   shape[T, F]
	emit    func(F) error
	rows    []T
	bytes   int // of the rows, on the wire or as JSON
	last    string
	sent    time.Time
	notices notices
}

// streamChain emits a whole chain. Errors are as StreamEvents says. It emits nothing where it reconnects with the token of a finished stream.
func streamChain[T proto.Message, F any](ctx context.Context, c *chain[T], reconnect bool, sh shape[T, F], emit func(F) error) error {
	if reconnect && c.at.Finished {
		return nil
	}
	s := &chainStream[T, F]{c: c, shape: sh, emit: emit, sent: time.Now()}
	s.notices.send = func(n *parleyv1.Notice) error { return s.send(s.shape.notice(n)) }
	err := s.run(source.WithPriority(ctx, source.Background))
	return streamError(err, s.last)
}

func (s *chainStream[T, F]) run(ctx context.Context) error {
	for {
		row, ok := s.c.head()
		if ok {
			if err := s.add(row); err != nil {
				return err
			}
			continue
		}
		if len(s.rows) > 0 {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// Heartbeats repeat the place that was sealed before the page was asked for.
		place, err := s.c.token()
		if err != nil {
			return err
		}
		more, err := loadBeating(ctx, s.c, s.due, func() error { return s.checkpoint(place) })
		if tellErr := s.notices.tell(s.c.news()); tellErr != nil {
			return tellErr
		}
		if err != nil {
			return err
		}
		if !more {
			return s.finish()
		}
	}
}

func (s *chainStream[T, F]) due() time.Time { return s.sent.Add(s.c.engine.cfg.Heartbeat) }

func (s *chainStream[T, F]) add(row T) error {
	shown := s.shape.show(row)
	n := chunk.FramedSize(proto.Size(shown))
	if len(s.rows) > 0 && s.bytes+n > batchMost {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.rows = append(s.rows, shown)
	s.bytes += n
	s.c.take()
	if s.bytes >= batchBytes {
		return s.flush()
	}
	return nil
}

// flush sends the rows at hand, if any, and a checkpoint.
func (s *chainStream[T, F]) flush() error {
	if len(s.rows) > 0 {
		rows := s.rows
		s.rows, s.bytes = nil, 0
		if err := s.notices.begin(); err != nil {
			return err
		}
		if err := s.send(s.shape.batch(rows)); err != nil {
			return err
		}
	}
	token, err := s.c.token()
	if err != nil {
		return err
	}
	return s.checkpoint(token)
}

func (s *chainStream[T, F]) checkpoint(token string) error {
	if err := s.notices.begin(); err != nil {
		return err
	}
	err := s.send(s.shape.checkpoint(&parleyv1.Checkpoint{
		ResumeToken: token, Sources: []*parleyv1.SourceProgress{{Source: s.c.src}},
	}))
	s.last, s.sent = token, time.Now()
	return err
}

func (s *chainStream[T, F]) finish() error {
	if err := s.notices.begin(); err != nil {
		return err
	}
	token, err := s.c.token()
	if err != nil {
		return err
	}
	return s.send(s.shape.summary(&parleyv1.Summary{
		Complete: s.c.complete(), Notices: s.notices.all, Sources: s.c.reports(), ResumeToken: token,
	}))
}

func (s *chainStream[T, F]) send(frame F) error {
	if err := s.emit(frame); err != nil {
		return emitError{err}
	}
	return nil
}
