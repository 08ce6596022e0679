package service

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/internal/reasons"
	"github.com/parley-gateway/parley/server/apierror"
	"github.com/parley-gateway/parley/server/callinfo"
	"github.com/parley-gateway/parley/server/lifetime"
	"github.com/parley-gateway/parley/server/metrics"
	"github.com/parley-gateway/parley/source"
	"github.com/parley-gateway/parley/timeline"
	"github.com/parley-gateway/parley/timeline/failure"
)

// streams holds what the streams of all services share: when they end, and the metrics of incomplete ones.
type streams struct {
	lifetime *lifetime.Streams
	metrics  *metrics.Metrics
}

// watch returns the context of a stream that ends when it must; see lifetime.Streams.
func (s *streams) watch(ctx context.Context) (_ context.Context, closer *lifetime.StreamCloser, release func()) {
	info := callinfo.FromContext(ctx)
	return s.lifetime.Watch(source.WithPriority(ctx, source.Background), info.AbortStream, info.Hold, info.Eviction)
}

// frameOf is the type of the frames of a stream whose message type is F: *F, with the members that all kinds of frames share.
type frameOf[F any] interface {
	*F
	lifetime.Frame
}

// sender sends the frames of one stream.
type sender[F any, P frameOf[F]] struct {
	stream grpc.ServerStreamingServer[F]
	access *accessGrant
	closer *lifetime.StreamCloser
	shared *streams
}

// runStream answers one stream: produce reads with background priority and hands frames to the sender, until it ends or the server stops. An
// error carries the token of the last checkpoint, if there was one; the caller has the token that the stream began with.
func runStream[F any, P frameOf[F]](
	s *streams, stream grpc.ServerStreamingServer[F], access *accessGrant, produce func(context.Context, *sender[F, P]) error,
) error {
	return s.run(stream.Context(), func(ctx context.Context, closer *lifetime.StreamCloser) error {
		return produce(ctx, &sender[F, P]{stream, access, closer, s})
	})
}

// run runs one stream until produce returns or the stream must end, and counts a failure.
func (s *streams) run(ctx context.Context, produce func(context.Context, *lifetime.StreamCloser) error) error {
	ctx, closer, release := s.watch(ctx)
	defer release()
	err := closer.Result(produce(ctx, closer))
	if err != nil {
		s.countFailed(err)
	}
	return err
}

// countFailed counts each source whose failure ended a stream. A failure of no source counts once, under the label "all".
func (s *streams) countFailed(err error) {
	failed, ok := errors.AsType[*failure.Error](err)
	if !ok || failed.Source == parleyv1.Source_SOURCE_UNSPECIFIED {
		s.metrics.StreamIncomplete("all", apierror.Reason(apierror.FromError(err)))
		return
	}
	for _, each := range append([]*failure.Error{failed}, failed.Others...) {
		s.metrics.StreamIncomplete(metrics.SourceLabel(each.Source), reasons.Text(each.Reason))
	}
}

// sendFrame sends one frame.
func (s *sender[F, P]) sendFrame(frame P) error {
	part, token := lifetime.PartOf(frame), frame.GetCheckpoint().GetResumeToken()
	summary := frame.GetSummary()
	if part == lifetime.Summary {
		token = summary.GetResumeToken()
		explainUnresolved(s.access, summary.GetSources())
		s.shared.countIncomplete(summary)
	}
	return s.closer.SendFrame(part, token, func() error { return s.stream.Send(frame) })
}

// sendBatch sends a batch of encoded events as a frame: package server's codec and package rest write a *timeline.Batch as the frame that
// has it.
func (s *sender[F, P]) sendBatch(batch *timeline.Batch) error {
	return s.closer.SendFrame(lifetime.Content, "", func() error { return s.stream.SendMsg(batch) })
}

// countIncomplete counts the sources that keep a summary from being complete.
func (s *streams) countIncomplete(summary *parleyv1.Summary) {
	if summary.GetComplete() {
		return
	}
	for _, report := range summary.GetSources() {
		label := metrics.SourceLabel(report.GetSource())
		switch report.GetState() {
		case parleyv1.SourceState_SOURCE_STATE_READ:
			s.countGaps(label, report.GetGaps())
		case parleyv1.SourceState_SOURCE_STATE_NOT_APPLICABLE:
		default:
			s.metrics.StreamIncomplete(label, report.GetReason())
		}
	}
}

// countGaps counts each reason of a source's gaps once.
func (s *streams) countGaps(label string, gaps []*parleyv1.Gap) {
	seen := make(map[string]bool)
	for _, gap := range gaps {
		if !seen[gap.GetReason()] {
			seen[gap.GetReason()] = true
			s.metrics.StreamIncomplete(label, gap.GetReason())
		}
	}
}
