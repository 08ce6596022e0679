package faults

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/parley-gateway/parley/graphsim/data"
)

// Page is a page of an answer: its rows and its link to the next one.
type Page struct {
	Rows data.List
	Next string
}

// Bend changes a page of the answer to a request as the faults say that struck it. base is scheme and host of the page's links.
func (e *Engine) Bend(r Request, base string, struck []Fault, p *Page) {
	for _, f := range struck {
		switch f.Kind {
		case LoopLink:
			p.Next = base + r.URL().RequestURI()
		case LoopPair:
			if back, ok := e.previousPage(r); ok {
				p.Next = base + back
			}
		case ForeignLink:
			p.Next = "https://" + cmp.Or(f.Host, "graph.attacker.example") + linkPath(r, base, p.Next)
		case HTTPLink:
			_, host, _ := strings.Cut(base, "://")
			p.Next = "http://" + host + linkPath(r, base, p.Next)
		case EmptyPage:
			p.Rows = data.List{}
		case EmptyEnd:
			p.Rows, p.Next = data.List{}, ""
		case OutOfWindow:
			if len(p.Rows) > 0 {
				p.Rows[0] = outOfItsWindow(p.Rows[0])
			}
		case RepeatPage:
			p.Rows = e.previousRows(r, p.Rows)
		}
	}
	e.remember(r, p.Rows)
}

// linkPath is a link without scheme and host; a page without a link lends its own path.
func linkPath(r Request, base, next string) string {
	if path, ok := strings.CutPrefix(next, base); ok {
		return path
	}
	return r.URL().RequestURI()
}

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

// outOfItsWindow is a row whose dates are 40 days earlier; see [OutOfWindow].
func outOfItsWindow(o data.Object) data.Object {
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
