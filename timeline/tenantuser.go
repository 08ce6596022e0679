package timeline

import (
	"context"
	"math"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/timeline/frame"
	"github.com/parley-gateway/parley/timeline/merge"
)

// openUser is a user whose events are read. Its goroutine owns the merger; the tenantStream owns the position.
type openUser struct {
	id     string
	stream *tenantStream
	merger *merge.Merger

	token    []byte // position of the events that were handed to the stream; empty = nothing was
	progress []*parleyv1.SourceProgress
	hasSlot  bool // written before the goroutine begins, or by it before its first message

	batch userBatch
}

// userFrame is a frame of the events of one user.
type userFrame struct {
	checkpoint *parleyv1.Checkpoint
	summary    *parleyv1.Summary
}

var userFrames = frame.Frames[userFrame]{
	Notice:     func(*parleyv1.Notice) userFrame { return userFrame{} }, // the gaps and reasons of the reports say the same
	Checkpoint: func(c *parleyv1.Checkpoint) userFrame { return userFrame{checkpoint: c} },
	Summary:    func(s *parleyv1.Summary) userFrame { return userFrame{summary: s} },
}

// run reads the events of the user, and sends messages to the stream until the end.
func (u *openUser) run(ctx context.Context) {
	defer u.merger.Close()
	u.batch = userBatch{eventBatch: eventBatch{m: u.merger, take: func(*Batch) error { return u.takeSlot(ctx) }}}
	stream := frame.Stream[userFrame]{
		Rows: u.merger, Batch: &u.batch, Report: u.merger, Frames: userFrames,
		Emit:      func(f userFrame) error { return u.emit(ctx, f) },
		Heartbeat: math.MaxInt64 / 4, // a position without events is no news
		Linger:    batchLinger,
	}
	err := stream.Run(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	u.merger.FinalizeStops()
	_ = u.send(ctx, userMessage{done: true, err: err, reports: frame.AddCoverageGaps(u.merger.Reports())}) // it fails where the stream has ended
}

// takeSlot waits for a slot, unless the user has one.
func (u *openUser) takeSlot(ctx context.Context) error {
	if u.hasSlot {
		return nil
	}
	select {
	case u.stream.slots <- struct{}{}:
		u.hasSlot = true
		u.merger.ClaimMemory()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// emit sends the message of a frame.
func (u *openUser) emit(ctx context.Context, f userFrame) error {
	switch {
	case f.summary != nil:
		return u.send(ctx, userMessage{done: true, complete: f.summary.GetComplete(), reports: f.summary.GetSources(), stopped: u.merger.Err()})
	case f.checkpoint != nil:
		message := userMessage{runs: u.batch.bySourceRuns, token: f.checkpoint.GetResumeToken(), progress: f.checkpoint.GetSources()}
		u.batch.bySourceRuns = nil
		return u.send(ctx, message)
	default:
		return nil
	}
}

// send sends a message to the stream.
func (u *openUser) send(ctx context.Context, message userMessage) error {
	message.user = u
	select {
	case u.stream.messages <- message:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// userBatch collects the events of one user's next message, each run with its source.
type userBatch struct {
	eventBatch

	bySourceRuns []sourceRun
}

// Add implements frame.Batch.
func (b *userBatch) Add() (frame.Fit, error) {
	src, runs, count := b.m.HeadSource(), len(b.Runs), b.Count
	fit, err := b.eventBatch.Add()
	if len(b.Runs) > runs {
		b.bySourceRuns = append(b.bySourceRuns, sourceRun{b.Runs[runs], b.Count - count, src})
	}
	return fit, err
}
