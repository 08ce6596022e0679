package graphclient

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// maxMembers is how many members a usual answer has at most.
const maxMembers = 16

// scanEnvelope reads a collection answer of the usual shape in one pass: each name once and without escapes, records that
// are objects or null. It reports false for any other, malformed ones included: parseEnvelope's decoder then decides.
func scanEnvelope(body []byte) (env envelope, ok bool) {
	env.count = -1
	i := jsonscan.Space(body, 0)
	if i >= len(body) || body[i] != '{' {
		return env, false
	}
	i = jsonscan.Space(body, i+1)
	var had [maxMembers][]byte
	for n := range had {
		start := i
		var form jsonscan.Form
		if i, form, ok = jsonscan.String(body, i); !ok || form != 0 {
			return env, false
		}
		name := body[start+1 : i-1]
		if i, ok = jsonscan.Colon(body, i); !ok || slices.ContainsFunc(had[:n], func(other []byte) bool { return bytes.Equal(other, name) }) {
			return env, false
		}
		had[n] = name
		if i, ok = env.scanMember(body, i, name); !ok {
			return env, false
		}
		var more bool
		if i, more, ok = jsonscan.Next(body, i, '}'); !ok {
			return env, false
		}
		if !more {
			return env, env.records != nil && jsonscan.Space(body, i) == len(body)
		}
	}
	return env, false
}

// scanMember reads the value of one member, which begins at i.
func (env *envelope) scanMember(body []byte, i int, name []byte) (end int, ok bool) {
	switch string(name) {
	case keyValue:
		env.records, end, ok = scanRecords(body, i)
		return end, ok
	case keyNextLink:
		env.nextLink, end, ok = scanText(body, i)
		return end, ok
	case keyContext:
		env.context, end, ok = scanText(body, i)
		return end, ok
	case keyCount:
		if end, ok = jsonscan.Number(body, i); !ok {
			return end, false
		}
		count, err := strconv.Atoi(string(body[i:end]))
		env.count = count
		return end, err == nil && count >= 0
	case keyError:
		return i, false
	default:
		return jsonscan.Skip(body, i, 1)
	}
}

// scanText reads a string that is written as it is.
func scanText(body []byte, i int) (text string, end int, ok bool) {
	end, form, ok := jsonscan.String(body, i)
	if !ok || form != 0 {
		return "", end, false
	}
	return string(body[i+1 : end-1]), end, true
}

// scanRecords reads a list of objects and nulls; nulls are left out.
func scanRecords(body []byte, i int) (records [][]byte, end int, ok bool) {
	if i >= len(body) || body[i] != '[' {
		return nil, i, false
	}
	records = make([][]byte, 0, 64)
	i = jsonscan.Space(body, i+1)
	if i < len(body) && body[i] == ']' {
		return records, i + 1, true
	}
	for {
		start := i
		if i >= len(body) || body[i] != '{' && body[i] != 'n' {
			return nil, i, false
		}
		if i, ok = jsonscan.Skip(body, i, 2); !ok {
			return nil, i, false
		}
		if body[start] == '{' {
			records = append(records, body[start:i:i])
		}
		var more bool
		if i, more, ok = jsonscan.Next(body, i, ']'); !ok || !more {
			return records, i, ok
		}
	}
}
