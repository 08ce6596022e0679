package quality

import (
	"cmp"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Limits of Microsoft's classification of audio streams. A stream of more than minPackets packets is classified: as poor if one
// of its means is larger than its limit, else as good.
const (
	minPackets      = 500
	lossLimit       = float32(0.1) // of the type that Graph's rates have, or 0.1 itself would pass
	jitterLimit     = 30 * time.Millisecond
	roundTripLimit  = 500 * time.Millisecond
	audioLabel      = "audio"
	good            = parleyv1.QualityClassification_QUALITY_CLASSIFICATION_GOOD
	poor            = parleyv1.QualityClassification_QUALITY_CLASSIFICATION_POOR
	unclassified    = parleyv1.QualityClassification_QUALITY_CLASSIFICATION_UNCLASSIFIED
	passedLoss      = parleyv1.QualityThreshold_QUALITY_THRESHOLD_PACKET_LOSS_RATE
	passedJitter    = parleyv1.QualityThreshold_QUALITY_THRESHOLD_JITTER
	passedRoundTrip = parleyv1.QualityThreshold_QUALITY_THRESHOLD_ROUND_TRIP_TIME
)

// stream is an audio stream with its place in the record.
type stream struct {
	session *parleyv1.CallSession
	segment *parleyv1.CallSegment
	media   *parleyv1.MediaStream
}

// isAudio reports whether a stream carries audio. Graph says so by the label of its media; without a label the codecs tell.
func isAudio(label string, of *parleyv1.MediaStream) bool {
	if label != "" {
		return strings.Contains(strings.ToLower(label), audioLabel)
	}
	return (of.GetAudioCodec() != 0 || of.GetAudioCodecOther() != "") && of.GetVideoCodec() == 0 && of.GetVideoCodecOther() == ""
}

// classify classifies the stream by the figures that Graph sent; a stream without any of the three stays unclassified.
func (s stream) classify() parleyv1.QualityClassification {
	if s.media.GetPacketUtilization() <= minPackets {
		return unclassified
	}
	loss, hasLoss := s.loss()
	jitter, hasJitter := s.jitter()
	trip, hasTrip := s.roundTrip()
	switch {
	case !hasLoss && !hasJitter && !hasTrip:
		return unclassified
	case loss > lossLimit || jitter > jitterLimit || trip > roundTripLimit:
		return poor
	default:
		return good
	}
}

// loss is the mean rate of lost packets; ok is false if Graph sent no valid one.
func (s stream) loss() (rate float32, ok bool) {
	if s.media == nil || s.media.AveragePacketLossRate == nil {
		return 0, false
	}
	rate = s.media.GetAveragePacketLossRate()
	if rate < 0 || math.IsNaN(float64(rate)) || math.IsInf(float64(rate), 1) {
		return 0, false
	}
	return rate, true
}

func (s stream) jitter() (time.Duration, bool) { return nonNegative(s.media.GetAverageJitter()) }

func (s stream) roundTrip() (time.Duration, bool) {
	return nonNegative(s.media.GetAverageRoundTripTime())
}

// nonNegative returns a duration; ok is false for an absent or negative one.
func nonNegative(d *durationpb.Duration) (time.Duration, bool) {
	if d == nil || d.AsDuration() < 0 {
		return 0, false
	}
	return d.AsDuration(), true
}

// worst holds for each figure the stream with the largest one; a zero stream = none has the figure.
type worst struct{ loss, jitter, roundTrip stream }

func (w *worst) add(s stream) {
	keepLarger(&w.loss, s, stream.loss)
	keepLarger(&w.jitter, s, stream.jitter)
	keepLarger(&w.roundTrip, s, stream.roundTrip)
}

// keepLarger puts s into the place of the largest if its figure is larger, or the first.
func keepLarger[T cmp.Ordered](largest *stream, s stream, figure func(stream) (T, bool)) {
	if value, ok := figure(s); ok {
		if most, has := figure(*largest); !has || value > most {
			*largest = s
		}
	}
}

// passed is a limit with the stream that passes it.
func (s stream) passed(limit parleyv1.QualityThreshold) *parleyv1.PassedThreshold {
	return &parleyv1.PassedThreshold{
		Threshold: limit, SessionId: s.session.GetId(), SegmentId: s.segment.GetId(), StreamId: s.media.GetStreamId(),
	}
}
