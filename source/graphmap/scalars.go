package graphmap

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// scalar reads a value into a field that holds neither messages nor objects. A value that does not fit the field goes to unmapped.
func (d *Draft) scalar(i, depth int, p *property, parent Node) (end int, ok bool) {
	switch c := d.record[i]; {
	case c == '"': // empty text is absence, whatever the field
		text, end, ok := d.text(i)
		if ok && len(text) > 0 && !d.setText(p, parent, text) {
			d.addExtraText(text)
		}
		return end, ok
	case isDigit(c):
		if end, ok = jsonscan.Number(d.record, i); ok {
			d.setDigits(p, parent, d.record[i:end])
		}
		return end, ok
	case (c == 't' || c == 'f') && p.kind == kindBool:
		if end, ok = jsonscan.Literal(d.record, i); ok {
			d.setBool(p, parent, c == 't')
		}
		return end, ok
	case p.kind == kindType:
		return jsonscan.Skip(d.record, i, depth) // an annotation that makes no sense is still only an annotation
	default:
		return d.addExtraValue(i, depth)
	}
}

// isDigit reports whether a number begins with c.
func isDigit(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

func (d *Draft) setBool(p *property, parent Node, value bool) {
	if value || p.presence {
		d.leaf(parent, p.number, formVarint).value = protowire.EncodeBool(value)
	}
}

// setBytes sets the field to a text or bytes. Where the field has presence, empty ones are set too.
func (d *Draft) setBytes(p *property, parent Node, data []byte) {
	if len(data) > 0 || p.presence {
		d.leaf(parent, p.number, formBytes).data = data
	}
}

// setText sets the field from a text that is not empty. It reports false for a text that the field cannot hold.
func (d *Draft) setText(p *property, parent Node, text []byte) bool {
	switch p.kind {
	case kindString:
		d.setBytes(p, parent, text)
	case kindName:
		if bytes.HasPrefix(text, addressMark) && isAddress(string(text)) {
			d.setOther(p, parent, text)
		} else {
			d.setBytes(p, parent, text)
		}
	case kindType:
		d.setBytes(p, parent, bareType(text))
	case kindEnum:
		return d.setMember(p, parent, text)
	case kindTime:
		at, state := parseTime(string(text))
		if state == timeValid {
			d.setInstant(p, parent, at)
		}
		return state != timeMalformed
	case kindDate:
		day, state := parseDate(string(text))
		if state == timeValid {
			d.setBytes(p, parent, []byte(day))
		}
		return state != timeMalformed
	case kindDuration:
		length, ok := parseDuration(string(text))
		if ok {
			d.setInstant(p, parent, length)
		}
		return ok
	case kindBytes:
		data, ok := parseBytes(string(text))
		if ok {
			d.setBytes(p, parent, data)
		}
		return ok
	case kindBool:
		if word := string(text); word == "true" || word == "false" {
			d.setBool(p, parent, word == "true")
			return true
		}
		return false
	default:
		return d.setQuotedNumber(p, parent, string(text))
	}
	return true
}

// setMember sets an enumeration by Graph's spelling, which is exact in case. An unknown member fills the sibling. It reports false for an
// unknown member of an enumeration without a sibling.
func (d *Draft) setMember(p *property, parent Node, text []byte) bool {
	number, known := p.enum[string(text)]
	switch {
	case known && (number != 0 || p.presence):
		d.leaf(parent, p.number, formVarint).value = uint64(number)
	case known:
	case p.other == nil:
		return false
	default:
		d.setOther(p, parent, text)
	}
	return true
}

// setOther sets the sibling of the field to a text that is not empty.
func (d *Draft) setOther(p *property, parent Node, text []byte) {
	d.leaf(parent, p.otherNumber, formBytes).data = text
}

func (d *Draft) setInstant(p *property, parent Node, at instant) {
	n := d.leaf(parent, p.number, formTime)
	n.value, n.nanos = uint64(at.seconds), at.nanos
}

// setDigits reads a number into a field of any kind.
func (d *Draft) setDigits(p *property, parent Node, digits []byte) {
	switch p.kind {
	case kindString, kindName:
		d.setBytes(p, parent, digits)
	case kindType: // not a type name, and still only an annotation
	case kindInt32, kindInt64, kindFloat32, kindFloat64:
		if !d.setNumber(p, parent, string(digits)) {
			d.addExtraNumber(digits)
		}
	default:
		d.addExtraNumber(digits)
	}
}

// setQuotedNumber is setNumber for a text that may be no number. A float field takes those of OData that stand for one, such as INF.
func (d *Draft) setQuotedNumber(p *property, parent Node, text string) bool {
	if isNumber(text) {
		return d.setNumber(p, parent, text)
	}
	special, ok := specialFloats[text]
	if ok && (p.kind == kindFloat32 || p.kind == kindFloat64) {
		d.setFloat(p, parent, special)
		return true
	}
	return false
}

// setNumber sets a numeric field from the text of a number and reports whether the field says exactly the same. A
// float32 field is set to the nearest value even if not: the caller adds the exact one to unmapped.
func (d *Draft) setNumber(p *property, parent Node, text string) bool {
	switch p.kind {
	case kindInt32, kindInt64:
		n, ok := parseInteger(text)
		if !ok || p.kind == kindInt32 && (n < math.MinInt32 || n > math.MaxInt32) {
			return false
		}
		if n != 0 || p.presence {
			d.leaf(parent, p.number, formVarint).value = uint64(n)
		}
		return true
	case kindFloat32:
		f, exact, ok := parseSingle(text)
		if ok {
			d.setFloat(p, parent, float64(f))
		}
		return exact
	case kindFloat64:
		f, err := strconv.ParseFloat(text, 64)
		if err == nil {
			d.setFloat(p, parent, f)
		}
		return err == nil && sameNumber(text, f, 64)
	default:
		return false
	}
}

func (d *Draft) setFloat(p *property, parent Node, f float64) {
	value, form := math.Float64bits(f), formFixed64
	if p.kind == kindFloat32 {
		value, form = uint64(math.Float32bits(float32(f))), formFixed32
	}
	if value != 0 || p.presence {
		d.leaf(parent, p.number, form).value = value
	}
}

var addressMark = []byte("8:")

// isAddress reports whether an identity's display name is a Teams address: 8:, a kind in lower case, a colon, an id.
func isAddress(name string) bool {
	rest, ok := strings.CutPrefix(name, "8:")
	if !ok {
		return false
	}
	scheme, id, ok := strings.Cut(rest, ":")
	if !ok || scheme == "" || id == "" || strings.ContainsAny(id, " \t\r\n") {
		return false
	}
	return strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// bareType takes the namespace off a type name; other namespaces stay.
func bareType(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("#"))
	for _, namespace := range [...]string{"microsoft.graph.callRecords.", "microsoft.graph."} {
		if len(text) > len(namespace) && strings.EqualFold(string(text[:len(namespace)]), namespace) {
			return text[len(namespace):]
		}
	}
	return text
}

// parseBytes decodes base64 in either alphabet, padded or not.
func parseBytes(text string) ([]byte, bool) {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		encoding = base64.RawURLEncoding
	}
	bare := strings.TrimRight(text, "=")
	if padding := len(text) - len(bare); padding > 0 && (len(text)%4 != 0 || padding > 2) {
		return nil, false
	}
	data, err := encoding.Strict().DecodeString(bare)
	return data, err == nil && !strings.ContainsAny(text, "\r\n")
}
