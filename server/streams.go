package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline/failure"
	"github.com/parley-gateway/parley/timeline/query"
)

// frameMessage is a frame of one of the three streams of frames.
type frameMessage interface {
	GetCheckpoint() *parleyv1.Checkpoint
	GetSummary() *parleyv1.Summary
	GetNotice() *parleyv1.Notice
}

// streams are what all streams have in common: when they end, and what is counted of them.
type streams struct {
	drain      *drainer
	ages       *ages
	age, stall time.Duration // Config.StreamAge and StreamStall
	metrics    *metrics.Metrics
}

// sender sends the frames of one stream, and notes in the call what it hands out.
type sender[F any, P interface {
	*F
	frameMessage
}] struct {
	stream grpc.ServerStreamingServer[F]
	target *callTarget
	end    *streamEnd
	shared *streams
	rows   func(frame P) int // of a batch
}

// run sends the frames that produce hands to the sender, in the background priority, until it ends or the server stops. The
// token of the last checkpoint goes with every error, unless there was none: the token that the caller went on from is theirs
// already.
func run[F any, P interface {
	*F
	frameMessage
}](s *streams, stream grpc.ServerStreamingServer[F], target *callTarget, rows func(frame P) int, produce func(context.Context, *sender[F, P]) error) error {
	ctx, end, release := s.watch(source.WithPriority(stream.Context(), source.Background))
	defer release()
	err := end.result(produce(ctx, &sender[F, P]{stream, target, end, s, rows}))
	if err != nil {
		s.metrics.StreamIncomplete("all", apierror.Reason(apierror.FromError(err)))
	}
	return err
}

// frame sends one frame.
func (s *sender[F, P]) frame(frame P) error {
	summary := frame.GetSummary()
	batch := summary == nil && frame.GetCheckpoint() == nil && frame.GetNotice() == nil
	if err := s.end.before(batch, summary != nil); err != nil {
		return err
	}
	token := frame.GetCheckpoint().GetResumeToken()
	if summary != nil {
		token = summary.GetResumeToken()
		explain(s.target, summary.GetSources())
		s.shared.countIncomplete(summary)
	}
	if err := s.end.send(func() error { return s.stream.Send(frame) }); err != nil {
		return err
	}
	handed := &infoOf(s.stream.Context()).handed
	handed.events += int64(s.rows(frame))
	if summary != nil {
		handed.setComplete(summary.GetComplete())
	}
	if token == "" {
		return nil
	}
	return s.end.after(token, summary != nil)
}

// batch sends a batch of encoded events, which is a frame itself.
func (s *sender[F, P]) batch(batch *query.Batch) error {
	if err := s.end.before(true, false); err != nil {
		return err
	}
	if err := s.end.send(func() error { return s.stream.SendMsg(batch) }); err != nil {
		return err
	}
	infoOf(s.stream.Context()).handed.events += int64(batch.Count)
	return nil
}

// withToken adds a resume token to an error that has none.
func withToken(err error, token string) error {
	var known *failure.StreamError
	if token == "" || errors.As(err, &known) {
		return err
	}
	return &failure.StreamError{Err: err, ResumeToken: token}
}

// tokenOf is the resume token of an error; empty = none.
func tokenOf(err error) string {
	if known, ok := errors.AsType[*failure.StreamError](err); ok {
		return known.ResumeToken
	}
	return ""
}

// countIncomplete counts the sources that keep a summary from being complete.
func (s *streams) countIncomplete(summary *parleyv1.Summary) {
	if summary.GetComplete() {
		return
	}
	for _, report := range summary.GetSources() {
		label := strings.ToLower(strings.TrimPrefix(report.GetSource().String(), "SOURCE_"))
		if report.GetState() != parleyv1.SourceState_SOURCE_STATE_READ {
			s.metrics.StreamIncomplete(label, report.GetReason())
			continue
		}
		seen := make(map[string]bool)
		for _, gap := range report.GetGaps() {
			if !seen[gap.GetReason()] {
				seen[gap.GetReason()] = true
				s.metrics.StreamIncomplete(label, gap.GetReason())
			}
		}
	}
}
