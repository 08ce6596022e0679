package quality

import (
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// tally sums up the streams, times and ratings of a call or of one participant.
type tally struct {
	classified, others       worst // of the streams that are good or poor, and of the others
	good, poor, unclassified int32 // streams
	times                    []span
	rating                   parleyv1.UserFeedbackRating
	otherRating              string
}

// span is a time of presence in the call.
type span struct{ from, to time.Time }

func (t *tally) add(s stream) {
	switch s.classify() {
	case good:
		t.good++
	case poor:
		t.poor++
	default:
		t.unclassified++
		t.others.add(s)
		return
	}
	t.classified.add(s)
}

// addRating takes over a rating that is lower than those before.
func (t *tally) addRating(f *parleyv1.UserFeedback) {
	if rank(f.GetRating(), f.GetRatingOther()) < rank(t.rating, t.otherRating) {
		t.rating, t.otherRating = f.GetRating(), f.GetRatingOther()
	}
}

// rank orders ratings: those on the scale from the lowest on, then unknown ones, ratings that were asked for and not given, and no rating.
func rank(rating parleyv1.UserFeedbackRating, other string) int {
	switch {
	case rating >= parleyv1.UserFeedbackRating_USER_FEEDBACK_RATING_BAD && rating <= parleyv1.UserFeedbackRating_USER_FEEDBACK_RATING_EXCELLENT:
		return int(rating)
	case other != "":
		return 100
	case rating == parleyv1.UserFeedbackRating_USER_FEEDBACK_RATING_UNKNOWN_FUTURE_VALUE:
		return 101
	case rating == parleyv1.UserFeedbackRating_USER_FEEDBACK_RATING_NOT_RATED:
		return 102
	default:
		return 103
	}
}

// quality returns the tally as a message; lasted is how long it was, nil if that is not known.
func (t *tally) quality(lasted *durationpb.Duration) *parleyv1.Quality {
	q := &parleyv1.Quality{
		GoodStreams: t.good, PoorStreams: t.poor, UnclassifiedStreams: t.unclassified,
		Duration: lasted, FeedbackRating: t.rating, FeedbackRatingOther: t.otherRating,
	}
	from := &t.classified
	switch {
	case t.poor > 0:
		q.Classification = poor
	case t.good > 0:
		q.Classification = good
	default:
		q.Classification, from = unclassified, &t.others
	}
	isPoor := q.GetClassification() == poor
	if trip, ok := from.roundTrip.roundTrip(); ok {
		q.WorstRoundTripTime = durationpb.New(trip)
		if isPoor && trip > roundTripLimit {
			q.PassedThresholds = append(q.PassedThresholds, from.roundTrip.passed(passedRoundTrip))
		}
	}
	if loss, ok := from.loss.loss(); ok {
		q.WorstPacketLossRate = &loss
		if isPoor && loss > lossLimit {
			q.PassedThresholds = append(q.PassedThresholds, from.loss.passed(passedLoss))
		}
	}
	if jitter, ok := from.jitter.jitter(); ok {
		q.WorstJitter = durationpb.New(jitter)
		if isPoor && jitter > jitterLimit {
			q.PassedThresholds = append(q.PassedThresholds, from.jitter.passed(passedJitter))
		}
	}
	return q
}

// addTime adds a time in the call. Times that are absent or end before they start are none.
func (t *tally) addTime(start, end *timestamppb.Timestamp) {
	if d := between(start, end); d != nil {
		t.times = append(t.times, span{start.AsTime(), end.AsTime()})
	}
}

// timePresent returns the time in the call, which counts once where times overlap; nil if there is none.
func (t *tally) timePresent() *durationpb.Duration {
	if len(t.times) == 0 {
		return nil
	}
	slices.SortFunc(t.times, func(a, b span) int { return a.from.Compare(b.from) })
	sum, until := time.Duration(0), t.times[0].from
	for _, s := range t.times {
		if s.from.After(until) {
			until = s.from
		}
		if s.to.After(until) {
			sum += min(s.to.Sub(until), math.MaxInt64-sum) // Graph dates as it likes
			until = s.to
		}
	}
	return durationpb.New(sum)
}

// between is the time from start to end; nil if one is absent or end is before start.
func between(start, end *timestamppb.Timestamp) *durationpb.Duration {
	if start == nil || end == nil || end.AsTime().Before(start.AsTime()) {
		return nil
	}
	return durationpb.New(end.AsTime().Sub(start.AsTime()))
}
