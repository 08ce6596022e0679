package graphsim

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// field is one JSON member; object keeps members in the order in which Graph writes them.
type field struct {
	k string
	v any
}

type object []field

// list is a JSON array of objects.
type list []object

func (o object) get(k string) any {
	for _, f := range o {
		if f.k == k {
			return f.v
		}
	}
	return nil
}

// text is a member that is a string, or "".
func (o object) text(k string) string {
	s, _ := o.get(k).(string)
	return s
}

func (o object) set(k string, v any) {
	for i := range o {
		if o[i].k == k {
			o[i].v = v
		}
	}
}

// selected keeps the named members and OData annotations. Names are compared without case, as Graph does.
func (o object) selected(names []string) object {
	if len(names) == 0 {
		return o
	}
	out := make(object, 0, len(names)+1)
	for _, f := range o {
		if strings.HasPrefix(f.k, "@") || containsFold(names, f.k) || containsFold(names, beforeAt(f.k)) {
			out = append(out, f)
		}
	}
	return out
}

func beforeAt(k string) string {
	name, _, _ := strings.Cut(k, "@")
	return name
}

func containsFold(names []string, k string) bool {
	for _, n := range names {
		if strings.EqualFold(n, k) {
			return true
		}
	}
	return false
}

// withoutNulls drops null and empty members at every depth, as Prefer: omit-values=nulls asks.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, 0, len(v))
		for _, f := range v {
			if w := withoutNulls(f.v); w != nil {
				out = append(out, field{f.k, w})
			}
		}
		return out
	case list:
		if len(v) == 0 {
			return nil
		}
		out := make(list, len(v))
		for i, o := range v {
			out[i], _ = withoutNulls(o).(object)
		}
		return out
	case []string:
		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}

// appendJSON writes v, made of object, list, []string, string, bool, int, int64, float64 and nil.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case object:
		if v == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, f.k)
			b = append(b, ':')
			b = appendJSON(b, f.v)
		}
		return append(b, '}')
	case list:
		b = append(b, '[')
		for i, o := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, o)
		}
		return append(b, ']')
	case []string:
		b = append(b, '[')
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, s)
		}
		return append(b, ']')
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	default:
		return append(b, "null"...)
	}
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
