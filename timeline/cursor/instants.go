package cursor

import (
	"math"
	"time"

	"github.com/parley-gateway/parley/internal/cursorpb"
)

// packTimes writes times as distances: the first one from base, which the reader of the token knows, the others from the time
// before. Times of any year can be written, the zero time too.
func packTimes(base time.Time, times ...time.Time) *cursorpb.Instants {
	if len(times) == 0 {
		return nil
	}
	packed := &cursorpb.Instants{}
	seconds, nanos := base.Unix(), 0
	for _, t := range times {
		packed.Seconds = append(packed.Seconds, t.Unix()-seconds)
		packed.Nanos = append(packed.Nanos, int32(t.Nanosecond()-nanos))
		seconds, nanos = t.Unix(), t.Nanosecond()
	}
	for n := len(packed.GetNanos()); n > 0 && packed.GetNanos()[n-1] == 0; n-- {
		packed.Nanos = packed.GetNanos()[:n-1]
	}
	return packed
}

// unpackTimes reads what packTimes has written.
func unpackTimes(base time.Time, packed *cursorpb.Instants) ([]time.Time, error) {
	if len(packed.GetNanos()) > len(packed.GetSeconds()) {
		return nil, ErrMalformed
	}
	times := make([]time.Time, 0, len(packed.GetSeconds()))
	seconds, nanos := base.Unix(), int64(0)
	for i, distance := range packed.GetSeconds() {
		seconds += distance
		if i < len(packed.GetNanos()) {
			nanos += int64(packed.GetNanos()[i])
		}
		if nanos < 0 || nanos >= int64(time.Second) {
			return nil, ErrMalformed
		}
		times = append(times, time.Unix(seconds, nanos).UTC())
	}
	return times, nil
}

// wholeSeconds writes a duration; a part of a second counts as a whole one.
func wholeSeconds(d time.Duration) uint32 {
	return uint32(min(max((d+time.Second-1)/time.Second, 0), math.MaxUint32))
}
