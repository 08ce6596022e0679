package graphmap

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// scalar reads a value that is neither object nor list. What does not fit the field is kept in unmapped.
func (d *decoder) scalar(p *property, m protoreflect.Message) error {
	next := d.json.PeekKind()
	switch {
	case next == '"':
		return d.quoted(p, m)
	case next == '0':
		return d.number(p, m)
	case (next == 't' || next == 'f') && p.kind == kindBool:
		m.Set(p.field, protoreflect.ValueOfBool(next == 't'))
		return d.json.SkipValue()
	case p.kind == kindType:
		return d.json.SkipValue() // an annotation that makes no sense is still only an annotation
	default:
		return d.keepRaw()
	}
}

// quoted reads a text into a field of any kind. Empty text is absence, whatever the field.
func (d *decoder) quoted(p *property, m protoreflect.Message) error {
	text, err := d.text('"')
	if err != nil || text == "" {
		return err
	}
	if !d.setText(p, m, text) {
		d.keep(structpb.NewStringValue(text))
	}
	return nil
}

// setText sets the field from a text that is not empty and reports whether nothing was lost.
func (d *decoder) setText(p *property, m protoreflect.Message, text string) bool {
	switch p.kind {
	case kindString:
		m.Set(p.field, protoreflect.ValueOfString(text))
		return true
	case kindName:
		fd := p.field
		if isAddress(text) {
			fd = p.other
		}
		m.Set(fd, protoreflect.ValueOfString(text))
		return true
	case kindType:
		m.Set(p.field, protoreflect.ValueOfString(typeName(text)))
		return true
	case kindEnum:
		return p.setMember(m, text)
	case kindTime:
		return setTime(p, m, text)
	case kindDate:
		day, state := parseDate(text)
		if state == timeValid {
			m.Set(p.field, protoreflect.ValueOfString(day))
		}
		return state != timeMalformed
	case kindDuration:
		length, ok := parseDuration(text)
		if ok {
			pb := &durationpb.Duration{Seconds: length.seconds, Nanos: length.nanos}
			m.Set(p.field, protoreflect.ValueOfMessage(pb.ProtoReflect()))
		}
		return ok
	case kindBytes:
		data, ok := parseBytes(text)
		if ok {
			m.Set(p.field, protoreflect.ValueOfBytes(data))
		}
		return ok
	case kindBool:
		if text == "true" || text == "false" {
			m.Set(p.field, protoreflect.ValueOfBool(text == "true"))
			return true
		}
		return false
	default:
		return p.setNumber(m, text, true)
	}
}

func setTime(p *property, m protoreflect.Message, text string) bool {
	at, state := parseTime(text)
	if state == timeValid {
		pb := &timestamppb.Timestamp{Seconds: at.seconds, Nanos: at.nanos}
		m.Set(p.field, protoreflect.ValueOfMessage(pb.ProtoReflect()))
	}
	return state != timeMalformed
}

// number reads a number into a field of any kind.
func (d *decoder) number(p *property, m protoreflect.Message) error {
	raw, err := d.json.ReadValue()
	if err != nil {
		return err
	}
	switch p.kind {
	case kindString, kindName:
		m.Set(p.field, protoreflect.ValueOfString(string(raw)))
	case kindType: // not a type name, and still only an annotation
	case kindInt32, kindInt64, kindFloat32, kindFloat64:
		if text := string(raw); !p.setNumber(m, text, false) {
			d.keep(numberValue(text))
		}
	default:
		d.keep(numberValue(string(raw)))
	}
	return nil
}

// text reads a string, or the digits of a number as they stand.
func (d *decoder) text(next jsontext.Kind) (string, error) {
	raw, err := d.json.ReadValue()
	if err != nil {
		return "", err
	}
	if next == '0' {
		return string(raw), nil
	}
	return d.unquote(raw), nil
}

// unquote decodes a string literal; what is not UTF-8 in it becomes U+FFFD.
func (d *decoder) unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	size, isUTF8 := len(inner), utf8.Valid(inner)
	if isUTF8 && bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	if !isUTF8 {
		size *= utf8.RuneLen(utf8.RuneError) // each byte may be replaced
	}
	d.scratch = slices.Grow(d.scratch[:0], size)
	d.scratch = unescape(d.scratch, inner)
	text := string(d.scratch)
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
	return text
}

// unescape appends what stands between the quotes of a literal that the decoder has validated. It does the same as
// jsontext.AppendUnquote, which makes an error of every lone surrogate.
func unescape(dst, inner []byte) []byte {
	for len(inner) > 0 {
		c := inner[0]
		switch {
		case c == '\\' && inner[1] == 'u':
			r, n := hexRune(inner), len(`\u0000`)
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if len(inner) >= 2*n && inner[n] == '\\' && inner[n+1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(inner[n:]))
				}
				if r = pair; pair != utf8.RuneError {
					n *= 2
				}
			}
			dst, inner = utf8.AppendRune(dst, r), inner[n:]
		case c == '\\':
			if at := strings.IndexByte("bfnrt", inner[1]); at >= 0 {
				dst = append(dst, "\b\f\n\r\t"[at])
			} else {
				dst = append(dst, inner[1])
			}
			inner = inner[2:]
		case c < utf8.RuneSelf:
			dst, inner = append(dst, c), inner[1:]
		default:
			r, n := utf8.DecodeRune(inner)
			dst, inner = utf8.AppendRune(dst, r), inner[n:]
		}
	}
	return dst
}

// hexRune reads the digits of a \u escape.
func hexRune(escape []byte) rune {
	n, _ := strconv.ParseUint(string(escape[2:6]), 16, 16) // validated by the decoder
	return rune(n)
}

// maxScratch bounds what a reused decoder holds on to, in bytes.
const maxScratch = 64 << 10

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

// typeName takes the namespace off a type name; other namespaces stay.
func typeName(text string) string {
	text = strings.TrimPrefix(text, "#")
	for _, namespace := range [...]string{"microsoft.graph.callRecords.", "microsoft.graph."} {
		if len(text) > len(namespace) && strings.EqualFold(text[:len(namespace)], namespace) {
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
