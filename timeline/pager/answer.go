package pager

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/frame"
)

// shape says how the frames F of a stream of T are made.
type shape[T proto.Message, F any] struct {
	frame.Frames[F]
	show  func(T) T
	batch func([]T) F
}

// streamChain emits a whole chain. Errors are as StreamEvents says. It emits nothing where it reconnects with the token of a finished stream.
func streamChain[T proto.Message, F any](ctx context.Context, c *chain[T], reconnect bool, sh shape[T, F], emit func(F) error) error {
	if reconnect && c.at.Finished {
		return nil
	}
	defer c.close()
	stream := frame.Stream[F]{
		Rows: c, Batch: &chainBatch[T, F]{c: c, shape: sh, emit: emit}, Report: c, Frames: sh.Frames, Emit: emit,
		Heartbeat: c.cfg.Heartbeat,
	}
	return stream.Run(source.WithPriority(ctx, source.Background))
}

// chainBatch is a batch of the rows of a chain.
type chainBatch[T proto.Message, F any] struct {
	c     *chain[T]
	shape shape[T, F]
	emit  func(F) error
	rows  []T
	size  int
}

// Size implements frame.Batch.
func (b *chainBatch[T, F]) Size() int { return b.size }

// Add implements frame.Batch.
func (b *chainBatch[T, F]) Add() (frame.Fit, error) {
	row, _ := b.c.head()
	shown := b.shape.show(row)
	n := chunk.FramedSize(proto.Size(shown))
	if b.size > 0 && b.size+n > frame.MaxBatch {
		return frame.NoRoom, nil
	}
	b.rows = append(b.rows, shown)
	b.size += n
	b.c.take()
	if b.size >= frame.TargetBatch {
		return frame.Full, nil
	}
	return frame.Added, nil
}

// Send implements frame.Batch.
func (b *chainBatch[T, F]) Send() error {
	rows := b.rows
	b.rows, b.size = nil, 0
	return frame.Emit(b.emit, b.shape.batch(rows))
}

// chainPage is one List page of a chain.
type chainPage[T proto.Message] struct {
	c    *chain[T]
	show func(T) T
	most int // rows
	size int // bytes

	rows     []T
	token    string
	complete bool
}

// listChain fills one List page.
func listChain[T proto.Message](ctx context.Context, l *Lister, c *chain[T], size int, show func(T) T) (*chainPage[T], error) {
	size, err := frame.PageSize(size)
	if err != nil {
		return nil, err
	}
	soft, cancel := frame.ListContext(ctx, l.cfg.ListTime)
	defer cancel()
	page := &chainPage[T]{c: c, show: show, most: size, size: chunk.FrameRoom}
	done, err := frame.Fill(soft, c, page)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	page.complete = done && c.complete()
	if !done {
		if page.token, err = c.token(); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// Empty implements frame.Page.
func (p *chainPage[T]) Empty() bool { return len(p.rows) == 0 }

// Enough implements frame.Page. What is left of the page of Graph at hand is read on: it may be the end.
func (p *chainPage[T]) Enough() bool {
	return len(p.rows) >= p.most && p.c.page != nil && p.c.page.Next != ""
}

// Add implements frame.Page.
func (p *chainPage[T]) Add() (bool, error) {
	if len(p.rows) >= p.most {
		return false, nil
	}
	row, _ := p.c.head()
	shown := p.show(row)
	n := chunk.FramedSize(proto.Size(shown))
	if len(p.rows) > 0 && p.size+n > chunk.MaxFrame {
		return false, nil
	}
	p.size += n
	p.rows = append(p.rows, shown)
	p.c.take()
	return true, nil
}
