package data

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Field is one member of a JSON object. Objects keep the order in which Graph writes their members.
type Field struct {
	Key   string
	Value any
}

// Member returns one member of a JSON object.
func Member(name string, value any) Field { return Field{Key: name, Value: value} }

// Object is a JSON object.
type Object []Field

// List is a JSON array of objects.
type List []Object

func (o Object) get(k string) any {
	for _, f := range o {
		if f.Key == k {
			return f.Value
		}
	}
	return nil
}

// Text is a member that is a string, or "".
func (o Object) Text(k string) string {
	s, _ := o.get(k).(string)
	return s
}

// Set replaces the value of a member that is there.
func (o Object) Set(k string, v any) {
	for i := range o {
		if o[i].Key == k {
			o[i].Value = v
		}
	}
}

// Selected keeps the named members and OData annotations. Names are compared without case, as Graph does.
func (o Object) Selected(names []string) Object {
	if len(names) == 0 {
		return o
	}
	out := make(Object, 0, len(names)+1)
	for _, f := range o {
		if strings.HasPrefix(f.Key, "@") || ContainsFold(names, f.Key) || ContainsFold(names, beforeAt(f.Key)) {
			out = append(out, f)
		}
	}
	return out
}

func beforeAt(k string) string {
	name, _, _ := strings.Cut(k, "@")
	return name
}

// ContainsFold reports whether a name is among others, without case.
func ContainsFold(names []string, k string) bool {
	for _, n := range names {
		if strings.EqualFold(n, k) {
			return true
		}
	}
	return false
}

// WithoutNulls drops null and empty members at every depth, as Prefer: omit-values=nulls asks.
func WithoutNulls(v any) any {
	switch v := v.(type) {
	case Object:
		out := make(Object, 0, len(v))
		for _, f := range v {
			if w := WithoutNulls(f.Value); w != nil {
				out = append(out, Field{f.Key, w})
			}
		}
		return out
	case List:
		if len(v) == 0 {
			return nil
		}
		out := make(List, len(v))
		for i, o := range v {
			out[i], _ = WithoutNulls(o).(Object)
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

// AppendJSON appends the JSON of v, which is made of Object, List, []string, string, bool, int, int64, float64 and nil.
func AppendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case Object:
		if v == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, f.Key)
			b = append(b, ':')
			b = AppendJSON(b, f.Value)
		}
		return append(b, '}')
	case List:
		b = append(b, '[')
		for i, o := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, o)
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
			b = append(b, '\\', 'u', '0', '0', HexDigits[c>>4], HexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
