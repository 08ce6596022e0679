package graphmap

import (
	"strings"
	"time"
)

// instant is a point in time, or a length of time, in the parts that protobuf has.
type instant struct {
	seconds int64
	nanos   int32
}

// timeState says what a text for a time is.
type timeState uint8

const (
	timeMalformed timeState = iota
	timeUnset               // 0001-01-01T00:00:00, whatever the offset
	timeValid
)

// The range of google.protobuf.Timestamp, in seconds.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// parseTime reads a time of RFC 3339 with up to nine digits of fraction (zeros may follow). Seconds may be missing, as
// OData allows; offset and date may not.
func parseTime(text string) (instant, timeState) {
	const date = len("2006-01-02T15:04")
	if len(text) <= date || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' {
		return instant{}, timeMalformed
	}
	year, month, day := digits(text[0:4]), digits(text[5:7]), digits(text[8:10])
	hour, minute, second := digits(text[11:13]), digits(text[14:16]), 0
	rest, nanos, ok := text[16:], int32(0), true
	if rest[0] == ':' {
		if len(rest) < 4 {
			return instant{}, timeMalformed
		}
		second, rest = digits(rest[1:3]), rest[3:]
		if rest[0] == '.' {
			nanos, rest, ok = fraction(rest[1:])
		}
	}
	offset, valid := parseOffset(rest)
	if !ok || !valid || year < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
		month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return instant{}, timeMalformed
	}
	seconds := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix()
	if seconds == minSeconds && nanos == 0 {
		return instant{}, timeUnset
	}
	seconds -= int64(offset)
	if seconds < minSeconds || seconds > maxSeconds {
		return instant{}, timeMalformed
	}
	return instant{seconds: seconds, nanos: nanos}, timeValid
}

// parseDate reads a day, alone or as a time of that day with or without an offset: reports have had both. The day is what is
// written; it is not moved by the offset.
func parseDate(text string) (day string, state timeState) {
	const date = len("2006-01-02")
	text = strings.TrimSpace(text)
	if len(text) < date {
		return "", timeMalformed
	}
	day, rest := text[:date], text[date:]
	clock := "T00:00:00Z"
	if rest != "" {
		if rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ' {
			return "", timeMalformed
		}
		if clock = "T" + rest[1:]; !strings.ContainsAny(clock, "Zz+-") {
			clock += "Z"
		}
	}
	if _, state := parseTime(day + clock); state == timeMalformed {
		return "", timeMalformed
	}
	if day == "0001-01-01" {
		return "", timeUnset
	}
	return day, timeValid
}

// parseOffset reads Z or ±hh:mm as seconds east of Greenwich.
func parseOffset(text string) (int, bool) {
	if text == "Z" || text == "z" {
		return 0, true
	}
	if len(text) != len("+00:00") || text[3] != ':' || (text[0] != '+' && text[0] != '-') {
		return 0, false
	}
	hours, minutes := digits(text[1:3]), digits(text[4:6])
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset := hours*3600 + minutes*60
	if text[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// digits reads a number of decimal digits only; -1 if it is not one.
func digits(text string) int {
	n := 0
	for i := range len(text) {
		c := text[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// fraction reads the digits after a decimal point as nanoseconds and returns the rest of the text. Digits after the
// ninth must be zeros.
func fraction(text string) (nanos int32, rest string, ok bool) {
	n := leadingDigits(text)
	if n == 0 {
		return 0, text, false
	}
	for i := range max(n, 9) {
		switch {
		case i >= 9:
			if text[i] != '0' {
				return 0, text, false
			}
		case i < n:
			nanos = nanos*10 + int32(text[i]-'0')
		default:
			nanos *= 10
		}
	}
	return nanos, text[n:], true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
