package wirejson

import (
	"encoding/binary"
	"math/bits"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// These are protowire's functions with a short way for values of one byte, as most are.

func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	if len(b) > 0 && b[0] >= 1<<3 && b[0] < 0x80 {
		return protowire.Number(b[0] >> 3), protowire.Type(b[0] & 7), 1
	}
	return protowire.ConsumeTag(b)
}

func consumeVarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

func consumeBytes(b []byte) ([]byte, int) {
	if len(b) > 0 && b[0] < 0x80 && int(b[0]) < len(b) {
		end := 1 + int(b[0])
		return b[1:end], end
	}
	return protowire.ConsumeBytes(b)
}

// appendTime writes a Timestamp as protojson does: with 0, 3, 6 or 9 digits of fraction.
func appendTime(b, wire []byte) ([]byte, error) {
	var parts [3]int64
	last := protowire.Number(0)
	for len(wire) > 0 {
		number, kind, n := consumeTag(wire)
		if n < 0 || kind != protowire.VarintType || number <= last || number > 2 {
			return b, errUnusual
		}
		value, m := consumeVarint(wire[n:])
		if m < 0 {
			return b, errUnusual
		}
		parts[number], last, wire = int64(value), number, wire[n+m:]
	}
	seconds, nanos := parts[1], parts[2]
	const least, most = -62135596800, 253402300799 // of a Timestamp
	if seconds < least || seconds > most || nanos < 0 || nanos > 999_999_999 {
		return b, errUnusual
	}
	return appendStamp(b, time.Unix(seconds, 0).UTC(), int(nanos)), nil
}

// appendStamp writes an instant of the years 1 to 9999; it is several times faster than time.Time.AppendFormat.
func appendStamp(b []byte, t time.Time, nanos int) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = appendPair(appendPair(append(b, '"'), year/100), year%100)
	b = appendPair(append(b, '-'), int(month))
	b = appendPair(append(b, '-'), day)
	b = appendPair(append(b, 'T'), hour)
	b = appendPair(append(b, ':'), minute)
	b = appendPair(append(b, ':'), second)
	if nanos > 0 {
		b = append(b, '.')
		for left, unit := 9, 100_000_000; left > 0 && (nanos > 0 || left%3 != 0); left-- {
			b = append(b, byte('0'+nanos/unit))
			nanos, unit = nanos%unit, max(unit/10, 1)
		}
	}
	return append(b, 'Z', '"')
}

// appendPair writes a number below 100 with two digits.
func appendPair(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// special finds the first byte of a text, from i on, that JSON writes in another way; len(text) if there is none.
func special(text []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(text); i += 8 {
		x := binary.LittleEndian.Uint64(text[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// A high bit for each byte below ' ', or equal to either. A borrow sets wrong bits only above the first one.
		if found := ((x-ones*' ')&^x | (quote-ones)&^quote | (slash-ones)&^slash) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

// appendText writes a string as protojson does.
func appendText(b, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return b, errUnusual
	}
	b = append(b, '"')
	from := 0
	for i := special(text, 0); i < len(text); i = special(text, from) {
		b = append(b, text[from:i]...)
		from = i + 1
		switch c := text[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(b, text[from:]...), '"'), nil
}
