package graphmap

import (
	"math"
	"strconv"
	"strings"
)

// specialFloats are OData's texts for values that JSON has no number for.
var specialFloats = map[string]float64{"NaN": math.NaN(), "INF": math.Inf(1), "-INF": math.Inf(-1)}

// parseInteger reads a whole number, also where it is written as 3.0 or 1e3.
func parseInteger(text string) (int64, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	if !strings.ContainsAny(text, ".eE") {
		return 0, false
	}
	dec := decimalOf(text)
	if !dec.ok || dec.exponent < 0 || len(dec.digits)+dec.exponent > 19 {
		return 0, false
	}
	n, err := strconv.ParseInt(dec.sign()+dec.digits+strings.Repeat("0", dec.exponent), 10, 64)
	return n, err == nil
}

// parseSingle reads an Edm.Single. It is exact if the text is the shortest spelling of the value or the spelling of the
// double next to it, as some serializers write it.
func parseSingle(text string) (f float32, exact, ok bool) {
	wide, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return 0, false, false
	}
	return float32(wide), sameNumber(text, wide, 32) || isShortest(text, wide, 64), true
}

// Decimal digits that every binary value of the width gives back.
const (
	safeDigits32 = 6
	safeDigits64 = 15
)

// sameNumber reports whether f, which is the value next to the text at the width, stands for the number of the text:
// whether its shortest spelling is that number.
func sameNumber(text string, f float64, width int) bool {
	safe := safeDigits64
	if width == 32 {
		safe = safeDigits32
	}
	if len(text) <= safe && !strings.ContainsAny(text, "eE") {
		return true
	}
	return isShortest(text, f, width)
}

// isShortest reports whether the shortest spelling of f at the width is the number of the text.
func isShortest(text string, f float64, width int) bool {
	var buffer [32]byte
	return decimalOf(text) == decimalOf(string(strconv.AppendFloat(buffer[:0], f, 'e', -1, width)))
}

// decimal is a number as its significant digits times a power of ten; zero has no digits. Equal numbers are equal
// values.
type decimal struct {
	digits   string
	exponent int
	negative bool
	ok       bool
}

func (d decimal) sign() string {
	if d.negative {
		return "-"
	}
	return ""
}

// decimalOf reads the text of a valid JSON number. An exponent beyond an int is not ok.
func decimalOf(text string) decimal {
	d := decimal{ok: true}
	text, d.negative = strings.CutPrefix(text, "-")
	mantissa, power := text, ""
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		mantissa, power = text[:at], text[at+1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{ok: true}
	}
	if power != "" {
		exponent, err := strconv.Atoi(power)
		if err != nil || exponent > math.MaxInt32 || exponent < math.MinInt32 {
			return decimal{}
		}
		d.exponent = exponent
	}
	d.exponent += len(digits) - len(d.digits) - len(fraction)
	return d
}

// isNumber reports whether a text is a number in JSON's grammar.
func isNumber(text string) bool {
	rest := strings.TrimPrefix(text, "-")
	whole := leadingDigits(rest)
	if whole == 0 || (whole > 1 && rest[0] == '0') {
		return false
	}
	rest = rest[whole:]
	if strings.HasPrefix(rest, ".") {
		fraction := leadingDigits(rest[1:])
		if fraction == 0 {
			return false
		}
		rest = rest[1+fraction:]
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		power := leadingDigits(rest)
		return power > 0 && power == len(rest)
	}
	return rest == ""
}

func leadingDigits(text string) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}
