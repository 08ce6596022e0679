package faults

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// WithLinkName is an answer whose members that link on are called name, nested ones included; see [LinkName].
func WithLinkName(o data.Object, name string) data.Object {
	out := make(data.Object, 0, len(o))
	for _, f := range o {
		if of, isLink := strings.CutSuffix(f.Key, "@odata.nextLink"); isLink {
			f.Key = of + name
		}
		switch inner := f.Value.(type) {
		case data.Object:
			f.Value = WithLinkName(inner, name)
		case data.List:
			rows := make(data.List, 0, len(inner))
			for _, row := range inner {
				rows = append(rows, WithLinkName(row, name))
			}
			f.Value = rows
		}
		out = append(out, f)
	}
	return out
}

// OutOfItsWindow is a row whose dates are 40 days earlier; see [OutOfWindow].
func OutOfItsWindow(o data.Object) data.Object {
	o = slices.Clone(o)
	for _, name := range []string{"createdDateTime", "lastModifiedDateTime", "startDateTime", "endDateTime"} {
		if t, err := time.Parse(time.RFC3339Nano, o.Text(name)); err == nil {
			o.Set(name, data.TeamsTime(t.UnixMilli()-40*data.DayMS))
		}
	}
	return o
}

// BreakJSON is a body with another character in place of a separator in its second half; see [MalformedJSON]. One inside a
// string would leave the text valid, with another meaning, and is passed over.
func BreakJSON(body []byte) []byte {
	body = bytes.Clone(body)
	for i := len(body) / 2; i < len(body); i++ {
		was := body[i]
		if was != ':' && was != ',' {
			continue
		}
		if body[i] = '}'; !json.Valid(body) {
			return body
		}
		body[i] = was
	}
	return body[:len(body)/2]
}
