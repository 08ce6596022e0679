package graphmap

import (
	"math/bits"
	"strings"
)

// maxDuration is the range of google.protobuf.Duration to both sides, in seconds.
const maxDuration = 315576000000

// unit is a designator of an ISO 8601 duration with its length in seconds.
type unit struct {
	letter  byte
	seconds uint64
}

// Years and months have no length of their own and so are not here.
var (
	dateUnits = []unit{{'W', 7 * 86400}, {'D', 86400}}
	timeUnits = []unit{{'H', 3600}, {'M', 60}, {'S', 1}}
)

// parseDuration reads an ISO 8601 duration of weeks, days, hours, minutes and seconds, in this order, each at most
// once; only the last may have a fraction. Lengths that are no whole number of nanoseconds, or beyond
// google.protobuf.Duration, are refused.
func parseDuration(text string) (instant, bool) {
	text, negative := strings.CutPrefix(text, "-")
	text, ok := strings.CutPrefix(text, "P")
	if !ok || text == "" {
		return instant{}, false
	}
	date, clock, timed := strings.Cut(text, "T")
	if timed && clock == "" {
		return instant{}, false
	}
	var sum length
	if !sum.add(date, dateUnits) || (timed && sum.fractional) || !sum.add(clock, timeUnits) {
		return instant{}, false
	}
	sum.seconds += sum.nanos / nanosPerSecond
	sum.nanos %= nanosPerSecond
	if sum.seconds > maxDuration || (sum.seconds == maxDuration && sum.nanos > 0) {
		return instant{}, false
	}
	if negative {
		return instant{seconds: -int64(sum.seconds), nanos: -int32(sum.nanos)}, true
	}
	return instant{seconds: int64(sum.seconds), nanos: int32(sum.nanos)}, true
}

const nanosPerSecond = 1_000_000_000

// length is a duration while it is summed up.
type length struct {
	seconds, nanos uint64
	fractional     bool // nothing may follow a fraction
}

// add reads the components that text consists of; units must come in the order given.
func (l *length) add(text string, units []unit) bool {
	for text != "" {
		n := leadingDigits(text)
		if n == 0 || l.fractional {
			return false
		}
		whole, rest := strings.TrimLeft(text[:n], "0"), text[n:]
		var nanos int32
		if strings.HasPrefix(rest, ".") {
			var ok bool
			if nanos, rest, ok = fraction(rest[1:]); !ok {
				return false
			}
			l.fractional = true
		}
		if rest == "" || len(whole) > 12 { // 12 digits are beyond the range already
			return false
		}
		for len(units) > 0 && units[0].letter != rest[0] {
			units = units[1:]
		}
		if len(units) == 0 || !l.addUnit(uint64(digits(whole)), uint64(nanos), units[0].seconds) {
			return false
		}
		units, text = units[1:], rest[1:]
	}
	return true
}

// addUnit adds whole units and nanounits of the given length. Both products fit: whole has 12 digits, a week less than
// a million seconds.
func (l *length) addUnit(whole, nanos, seconds uint64) bool {
	l.seconds += whole * seconds
	high, low := bits.Mul64(nanos, seconds)
	l.nanos += low
	return high == 0
}
