package timeline

import (
	"context"
	"math"
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
	"github.com/parley-gateway/parley/timeline/query"
)

const (
	leastBatch  = 256 << 10              // events that lie together in one array go out as they are from this size on
	batchLinger = 100 * time.Millisecond // how long a batch waits for more
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
	w, err := merge.Open(ctx, &e.merge, have, &req, to, token, "resume_token")
	if err != nil {
		return err
	}
	defer w.Close()
	account, release := e.account(ctx)
	defer release()
	w.Limit(e.cfg.Ahead, usualAhead, account)
	account.Add(frame.TargetBatch) // a batch is on its way
	defer account.Add(-frame.TargetBatch)
	w.ReadWhole(have)
	stream := frame.Stream[*parleyv1.StreamEventsResponse]{
		Rows: w, Batch: &eventBatch{w: w, req: &req, emit: emit}, Report: w, Frames: eventFrames, Emit: emit,
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

// eventBatch is a batch of encoded events. Its pieces make the list field of an EventBatch.
type eventBatch struct {
	w      *merge.Merger
	req    *query.Events
	emit   func(*parleyv1.StreamEventsResponse) error
	pieces [][]byte
	size   int // of the pieces together
	count  int // of the events in them
}

// Size implements frame.Batch.
func (b *eventBatch) Size() int { return b.size }

// Add implements frame.Batch. It takes the next run of events.
func (b *eventBatch) Add() (frame.Fit, error) {
	if b.size > 0 && b.size+b.w.Head().Size() > frame.MaxBatch {
		return frame.NoRoom, nil
	}
	events, n, err := b.w.NextRun(math.MaxInt, b.room())
	if err != nil {
		return frame.NoRoom, err
	}
	b.pieces = append(b.pieces, events)
	b.size += len(events)
	b.count += n
	if b.size >= frame.TargetBatch || len(b.pieces) == 1 && b.size >= leastBatch {
		return frame.Full, nil
	}
	return frame.Added, nil
}

// room is how many bytes of events the batch still takes. What does not fit into one batch is cut into equal ones.
func (b *eventBatch) room() int {
	room := frame.MaxBatch - b.size
	c := b.w.HeadChunk()
	if whole := c.BasicSize(); b.size == 0 && whole > frame.MaxBatch {
		room = min(room, whole/(whole/frame.MaxBatch+1)+whole/len(c.Entries))
	}
	return room
}

// Send implements frame.Batch. Unless the reader takes pieces, those that lie in different arrays are copied into one.
func (b *eventBatch) Send() error {
	if err := b.send(); err != nil {
		return err
	}
	clear(b.pieces)
	b.pieces, b.size, b.count = b.pieces[:0], 0, 0
	return nil
}

func (b *eventBatch) send() error {
	if take := b.req.Batch; take != nil {
		return frame.Emit(take, query.Batch{Pieces: b.pieces, Count: b.count})
	}
	batch := &parleyv1.EventBatch{}
	if err := setEvents(b.req, batch, b.joined()); err != nil {
		return err
	}
	return frame.Emit(b.emit, &parleyv1.StreamEventsResponse{Frame: &parleyv1.StreamEventsResponse_Batch{Batch: batch}})
}

func (b *eventBatch) joined() []byte {
	if len(b.pieces) == 1 {
		return b.pieces[0]
	}
	return slices.Concat(b.pieces...)
}
