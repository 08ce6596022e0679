package graphmap

import (
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// setNumber sets a numeric field from the text of a number and reports whether the field says exactly the same. A
// float32 field is set to the nearest value even if not: the caller keeps the exact one beside it.
func (p *property) setNumber(m protoreflect.Message, text string, quoted bool) bool {
	if quoted && !isNumber(text) {
		special, ok := specialFloats[text]
		if ok && (p.kind == kindFloat32 || p.kind == kindFloat64) {
			setFloat(p, m, special)
			return true
		}
		return false
	}
	switch p.kind {
	case kindInt32, kindInt64:
		n, ok := parseInteger(text)
		switch {
		case !ok:
			return false
		case p.kind == kindInt64:
			m.Set(p.field, protoreflect.ValueOfInt64(n))
		case n < math.MinInt32 || n > math.MaxInt32:
			return false
		default:
			m.Set(p.field, protoreflect.ValueOfInt32(int32(n)))
		}
		return true
	case kindFloat32:
		f, exact, ok := parseSingle(text)
		if ok {
			m.Set(p.field, protoreflect.ValueOfFloat32(f))
		}
		return exact
	case kindFloat64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			m.Set(p.field, protoreflect.ValueOfFloat64(f))
		}
		return err == nil && sameNumber(text, f, 64)
	default:
		return false
	}
}

// specialFloats are OData's texts for values that JSON has no number for.
var specialFloats = map[string]float64{"NaN": math.NaN(), "INF": math.Inf(1), "-INF": math.Inf(-1)}

func setFloat(p *property, m protoreflect.Message, f float64) {
	if p.kind == kindFloat32 {
		m.Set(p.field, protoreflect.ValueOfFloat32(float32(f)))
		return
	}
	m.Set(p.field, protoreflect.ValueOfFloat64(f))
}

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

// numberValue is a number for a Struct: a double, or its text where a double would change it.
func numberValue(text string) *structpb.Value {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !sameNumber(text, f, 64) {
		return structpb.NewStringValue(text)
	}
	return structpb.NewNumberValue(f)
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
