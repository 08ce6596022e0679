package graphsim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-gateway/parley/graphsim/data"
	"github.com/parley-gateway/parley/graphsim/refusal"
)

// option is one query option as it came; links to the next page have its raw text.
type option struct {
	name  string // decoded, lower case
	value string // decoded
	raw   string
}

type query []option

const maxQuery = 16 << 10

// parseQuery splits a raw query; unlike net/url it keeps order and refuses repetitions and bad escapes.
func parseQuery(raw string) (query, *refusal.Error) {
	if len(raw) > maxQuery {
		return nil, refusal.BadRequest("The request URL is too long.")
	}
	var q query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, refusal.BadRequest("The query is not well-formed.")
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, refusal.BadRequest("The query is not well-formed.")
		}
		name = strings.ToLower(name)
		if _, ok := q.get(name); ok {
			return nil, refusal.BadRequest("Query option '%s' was specified more than once, but it must be specified at most once.", name)
		}
		q = append(q, option{name: name, value: value, raw: part})
	}
	return q, nil
}

func (q query) get(name string) (string, bool) {
	for _, o := range q {
		if o.name == name {
			return o.value, true
		}
	}
	return "", false
}

// check refuses every option that the API does not take.
func (q query) check(allowed []string) *refusal.Error {
	for _, o := range q {
		if slices.Contains(allowed, o.name) {
			continue
		}
		known := []string{"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$count", "$search", "$format", "$skiptoken", "$deltatoken"}
		if slices.Contains(known, o.name) {
			title := strings.ToUpper(o.name[1:2]) + o.name[2:]
			return refusal.BadRequest("Query option '%s' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings.", title)
		}
		return refusal.BadRequest("The query parameter '%s' is not supported.", o.name)
	}
	return nil
}

// top reads $top: def without it, an error beyond limit. A limit of 0 means none.
func (q query) top(def, limit int) (int, *refusal.Error) {
	text, ok := q.get("$top")
	if !ok {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, refusal.BadRequest("Invalid value '%s' for $top query option found. The $top query option requires a non-negative integer value.", text)
	}
	if limit > 0 && n > limit {
		return 0, refusal.BadRequest("The limit of '%d' for Top query has been exceeded. The value from the incoming request is '%d'.", limit, n)
	}
	return n, nil
}

// list reads a comma-separated option.
func (q query) list(name string) []string {
	text, _ := q.get(name)
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// link is the URL of the next page: all options of this request as they came, and the token. Escapes are written in
// lower case, as the service does.
func (q query) link(path, token string) string {
	var b strings.Builder
	b.WriteString(path)
	sep := byte('?')
	for _, o := range q {
		if o.name == "$skiptoken" {
			continue
		}
		b.WriteByte(sep)
		b.WriteString(relaxed(o))
		sep = '&'
	}
	b.WriteByte(sep)
	b.WriteString("$skiptoken=")
	b.WriteString(lowerEscape(token))
	return b.String()
}

func relaxed(o option) string {
	name, _, _ := strings.Cut(o.raw, "=")
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	if o.name == "$format" {
		return name + "=" + o.value
	}
	return name + "=" + lowerEscape(o.value)
}

// lowerEscape is query escaping with lower-case digits and the comma, slash, colon and parentheses left alone.
func lowerEscape(s string) string {
	const plain = "-_.~,:()@!*$;"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(data.HexDigits[c>>4])
			b.WriteByte(data.HexDigits[c&15])
		}
	}
	return b.String()
}
