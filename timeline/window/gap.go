package window

import (
	"slices"
	"time"

	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
)

// Gap is a span with a doubt: it may not have been read whole.
type Gap struct {
	Span
	Reason parleyv1.ErrorReason
}

// MaxGaps is the number of gaps of a source at most, so that a token stays small.
const MaxGaps = 8

// AddGap adds a gap to gaps in ascending order. A gap that is there already is not added, gaps that adjoin are joined, and so are
// the nearest ones when there are too many. It changes gaps: clone them if they are shared.
func AddGap(gaps []Gap, g Gap) []Gap {
	for i := range gaps {
		if gaps[i].Reason == g.Reason && !g.Start.Before(gaps[i].Start) && !g.End.After(gaps[i].End) {
			return gaps
		}
	}
	gaps = append(gaps, g)
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		if order := a.Start.Compare(b.Start); order != 0 {
			return order
		}
		return a.End.Compare(b.End)
	})
	// Adjoining gaps with one reason are one gap.
	joined := gaps[:1]
	for _, next := range gaps[1:] {
		last := &joined[len(joined)-1]
		if last.Reason == next.Reason && !next.Start.After(last.End) {
			last.End = Later(last.End, next.End)
			continue
		}
		joined = append(joined, next)
	}
	for len(joined) > MaxGaps {
		joined = joinNearest(joined)
	}
	return joined
}

// joinNearest joins the two neighbours with the least time between them.
func joinNearest(gaps []Gap) []Gap {
	at, least := 0, time.Duration(1<<62)
	for i := range len(gaps) - 1 {
		if between := gaps[i+1].Start.Sub(gaps[i].End); between < least {
			at, least = i, between
		}
	}
	into, from := &gaps[at], gaps[at+1]
	into.End = Later(into.End, from.End)
	if into.Reason != from.Reason {
		into.Reason = parleyv1.ErrorReason_ERROR_REASON_SEVERAL_DOUBTS
	}
	return slices.Delete(gaps, at+1, at+2)
}
