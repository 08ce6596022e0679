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

// Alter changes a page of the answer to a request by the faults that struck the request. base is scheme and host of the page's links.
func (e *Engine) Alter(r Request, base string, struck []Fault, p *Page) {
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
				p.Rows[0] = withEarlierDates(p.Rows[0])
			}
		case RepeatPage:
			p.Rows = e.previousRows(r, p.Rows)
		}
	}
	e.remember(r, p.Rows)
}

// linkPath returns a link without scheme and host; for a page without a link, path and query of the request.
func linkPath(r Request, base, next string) string {
	if path, ok := strings.CutPrefix(next, base); ok {
		return path
	}
	return r.URL().RequestURI()
}

// WithLinkName returns an answer with another name for the members that link to the next page, nested ones included; see [LinkName].
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

// withEarlierDates returns a row whose dates are 40 days earlier; see [OutOfWindow].
func withEarlierDates(o data.Object) data.Object {
	o = slices.Clone(o)
	for _, name := range []string{"createdDateTime", "lastModifiedDateTime", "startDateTime", "endDateTime"} {
		if t, err := time.Parse(time.RFC3339Nano, o.Text(name)); err == nil {
			o.Set(name, data.TeamsTime(t.UnixMilli()-40*data.DayMS))
		}
	}
	return o
}

// BreakJSON returns a body with a brace in place of a separator in its second half; see [MalformedJSON]. A separator inside a string is
// passed over: the text would stay valid. A body without another separator is cut in half.
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
