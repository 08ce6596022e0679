package graphmap

import (
	"bytes"
	"reflect"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/parley-gateway/parley/graphclient/jsonscan"
)

// A record may take a multiple of its own size in memory, and a sum on top that ordinary records never reach. What Graph
// documents takes two to four times its size; lists of empty objects would take a hundred times.
const (
	budgetTimes = 3
	budgetBase  = 1 << 20

	elementCost = 128 // bytes that an element of an undeclared list takes, beside its text
	memberCost  = 320 // bytes that a member of an undeclared object takes, its place in the map included
	stringCost  = 192 // bytes that an element of a list of texts or enumeration members takes, garbage included
	rowTimes    = 4   // what a row of a fan-out list takes, in sizes of its message: it is copied and filled
	growthCost  = 48  // bytes that a place in a list takes while the list grows
)

// maxSpans bounds the spans of skipped members of one object.
const maxSpans = 1 << 10

// restName is the member of unmapped that holds skipped members, as JSON text.
const restName = "…"

// sizeOf is what an empty message takes in memory, in bytes.
func sizeOf(md protoreflect.MessageDescriptor) int {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(md.FullName())
	if err != nil {
		return memberCost
	}
	return int(reflect.TypeOf(mt.Zero().Interface()).Elem().Size()) + growthCost
}

// exhausted reports whether the record has used up its budget.
func (d *Draft) exhausted() bool { return d.budget <= 0 }

// addExtraRest adds the rest of a list to unmapped, from the element at i on.
func (d *Draft) addExtraRest(i, depth int) (end int, ok bool) {
	start := len(d.scratch)
	if end, ok = d.appendRest(i, depth, '['); ok {
		d.addExtra(start)
	}
	return end, ok
}

// appendRest skips the rest of a list or an object, from i on, and appends it as the text of a JSON list or object.
func (d *Draft) appendRest(i, depth int, opening byte) (end int, ok bool) {
	rest := span{from: i}
	for {
		if opening == '{' {
			if _, i, ok = memberName(d.record, i); !ok {
				return i, false
			}
		}
		if i, ok = jsonscan.Skip(d.record, i, depth); !ok {
			return i, false
		}
		rest.to = i
		var more bool
		if i, more, ok = jsonscan.Next(d.record, i, closing(opening)); !ok {
			return i, false
		}
		if !more {
			d.appendJSON(opening, rest)
			return i, true
		}
	}
}

// closing is the bracket that closes what opening opens: } and ] are two code points after { and [.
func closing(opening byte) byte { return opening + 2 }

// span is a part of the record, from one position to another.
type span struct{ from, to int }

// appendJSON joins parts of the record to the text of a list or an object and appends it as a google.protobuf.Value.
func (d *Draft) appendJSON(opening byte, parts ...span) {
	d.scratch = protowire.AppendTag(d.scratch, valueString, protowire.BytesType)
	mark := d.openLength()
	size := 2
	for _, part := range parts {
		size += part.to - part.from + 1
	}
	d.scratch = append(slices.Grow(d.scratch, size), opening)
	for i, part := range parts {
		if i > 0 {
			d.scratch = append(d.scratch, ',')
		}
		d.scratch = append(d.scratch, d.record[part.from:part.to]...)
	}
	d.scratch = append(d.scratch, closing(opening))
	if text := d.scratch[mark:]; !utf8.Valid(text) {
		d.scratch = append(d.scratch[:mark], bytes.ToValidUTF8(text, []byte("\ufffd"))...)
	}
	d.closeLength(mark)
}

// skipMember skips a member after the budget is exhausted and notes where it stands: from start on, with its value at i.
func (d *Draft) skipMember(start, i, depth int, m *members) (end int, ok bool) {
	if end, ok = jsonscan.Skip(d.record, i, depth); !ok {
		return end, false
	}
	if n := len(m.skipped); n > 0 && (m.skipping || n >= maxSpans) {
		m.skipped[n-1].to = end // from n = maxSpans on, with the known members between them
	} else {
		m.skipped = append(m.skipped, span{start, end})
	}
	m.skipping = true
	return end, true
}

// addExtraMembers adds the skipped members of an object to unmapped.
func (d *Draft) addExtraMembers(skipped []span) {
	if len(skipped) == 0 {
		return
	}
	d.path = append(d.path, step{name: restName, index: -1})
	start := len(d.scratch)
	d.appendJSON('{', skipped...)
	d.addExtra(start)
	d.pop()
}
