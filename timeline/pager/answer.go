package pager

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/parley-gateway/parley/eventwire"
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/chunk"
	"github.com/parley-gateway/parley/timeline/frame"
)

// rows are what a List or a stream hands out, one by one.
type rows[T proto.Message] interface {
	frame.Rows
	frame.Report
	rowReader[T]
}

// rowReader is the rows themselves, their end, and what is told about both.
type rowReader[T proto.Message] interface {
	rowQueue[T]
	rowsEnd
	rowsReport
}

// rowQueue is the rows that are left.
type rowQueue[T proto.Message] interface {
	// next returns the next row, after Step has returned Ready.
	next() (T, bool)
	// deliver moves the position after the next row.
	deliver()
	// mayHoldMore reports whether a full page has a token although nothing more was looked for.
	mayHoldMore() bool
}

// rowsEnd is the end of the rows, or of reading them.
type rowsEnd interface {
	// finished reports whether everything was delivered.
	finished() bool
	// complete reports whether everything was delivered, and read without a doubt.
	complete() bool
	// close stops what is being read and waits for its end.
	close()
}

// rowsReport is what a List page tells about its rows.
type rowsReport interface {
	// token seals the position.
	token() (string, error)
	// reports are the reports of the sources.
	reports() []*parleyv1.SourceReport
}

// shape says how the frames F of a stream of T are made.
type shape[T proto.Message, F any] struct {
	frame.Frames[F]

	show  func(T) T
	batch func([]T) F
}

// stream emits all rows of a pager as frames; its errors are those of frame.Stream. It emits nothing where a reader reconnects
// with the token of a finished stream.
func stream[T proto.Message, F any](ctx context.Context, cfg *Config, p rows[T], reconnect bool, s shape[T, F], emit func(F) error) error {
	if reconnect && p.finished() {
		return nil
	}
	defer p.close()
	frames := frame.Stream[F]{
		Rows: p, Batch: &batch[T, F]{pager: p, shape: s, emit: emit}, Report: p, Frames: s.Frames, Emit: emit,
		Heartbeat: cfg.Heartbeat,
	}
	return frames.Run(source.WithPriority(ctx, source.Background))
}

// batch collects the rows of one frame.
type batch[T proto.Message, F any] struct {
	pager rows[T]
	shape shape[T, F]
	emit  func(F) error
	rows  []T
	size  int
}

// Size implements frame.Batch.
func (b *batch[T, F]) Size() int { return b.size }

// Add implements frame.Batch.
func (b *batch[T, F]) Add() (frame.Fit, error) {
	row, _ := b.pager.next()
	shown := b.shape.show(row)
	n := eventwire.FramedSize(proto.Size(shown))
	if b.size > 0 && b.size+n > frame.MaxBatch {
		return frame.DoesNotFit, nil
	}
	b.rows = append(b.rows, shown)
	b.size += n
	b.pager.deliver()
	if b.size >= frame.TargetBatch {
		return frame.Full, nil
	}
	return frame.Added, nil
}

// Send implements frame.Batch.
func (b *batch[T, F]) Send() error {
	rows := b.rows
	b.rows, b.size = nil, 0
	return frame.Emit(b.emit, b.shape.batch(rows))
}

// listPage collects the rows of a List.
type listPage[T proto.Message] struct {
	pager   rows[T]
	show    func(T) T
	maxRows int
	size    int // bytes

	rows     []T
	token    string
	complete bool
}

// list fills the page of a List.
func list[T proto.Message](ctx context.Context, cfg *Config, p rows[T], size int, show func(T) T) (*listPage[T], error) {
	size, err := frame.PageSize(size)
	if err != nil {
		return nil, err
	}
	inTime, cancel := frame.ListContext(ctx, cfg.ListTime)
	defer cancel()
	filled := &listPage[T]{pager: p, show: show, maxRows: size, size: chunk.FrameOverhead}
	done, err := frame.Fill(inTime, p, filled)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	filled.complete = done && p.complete()
	if !done {
		if filled.token, err = p.token(); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// reports is the report of the source; on the last page it names what the source cannot hold.
func (p *listPage[T]) reports() []*parleyv1.SourceReport {
	if p.token == "" {
		return frame.AddCoverageGaps(p.pager.reports())
	}
	return p.pager.reports()
}

// Empty implements frame.Page.
func (p *listPage[T]) Empty() bool { return len(p.rows) == 0 }

// Enough implements frame.Page. On Graph's last page a full page still looks for the end: all other rows of that page may be
// hidden or known.
func (p *listPage[T]) Enough() bool {
	return len(p.rows) >= p.maxRows && p.pager.mayHoldMore()
}

// Add implements frame.Page.
func (p *listPage[T]) Add() (bool, error) {
	if len(p.rows) >= p.maxRows {
		return false, nil
	}
	row, _ := p.pager.next()
	shown := p.show(row)
	n := eventwire.FramedSize(proto.Size(shown))
	if len(p.rows) > 0 && p.size+n > chunk.MaxFrame {
		return false, nil
	}
	p.size += n
	p.rows = append(p.rows, shown)
	p.pager.deliver()
	return true, nil
}
