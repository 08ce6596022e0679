package timeline

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	minRun      = 256 << 10              // a run of events of this size is a batch of its own: nothing is copied
	batchLinger = 100 * time.Millisecond // how long a batch waits for more
)

// Batch is a batch of encoded events: the frame EventBatch of a stream.
type Batch struct {
	// Runs make the list field of an EventBatch when they are put one after the other. The bytes never change.
	Runs [][]byte
	// Count is the number of events.
	Count int
	// BySource are the same events by their sources.
	BySource SourceCounts
}

// With returns a batch of the same events that has other bytes of them.
func (b *Batch) With(events []byte) *Batch {
	return &Batch{Runs: [][]byte{events}, Count: b.Count, BySource: b.BySource}
}

// StreamEvents emits the whole interval as frames. emit may block: reading stops with it. After the first checkpoint
// errors are *failure.StreamError; an error of emit is returned as it is.
func (e *Engine) StreamEvents(
	ctx context.Context, sources query.Sources, req query.Events, token string, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	return e.StreamBatches(ctx, sources, req, token, func(b *Batch) error {
		batch := &parleyv1.EventBatch{}
		if err := (proto.UnmarshalOptions{Merge: true}).Unmarshal(slices.Concat(b.Runs...), batch); err != nil {
			return fmt.Errorf("decode events: %w", err)
		}
		return emit(&parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
	}, emit)
}

// StreamBatches is StreamEvents with encoded events: take receives the batches, and emit all other frames. A batch and its list of
// runs are used again after take has returned.
func (e *Engine) StreamBatches(
	ctx context.Context, sources query.Sources, req query.Events, token string,
	take func(*Batch) error, emit func(*parleyv1.StreamEventsResponse) error,
) error {
	ctx = source.WithPriority(ctx, source.Background)
	resolved, err := req.Resolve(sources)
	if err != nil {
		return err
	}
	if req.Reconnect && e.Finished(sources, req, token) {
		return nil
	}
	m, err := merge.Open(ctx, &e.merge, sources, &req, resolved, token, "resume_token")
	if err != nil {
		return err
	}
	defer m.Close()
	account, release := e.account(ctx)
	defer release()
	m.Limit(e.cfg.WindowsAtOnce, usualStreamRows, account)
	account.Add(frame.TargetBatch) // a batch is on its way
	defer account.Add(-frame.TargetBatch)
	m.ReadWhole(sources)
	stream := frame.Stream[*parleyv1.StreamEventsResponse]{
		Rows: m, Batch: &eventBatch{m: m, take: take}, Report: m, Frames: eventFrames, Emit: emit,
		Heartbeat: e.cfg.Heartbeat, Linger: batchLinger,
	}
	return stream.Run(ctx)
}

// eventFrames makes the frames of StreamEvents.
var eventFrames = frame.Frames[*parleyv1.StreamEventsResponse]{
	Notice: func(n *parleyv1.Notice) *parleyv1.StreamEventsResponse {
		return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Notice{Notice: n}}
	},
	Checkpoint: func(p *parleyv1.Checkpoint) *parleyv1.StreamEventsResponse {
		return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Checkpoint{Checkpoint: p}}
	},
	Summary: func(s *parleyv1.Summary) *parleyv1.StreamEventsResponse {
		return &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Summary{Summary: s}}
	},
}

// eventBatch collects encoded events.
type eventBatch struct {
	Batch

	m    *merge.Merger
	take func(*Batch) error
	size int // bytes of the runs together
}

// Size implements frame.Batch.
func (b *eventBatch) Size() int { return b.size }

// Add implements frame.Batch. It takes the next run of events.
func (b *eventBatch) Add() (frame.Fit, error) {
	if b.size > 0 && b.size+b.m.Head().Size() > frame.MaxBatch {
		return frame.DoesNotFit, nil
	}
	src := b.m.HeadSource()
	events, n, err := b.m.NextRun(math.MaxInt, b.remaining())
	if err != nil {
		return frame.DoesNotFit, err
	}
	b.Runs = append(b.Runs, events)
	b.size += len(events)
	b.Count += n
	b.BySource.add(src, n)
	if b.size >= frame.TargetBatch || len(b.Runs) == 1 && b.size >= minRun {
		return frame.Full, nil
	}
	return frame.Added, nil
}

// remaining returns the number of bytes that still fit into the batch. A chunk that is larger than a batch is divided into equal batches.
func (b *eventBatch) remaining() int {
	remaining := frame.MaxBatch - b.size
	c := b.m.HeadChunk()
	if whole := c.BasicSize(); b.size == 0 && whole > frame.MaxBatch {
		remaining = min(remaining, whole/(whole/frame.MaxBatch+1)+whole/len(c.Entries))
	}
	return remaining
}

// Send implements frame.Batch.
func (b *eventBatch) Send() error {
	if err := frame.Emit(b.take, &b.Batch); err != nil {
		return err
	}
	clear(b.Runs)
	b.Runs, b.Count, b.BySource, b.size = b.Runs[:0], 0, SourceCounts{}, 0
	return nil
}
